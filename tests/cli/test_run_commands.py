"""run, test, runs and recipe as they are typed: words, exit codes, documents."""

from __future__ import annotations

import json
import subprocess
from pathlib import Path
from subprocess import CompletedProcess
from xml.etree import ElementTree

import pytest

from tests.support import Project

RECIPE = """\
description: Numbers
parameters: {most: 3}
nodes:
  twice: {sql: twice.sql}
  numbers: {sql: numbers.sql}
  tell: {python: tell.py, after: [twice]}
tests:
  twice:
    after:
      - row_count: {table: twice, min: 1, max: 5}
      - accepted_values: {table: twice, column: n, values: [2, 4, 6], severity: warn}
"""
NUMBERS = "DROP TABLE IF EXISTS numbers;\nCREATE TABLE numbers AS SELECT n FROM generate_series(1, :most) AS n;\n"
TWICE = "DROP TABLE IF EXISTS twice;\nCREATE TABLE twice AS SELECT n * 2 AS n FROM numbers;\n"


def _write(root: Path, name: str, recipe: str, **files: str) -> None:
    folder = root / "recipes" / name
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(recipe)
    for file, text in files.items():
        (folder / file.replace("_", ".")).write_text(text)


@pytest.fixture
def project(project: Project) -> Project:
    """Return a project with one recipe that needs no data, its kitchen made."""
    _write(
        project.root, "numbers", RECIPE, numbers_sql=NUMBERS, twice_sql=TWICE, tell_py="print('two lines')\nprint(2)"
    )
    project.git("rm", "-rq", "recipes/profitability")
    project.commit()
    project.git("branch", "-f", "dev")
    project.kitchen("up", "dev")
    project.kitchen("create", "sums")
    return project


def test_a_day_with_recipes(project: Project) -> None:
    tree = project.root / ".kitchen" / "worktrees" / "sums"

    def kitchen(*words: str, expect: int = 0) -> CompletedProcess[str]:
        return project.kitchen(*words, cwd=tree, expect=expect)

    # looking
    assert json.loads(kitchen("recipe", "list", "--json").stdout)[0]["tests"] == 2
    shown = json.loads(kitchen("recipe", "show", "numbers", "--json").stdout)
    assert [node["name"] for node in shown["nodes"]] == ["numbers", "twice", "tell"]
    assert shown["nodes"][1]["after"] == {"numbers": "reads public.numbers"}
    assert 'CREATE TABLE "sums"."numbers"' in kitchen("recipe", "show", "numbers", "--compiled").stdout
    checked = kitchen("recipe", "check")
    assert "numbers: 3 nodes, 2 tests" in checked.stderr
    assert "twice\tsql\tpublic.numbers" in checked.stdout, "what each node reads and writes, in order"
    assert 'numbers -->|"reads public.numbers"| twice' in kitchen("recipe", "graph", "numbers").stdout
    graph = json.loads(kitchen("recipe", "graph", "numbers", "--json").stdout)
    assert graph["nodes"]["twice"] == {"numbers": "reads public.numbers"}
    assert kitchen("recipe", "find", "SERIES").stdout.startswith("recipes/numbers/numbers.sql:2: CREATE TABLE numbers")
    kitchen("recipe", "find", "no such words", expect=3)
    assert "nothing was run" in kitchen("run", "numbers", "--dry-run").stderr
    assert json.loads(kitchen("runs", "list", "--json").stdout) == []

    # running
    run = json.loads(kitchen("run", "numbers", "--json").stdout)
    assert (run["state"], run["kitchen"], run["commit"]) == ("passed", "sums", project.git("rev-parse", "dev"))
    assert [node["state"] for node in run["nodes"]] == ["passed"] * 3
    assert kitchen("runs", "logs", run["id"][:8]).stdout == "two lines\n2\n"
    (log,) = json.loads(kitchen("runs", "logs", run["id"][:8], "tell", "--json").stdout)
    assert (log["node"], log["state"], log["log"]) == ("tell", "passed", "two lines\n2\n")
    assert "twice" in kitchen("runs", "show", run["id"][:8]).stdout
    assert "passed" in kitchen("test").stdout
    last = kitchen("run", "numbers", "--node", "twice").stderr.splitlines()[-1]
    assert "1 node, 2 tests" in last
    assert "nothing to run" in kitchen("run", "numbers", "--affected").stderr

    # a warning, and a refusal with its exit code
    kitchen("run", "numbers", "--set", "most=4")
    failed = kitchen("run", "numbers", "--set", "most=6", expect=5)
    assert "measured 6 rows, expected 1 to 5 rows" in failed.stderr
    assert "kitchen runs show " in failed.stderr
    assert "failed (stop)" in kitchen("test", "--junit", "tests.xml", expect=5).stdout
    suite = ElementTree.fromstring((tree / "tests.xml").read_text())[0]  # noqa: S314 - our own writing
    assert {key: suite.get(key) for key in ("name", "tests", "failures", "errors")} == {
        "name": "numbers", "tests": "2", "failures": "1", "errors": "0",
    }  # fmt: skip
    cases = {case.get("name"): [(part.tag, part.get("message"), part.text) for part in case] for case in suite}
    assert sorted(map(str, cases.values())) == [
        "[('failure', 'measured 6 rows, expected 1 to 5 rows', None)]",
        "[('system-out', None, 'warn: measured 3 rows with another value, expected only 2, 4, 6')]",
    ]
    (tree / "tests.xml").unlink()
    number = json.loads(kitchen("runs", "list", "--json").stdout)[1]["id"]
    again = kitchen("run", "numbers", "--resume", number[:8], expect=5)  # with the parameters of then
    assert "measured 6 rows" in again.stderr

    # what a branch changed
    kitchen("run", "numbers")
    (tree / "recipes" / "numbers" / "twice.sql").write_text(TWICE.replace("n * 2", "n * 2 + 0"))
    affected = json.loads(kitchen("run", "numbers", "--affected", "--json").stdout)
    assert [node["node"] for node in affected["nodes"]] == ["twice", "tell"]
    assert affected["commit"].endswith("+")

    assert "cannot be written" in kitchen("test", "--junit", "nowhere/tests.xml", expect=1).stderr
    _bad_input(project, tree)


def _bad_input(project: Project, tree: Path) -> None:
    def refused(*words: str, expect: int) -> str:
        before = project.kitchen("runs", "list", "--json", cwd=tree).stdout
        said = project.kitchen(*words, cwd=tree, expect=expect).stderr
        assert project.kitchen("runs", "list", "--json", cwd=tree).stdout == before
        assert "Traceback" not in said
        return said

    assert "did you mean 'numbers'" in refused("run", "number", expect=3)
    assert "there is no recipe '../numbers'" in refused("run", "../numbers", expect=3)
    assert "no parameter 'mst'; did you mean 'most'" in refused("run", "numbers", "--set", "mst=1", expect=2)
    assert "most is a whole number" in refused("run", "numbers", "--set", "most=a", expect=2)
    assert "no node 'twce'; did you mean 'twice'" in refused("run", "numbers", "--node", "twce", expect=2)
    assert "there is no run 'ffffffff'" in refused("runs", "show", "ffffffff", expect=3)
    assert "there is no kitchen 'nobody'" in refused("run", "numbers", "-k", "nobody", expect=3)

    for recipe, files, words in (
        ("nodes:\n  a: {sql: a.sql}\n", {"a_sql": "SELECT\n* FROM nowhere"}, "bad/a.sql:2: node 'a' reads 'nowhere'"),
        ("nodes:\n  a: {sql: b.sql}\n", {}, "recipes/bad/recipe.yaml:2: nodes.a.sql: there is no file 'b.sql'"),
        ("nodes:\n  a: {sqll: a.sql}\n", {}, "recipe.yaml:2: nodes.a.sqll: unknown key; did you mean 'sql'?"),
        ("nodes:\n  a: {sql: a.sql, after: [a]}\n", {}, "recipe.yaml:2: nodes.a.after: the nodes form a circle"),
        (
            "nodes:\n  a: {sql: a.sql}\n  b: {sql: b.sql}\n",
            {"a_sql": "INSERT INTO numbers SELECT * FROM twice", "b_sql": "INSERT INTO twice SELECT * FROM numbers"},
            "the nodes form a circle: a waits for b (reads public.twice), b waits for a (reads public.numbers)",
        ),
    ):  # fmt: skip
        _write(tree, "bad", recipe, **files)
        assert words in refused("run", "bad", expect=2)
        assert words in refused("recipe", "check", expect=2)


@pytest.mark.parametrize(
    ("file", "text", "said"),
    [
        ("twice.sql", "SELEC 1;\n", "recipes/numbers/twice.sql:1: no SQL statement begins with 'SELEC'"),
        ("twice.sql", f"-- x\n<<<<<<< HEAD\n{TWICE}=======\n{TWICE}>>>>>>> dev\n",
         "recipes/numbers/twice.sql:2: a conflict marker"),
        ("tell.py", "<<<<<<< HEAD\n=======\n>>>>>>> dev\n", "recipes/numbers/tell.py:1: a conflict marker"),
        ("recipe.yaml", f"{RECIPE}>>>>>>> dev\n", f"recipes/numbers/recipe.yaml:{RECIPE.count(chr(10)) + 1}: a conf"),
    ],
)  # fmt: skip
def test_what_is_no_sql_is_refused_before_any_node_starts(project: Project, file: str, text: str, said: str) -> None:
    tree = project.root / ".kitchen" / "worktrees" / "sums"
    (tree / "recipes" / "numbers" / file).write_text(text)
    for words in (("recipe", "check"), ("run", "numbers"), ("test", "numbers")):
        assert said in project.kitchen(*words, cwd=tree, expect=2).stderr, words
    subprocess.run(["git", "commit", "-qam", "half mended"], cwd=tree, check=True)
    assert said in project.kitchen("merge", "sums", "--yes", expect=2).stderr
    assert json.loads(project.kitchen("runs", "list", "--json").stdout) == []
