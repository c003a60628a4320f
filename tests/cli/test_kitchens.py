"""A kitchen's life on the command line, on real servers: what is printed, what is there afterwards, what is refused."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import yaml

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.kitchen import State
from tests.bench import Bench, opened
from tests.support import Project


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with opened("production", "dev") as made:
        yield made


@pytest.fixture
def shop(bench: Bench) -> Iterator[Project]:
    """Return the project; whatever a test leaves in it fails the test."""
    before = bench.traces()
    yield bench.project
    for name in _names(bench.project):
        bench.project.kitchen("delete", name, "--force", "--yes")
    assert bench.traces() == before


def _json(project: Project, *arguments: str) -> object:
    return json.loads(project.kitchen(*arguments, "--json").stdout)


def _names(project: Project) -> list[str]:
    """Return working kitchens, children first."""
    found = [each for each in _json(project, "list") if each["kind"] == "working"]  # type: ignore[union-attr, attr-defined]
    return [each["name"] for each in sorted(found, key=lambda each: each["created_at"], reverse=True)]


def _worktree(project: Project, name: str) -> Path:
    return project.root / ".kitchen" / "worktrees" / name


def test_create_prints_the_folder_and_makes_everything(shop: Project) -> None:
    made = shop.kitchen("create", "profit", "--ticket", "ABC-1", "--staff", "bob")
    assert made.stdout.strip() == str(_worktree(shop, "profit"))
    assert "kitchen enter profit" in made.stderr
    assert shop.git("rev-parse", "profit") == shop.git("rev-parse", "dev")
    assert (_worktree(shop, "profit") / "environments" / "dev.yaml").exists()
    assert shop.git("status", "--porcelain") == ""
    shown = _json(shop, "show", "profit")
    assert isinstance(shown, dict)
    assert (shown["kitchen"]["ticket"], shown["kitchen"]["staff"]) == ("ABC-1", ["bob"])
    assert shown["search_path"] == ["profit", "dev"]
    assert shown["status"]["next"] == "kitchen enter profit"
    assert set(shown) == {
        "status",
        "kitchen",
        "search_path",
        "schemas",
        "roles",
        "secret",
        "storage",
        "tables",
        "hiding",
    }


def test_a_dry_run_names_the_steps_and_changes_nothing(bench: Bench, shop: Project) -> None:
    before = bench.traces()
    told = shop.kitchen("create", "profit", "--dry-run").stdout.splitlines()
    assert bench.traces() == before
    done = shop.kitchen("create", "profit").stderr
    assert [line.removeprefix("· ") for line in done.splitlines()[: len(told)]] == told
    assert len(told) == 6
    before = bench.traces()
    told = shop.kitchen("delete", "profit", "--dry-run").stdout.splitlines()
    assert bench.traces() == before
    done = shop.kitchen("delete", "profit", "--yes").stderr
    assert [line.removeprefix("· ") for line in done.splitlines()[: len(told)]] == told


HOSTILE = (
    "../x",
    "a;b",
    "é",
    "A",
    "a b",
    "a__b",
    "_a",
    "a_",
    "1a",
    "a" * 25,
    "a\nb",
    "$(id)",
    "a'b",
    'a"b',
    "a/b",
    ".",
)
RESERVED = ("public", "kitchen_control", "pg_catalog", "pantry_v7", "c_0123456789ab", "main", "head")


@pytest.mark.parametrize("name", [*HOSTILE, *RESERVED])
def test_a_name_that_cannot_be_is_2_and_changes_nothing(bench: Bench, shop: Project, name: str) -> None:
    before = bench.traces()
    wrong = shop.kitchen("create", name, expect=2)
    assert wrong.stderr.startswith("error: ")
    assert bench.traces() == before


def test_names_that_look_like_options(bench: Bench, shop: Project) -> None:
    before = bench.traces()
    assert "kitchen create [OPTIONS] [NAME]" in shop.kitchen("create", "--help").stdout
    shop.kitchen("create", "--", "--help", expect=2)
    shop.kitchen("create", "--", "-f", expect=2)
    shop.kitchen("create", "--branch", "--upload-pack=x", expect=2)
    shop.kitchen("create", "profit", "--branch", "a..b", expect=2)
    assert bench.traces() == before


def test_what_is_taken_is_4(bench: Bench, shop: Project) -> None:
    shop.kitchen("create", "profit")
    before = bench.traces()
    assert "profit" in shop.kitchen("create", "profit", expect=4).stderr
    for name in ("dev", "production"):
        assert "environment's name" in shop.kitchen("create", name, expect=4).stderr
    assert "belongs to another kitchen" in shop.kitchen("create", "other", "--branch", "profit", expect=4).stderr
    assert bench.traces() == before
    shop.git("branch", "loose")
    there = shop.kitchen("create", "loose", expect=4)
    assert "kitchen create loose --branch loose" in there.stderr
    shop.kitchen("create", "loose", "--branch", "loose")
    shop.kitchen("delete", "loose", "--yes")
    assert shop.git("branch", "--list", "loose") == ""
    assert "no kitchen 'nobody'" in shop.kitchen("create", "child", "--parent", "nobody", expect=3).stderr


def test_a_name_follows_from_any_branch(shop: Project) -> None:
    shop.kitchen("create", "--branch", "Feature/ABC-12_Größe")
    (name,) = _names(shop)
    assert name.startswith("feature_abc_12_gr_")
    assert shop.git("rev-parse", "--abbrev-ref", "HEAD") == "main"
    assert "Feature/ABC-12_Größe" in shop.git("branch", "--format=%(refname:short)")


def test_outside_of_a_project_and_without_a_kitchen(shop: Project, tmp_path: Path) -> None:
    lost = shop.kitchen("create", "profit", cwd=tmp_path, expect=3)
    assert "kitchen init" in lost.stderr
    assert "kitchen create nothing" in shop.kitchen("status", "nothing", expect=3).stderr
    assert "kitchen list" in shop.kitchen("status", expect=2).stderr


def test_inside_a_worktree_the_kitchen_is_known(shop: Project) -> None:
    shop.kitchen("create", "profit")
    inside = _worktree(shop, "profit") / "environments"
    told = json.loads(shop.kitchen("status", "--json", cwd=inside).stdout)
    assert told["overview"]["name"] == "profit"
    assert shop.kitchen("enter", "--", "pwd", cwd=inside).stdout.strip() == str(inside)
    assert shop.kitchen("enter", "profit", "--", "pwd").stdout.strip() == str(_worktree(shop, "profit"))


def test_tools_find_the_kitchen_and_leave_no_password(shop: Project) -> None:
    shop.kitchen("create", "profit")
    query = "SELECT current_user, session_user, current_setting('search_path'), current_setting('application_name')"
    found = shop.kitchen("enter", "profit", "--", "psql", "-X", "-A", "-t", "-c", query).stdout.strip()
    assert found == "kitchen__dev__profit__owner|kitchen__dev__profit__login|profit, dev|kitchen profit"
    inside = dict(
        line.split("=", 1) for line in shop.kitchen("enter", "profit", "--", "env").stdout.splitlines() if "=" in line
    )
    assert (inside["KITCHEN"], inside["KITCHEN_ENVIRONMENT"], inside["KITCHEN_SCHEMA"]) == ("profit", "dev", "profit")
    assert not Path(inside["PGPASSFILE"]).exists(), "the password file lives as long as the command"
    assert "PGPASSWORD" not in inside
    assert shop.kitchen("enter", "profit", "--", "which", "pg_dump").stdout.startswith(inside["PATH"].split(":")[0])
    listed = shop.kitchen("enter", "profit", "--", "sh", "-c", 'stat -c "%a" "$PGPASSFILE" "$(dirname "$PGPASSFILE")"')
    assert listed.stdout.split() == ["600", "700"]
    secret = shop.kitchen("env", "profit", "--format", "url").stdout
    password = secret.split(":")[2].split("@")[0]
    assert password not in json.dumps(inside)


def test_a_poisoned_environment_does_not_lead_elsewhere(shop: Project) -> None:
    shop.kitchen("create", "profit")
    poison = {
        "PGHOST": "nowhere.invalid",
        "PGSERVICE": "x",
        "PGPASSWORD": "x",
        "PGHOSTADDR": "192.0.2.1",
        "KITCHEN": "x",
    }
    shop.environ.update(poison)
    try:
        assert shop.kitchen("enter", "profit", "--", "psql", "-X", "-A", "-t", "-c", "SELECT 7").stdout.strip() == "7"
    finally:
        for name in poison:
            del shop.environ[name]


def test_a_command_gives_its_own_exit_code(shop: Project) -> None:
    shop.kitchen("enter", "dev", "--", "sh", "-c", "exit 42", expect=42)
    shop.kitchen("enter", "dev", "--", "sh", "-c", "kill -9 $$", expect=137)
    assert "no program" in shop.kitchen("enter", "dev", "--", "no-such-program", expect=3).stderr
    shop.kitchen("enter", "dev", "--", "psql", "-X", "-c", "SELECT nonsense", expect=1)
    typed = shop.kitchen("enter", "dev", "--", "psql", "-X", "-A", "-t", typed="SELECT 6 * 7;\n")
    assert typed.stdout.strip() == "42"


def test_the_standing_kitchens_are_entered_where_one_is(shop: Project) -> None:
    (shop.root / "made.sql").write_text("CREATE TABLE public.made (id int); INSERT INTO public.made VALUES (1);")
    try:
        shop.kitchen("enter", "production", "--", "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "made.sql")
        told = shop.kitchen("enter", "production", "--", "psql", "-X", "-A", "-t", "-c", "TABLE made").stdout
        assert told.strip() == "1"
        shop.kitchen("enter", "dev", "--", "psql", "-X", "-c", "TABLE made", expect=1)
    finally:
        (shop.root / "made.sql").unlink()
        shop.kitchen("enter", "production", "--", "psql", "-X", "-q", "-c", "DROP TABLE made")


def test_every_format_of_env_can_be_used(shop: Project, tmp_path: Path) -> None:
    shop.kitchen("create", "profit")
    psql = shop.kitchen("enter", "profit", "--", "which", "psql").stdout.strip()
    query = [psql, "-X", "-A", "-t", "-c", "SELECT current_user"]

    def ask(command: list[str], **environment: str) -> str:
        clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environment}
        return subprocess.run(command, env=clean, check=True, capture_output=True, text=True, timeout=30).stdout.strip()

    owner = "kitchen__dev__profit__owner"
    url = shop.kitchen("env", "profit", "--format", "url").stdout.strip()
    assert ask([psql, url, *query[1:]]) == owner
    (tmp_path / "service").write_text(shop.kitchen("env", "profit", "--format", "pgservice").stdout)
    assert ask(query, PGSERVICEFILE=str(tmp_path / "service"), PGSERVICE="profit") == owner
    shell = shop.kitchen("env", "profit").stdout
    assert ask(["sh", "-c", f"{shell}\n{psql} -X -A -t -c 'SELECT current_user'"]) == owner
    dotenv = dict(
        line.split("=", 1) for line in shop.kitchen("env", "profit", "--format", "dotenv").stdout.splitlines()
    )
    assert dotenv["KITCHEN"] == "profit"
    profile = yaml.safe_load(shop.kitchen("env", "profit", "--format", "dbt").stdout)
    output = profile["kitchen"]["outputs"]["profit"]
    assert (output["schema"], output["role"], output["type"]) == ("profit", owner, "postgres")


def test_delete_refuses_to_lose_work(bench: Bench, shop: Project) -> None:
    shop.kitchen("create", "profit")
    (_worktree(shop, "profit") / "notes.txt").write_text("mine")
    before = bench.traces()
    refused = shop.kitchen("delete", "profit", "--yes", expect=5)
    assert "uncommitted changes (notes.txt)" in refused.stderr
    assert bench.traces() == before
    inside = Project(_worktree(shop, "profit"), shop.home)
    inside.commit("work")
    refused = shop.kitchen("delete", "profit", "--yes", expect=5)
    assert "commits of branch profit" in refused.stderr
    assert "kitchen merge profit" in refused.stderr
    shop.kitchen("delete", "profit", "--yes", "--keep-branch")
    assert shop.git("branch", "--list", "profit") == "profit"
    shop.git("branch", "-D", "profit")


def test_delete_names_the_ignored_files_that_go(shop: Project) -> None:
    shop.kitchen("create", "profit")
    worktree = _worktree(shop, "profit")
    (worktree / ".gitignore").write_text(".env\nexports/\n__pycache__/\n*.pyc\n")
    Project(worktree, shop.home).commit("what git does not see")
    for file in ("__pycache__/a.pyc", "recipes/b.pyc"):
        (worktree / file).parent.mkdir(parents=True, exist_ok=True)
        (worktree / file).write_text("made again")
    told = shop.kitchen("delete", "profit", "--dry-run", "--force").stderr
    assert "git ignores" not in told, "caches are nobody's work"
    (worktree / ".env").write_text("TOKEN=mine")
    (worktree / "exports").mkdir()
    (worktree / "exports" / "result.csv").write_text("1,2\n")
    told = shop.kitchen("delete", "profit", "--force", expect=2).stderr
    assert "with its worktree go files that git ignores: .env, exports/\n" in told, "said before it asks"
    assert (worktree / ".env").exists()
    assert "git ignores: .env, exports/" in shop.kitchen("delete", "profit", "--force", "--yes").stderr
    assert not worktree.exists()


def test_delete_sees_commits_that_are_on_no_branch(shop: Project) -> None:
    shop.kitchen("create", "profit")
    worktree = _worktree(shop, "profit")
    shop.git("-C", str(worktree), "checkout", "--quiet", "--detach")
    shop.kitchen("delete", "profit", "--dry-run")  # where everything is on a branch nothing is lost
    (worktree / "new.txt").write_text("work")
    shop.git("-C", str(worktree), "add", "--all")
    shop.git("-C", str(worktree), "commit", "--quiet", "-m", "work")
    commit = shop.git("-C", str(worktree), "rev-parse", "HEAD")
    refused = shop.kitchen("delete", "profit", "--yes", expect=5).stderr
    assert f"commit {commit[:12]} of its worktree, which is on no branch" in refused
    assert worktree.exists()


def test_work_that_was_done_while_delete_asked_is_not_lost(shop: Project) -> None:
    shop.kitchen("create", "profit")
    file = _worktree(shop, "profit") / "new.txt"
    keyboard, terminal = os.openpty()
    command = [sys.executable, "-m", "kitchen", "delete", "profit"]
    asking = subprocess.Popen(
        command, cwd=shop.root, env=shop.environ, stdin=terminal, stderr=subprocess.PIPE, text=True
    )  # fmt: skip
    os.close(terminal)
    assert asking.stderr is not None
    said = ""
    while "Delete kitchen profit" not in said and asking.poll() is None:
        said += asking.stderr.read(1)
    file.write_text("work")
    os.write(keyboard, b"y\n")
    said += asking.stderr.read()
    os.close(keyboard)
    assert asking.wait(60) == 5, said
    assert "would lose uncommitted changes (new.txt)" in said
    assert file.read_text() == "work"
    assert "ready" in shop.kitchen("status", "profit").stdout


def test_merged_work_is_not_lost_work(shop: Project) -> None:
    shop.kitchen("create", "profit")
    inside = Project(_worktree(shop, "profit"), shop.home)
    (inside.root / "notes.txt").write_text("mine")
    commit = inside.commit("work")
    before = shop.git("rev-parse", "dev")
    shop.git("branch", "-f", "dev", commit)
    try:
        shop.kitchen("delete", "profit", "--yes")
    finally:
        shop.git("branch", "-f", "dev", before)


def test_what_is_not_deleted(shop: Project) -> None:
    shop.kitchen("create", "parent")
    shop.kitchen("create", "child", "--parent", "parent")
    assert "child" in shop.kitchen("delete", "parent", "--force", "--yes", expect=4).stderr
    assert "standing" in shop.kitchen("delete", "dev", "--force", "--yes", expect=5).stderr
    assert "--yes" in shop.kitchen("delete", "child", expect=2).stderr, "nobody can answer here"
    shop.kitchen("delete", "child", "--yes")
    shop.kitchen("delete", "parent", "--yes")


def test_delete_ends_connections_and_works_without_a_worktree(bench: Bench, shop: Project) -> None:
    shop.kitchen("create", "profit")
    services, kitchen = bench.fresh().find("profit", "dev")
    credentials = services.credentials(kitchen)
    session = connect(credentials, application="tests")
    session.execute("CREATE TABLE held (id int)")
    session.connection.autocommit = False
    session.query("SELECT * FROM held")  # an open transaction that would block dropping the table
    subprocess.run(["rm", "-r", str(_worktree(shop, "profit"))], check=True)
    shop.kitchen("delete", "profit", "--yes")
    with pytest.raises(Exception, match=r"terminat|closed|EOF"):
        session.query("SELECT 1")
    assert "no kitchen 'profit'" in shop.kitchen("delete", "profit", "--yes", expect=3).stderr


def test_a_worktree_that_is_missing_is_made_by_enter(shop: Project) -> None:
    shop.kitchen("create", "profit")
    subprocess.run(["rm", "-r", str(_worktree(shop, "profit"))], check=True)
    told = _json(shop, "status", "profit")
    assert isinstance(told, dict)
    assert told["overview"]["worktree"] is None
    shop.kitchen("enter", "profit", "--", "test", "-f", "environments/dev.yaml")


def test_a_child_reads_its_parent_and_an_isolated_one_does_not(shop: Project) -> None:
    shop.kitchen("create", "parent")
    shop.kitchen("create", "child", "--parent", "parent")
    shop.kitchen("create", "alone", "--parent", "parent", "--isolated")
    shop.kitchen("enter", "parent", "--", "psql", "-X", "-q", "-c", "CREATE TABLE t AS SELECT 5 AS five")
    ask = ("--", "psql", "-X", "-A", "-t", "-c")
    assert shop.kitchen("enter", "child", *ask, "SELECT five FROM t").stdout.strip() == "5"
    shop.kitchen("enter", "child", *ask, "UPDATE t SET five = 6", expect=1)
    shop.kitchen("enter", "alone", *ask, "SELECT five FROM parent.t", expect=1)
    tree = shop.kitchen("tree").stdout.splitlines()
    mine = [line for line in tree if line.strip().startswith(("parent", "child", "alone"))]
    assert [line[: line.index("-0") + 2] for line in mine] == [
        "   parent  +0 -0", "      alone  +0 -0", "      child  +0 -0",
    ]  # fmt: skip
    assert "1 table, 8.0 kB  ann@example.com" in mine[0]


def test_quotas_and_ttl(bench: Bench, shop: Project) -> None:
    settings = shop.root / "environments" / "dev.yaml"
    before = settings.read_text()
    settings.write_text(before.replace("per_person: 500", "per_person: 1"))
    try:
        shop.kitchen("create", "one", "--ttl", "12h")
        assert "allows 1 each" in shop.kitchen("create", "two", expect=5).stderr
        assert "no duration" in shop.kitchen("create", "two", "--ttl", "soon", expect=2).stderr
    finally:
        settings.write_text(before)
    (one,) = [each for each in _json(shop, "list") if each["name"] == "one"]  # type: ignore[union-attr, attr-defined]
    left = datetime.fromisoformat(one["expires_at"]) - datetime.now(UTC)
    assert timedelta(hours=11) < left < timedelta(hours=12)
    assert "one expires" in shop.kitchen("list").stderr
    app = bench.fresh()
    services, kitchen = app.find("one", "dev")
    expired = replace(kitchen, expires_at=datetime.now(UTC) - timedelta(hours=1))
    services.control.kitchens.save(expired, expected=State.READY)
    services.control.session.close()
    assert "one: expired" in shop.kitchen("prune", "--dry-run").stderr
    assert _names(shop) == ["one"]
    shop.kitchen("prune", "--yes")
    assert _names(shop) == []


def test_edit_and_hand(shop: Project) -> None:
    shop.kitchen("create", "profit")
    edited = _json(shop, "edit", "profit", "--ttl", "1h", "--ticket", "ABC-2", "--staff", "bob", "--staff", "eve")
    assert isinstance(edited, dict)
    assert (edited["ticket"], edited["staff"]) == ("ABC-2", ["bob", "eve"])
    handed = _json(shop, "hand", "profit", "bob@example.com")
    assert isinstance(handed, dict)
    assert handed["owner"] == "bob@example.com"
    assert handed["expires_at"] == edited["expires_at"]
    shop.kitchen("edit", "profit", expect=2)
    shop.kitchen("edit", "dev", "--ttl", "1h", expect=5)
    assert "profit" not in shop.kitchen("list", "--mine").stdout
    again = _json(shop, "staff", "add", "bob@example.com", "-k", "profit")
    assert isinstance(again, dict)
    assert "bob@example.com" not in again["staff"], "whose it is needs not be let in"
    given = _json(shop, "hand", "profit", "eve")
    assert isinstance(given, dict)
    assert given["staff"] == ["bob"]


def test_the_audit_tells_who_did_what(shop: Project) -> None:
    shop.kitchen("create", "profit")
    newest = _json(shop, "audit", "list", "--limit", "2")
    assert [(each["phase"], each["action"], each["subject"], each["person"]) for each in newest] == [  # type: ignore[attr-defined, union-attr]
        ("outcome", "create", "profit", "ann@example.com"),
        ("intent", "create", "profit", "ann@example.com"),
    ]
    whole = shop.kitchen("audit", "verify").stderr
    assert "the audit of dev is whole" in whole
    assert "the audit of production is whole" in whole
    assert "nothing to recover" in shop.kitchen("recover").stderr


_STARTS = {  # where a person's own settings stand, which may lead elsewhere
    "bash": (".bashrc", 'export PGHOST=elsewhere PGSERVICE=other; PS1="mine> "\n'),
    "zsh": (".zshrc", 'export PGHOST=elsewhere PGSERVICE=other; PROMPT="mine> "\n'),
    "fish": (".config/fish/config.fish", "set -gx PGHOST elsewhere; set -gx PGSERVICE other\n"),
    "sh": (".shrc", 'export PGHOST=elsewhere PGSERVICE=other; PS1="mine> "\n'),
}


@pytest.mark.parametrize("shell", [name for name in _STARTS if shutil.which(name)])
def test_a_shell_knows_where_it_is(shop: Project, tmp_path: Path, shell: str) -> None:
    file, text = _STARTS[shell]
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    told = {"SHELL": str(shutil.which(shell)), "HOME": str(tmp_path), "ENV": str(tmp_path / ".shrc"), "TERM": "dumb"}
    before = dict(shop.environ)
    shop.environ.update(told)
    try:
        inside = shop.kitchen(
            "enter", "dev", typed='psql -X -A -t -c "SELECT 3 * 3, current_user"\npsql --version\nexit 3\n', expect=3
        )
    finally:
        shop.environ.clear()
        shop.environ.update(before)
    assert "9|kitchen__dev__dev__owner" in inside.stdout
    assert "(PostgreSQL) 18" in inside.stdout, "the clients are the server's own"
    assert "kitchen dev in dev, branch dev" in inside.stderr
    if shell != "fish":  # it shows a prompt to terminals only
        assert "(dev) " in inside.stderr


def test_the_greeting_says_what_the_layers_are(shop: Project) -> None:
    shop.kitchen("create", "profit")
    shop.kitchen("create", "loss", "--parent", "profit")
    shop.environ["SHELL"] = "/usr/sbin/nologin"
    try:
        greeted = shop.kitchen("enter", "loss", typed="exit\n").stderr
    finally:
        del shop.environ["SHELL"]
    assert "your own tables (loss), then what profit has, then what dev has" in greeted
    assert "kitchen hydrate TABLE" in greeted
    assert "(dev/loss) " in greeted


def test_no_password_is_in_any_argument(shop: Project) -> None:
    shop.kitchen("create", "profit")
    url = shop.kitchen("env", "profit", "--format", "url").stdout
    password = url.split(":")[2].split("@")[0]
    script = "import pathlib,sys;print([p.read_bytes() for p in pathlib.Path('/proc').glob('[0-9]*/cmdline')])"
    seen = shop.kitchen("enter", "profit", "--", sys.executable, "-c", script).stdout
    assert "kitchen" in seen
    assert password not in seen


def test_a_shell_completes_real_names(shop: Project) -> None:
    shop.kitchen("create", "profit")
    script = "from kitchen.cli import cli; cli.main(prog_name='kitchen')"

    def complete(words: str) -> list[str]:
        asked = {
            "_KITCHEN_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        }
        answer = subprocess.run(
            [sys.executable, "-c", script], cwd=shop.root, env={**shop.environ, **asked}, capture_output=True,
            text=True, check=False, timeout=30,
        )  # fmt: skip
        return [line.split(",")[1] for line in answer.stdout.splitlines()]

    assert sorted(complete("kitchen enter pro")) == ["production", "profit"]
    assert complete("kitchen status -e d") == ["dev"]
    assert "create" in complete("kitchen cre")
    (shop.root / "recipes" / "best_days").mkdir(parents=True)
    (shop.root / "recipes" / "best_days" / "recipe.yaml").write_text("nodes: {}\n")
    assert complete("kitchen run ") == ["best_days"]
    assert complete("kitchen up p") == ["production"]


RECIPE = """
description: Begin and end
owner: tests
nodes:
  note: {sql: note.sql}
"""


def test_recipes_are_run_when_a_kitchen_is_made_and_before_it_goes(bench: Bench, shop: Project) -> None:
    settings = shop.root / "environments" / "dev.yaml"
    before, head = settings.read_text(), shop.git("rev-parse", "dev")
    folder = shop.root / "recipes" / "seed"
    folder.mkdir(parents=True)
    (folder / "recipe.yaml").write_text(RECIPE)
    (folder / "note.sql").write_text("CREATE TABLE seeded AS SELECT 1 AS id;\n")
    main = shop.git("rev-parse", "main")
    shop.commit("a recipe")
    shop.git("branch", "-f", "dev", "main")
    settings.write_text(before.replace("per_person: 500", "per_person: 500, on_create: [seed]"))
    try:
        shop.kitchen("create", "profit")
        assert (
            shop.kitchen("enter", "profit", "--", "psql", "-X", "-A", "-t", "-c", "TABLE seeded").stdout.strip() == "1"
        )
        settings.write_text(before.replace("per_person: 500", "per_person: 500, on_delete: [missing]"))
        shop.kitchen("delete", "profit", "--yes", expect=3)
        assert _names(shop) == ["profit"], "before it is marked, a recipe that cannot run keeps it"
        settings.write_text(before)
        shop.kitchen("delete", "profit", "--yes")
        (folder / "note.sql").write_text("SELECT 1 / 0 AS wrong;\n")
        shop.commit("a recipe that breaks")
        shop.git("branch", "-f", "dev", "main")
        settings.write_text(before.replace("per_person: 500", "per_person: 500, on_create: [seed]"))
        broken = shop.kitchen("create", "loss", expect=7)
        assert "recipe 'seed'" in broken.stderr
        assert "kitchen recover" in broken.stderr
        (_worktree(shop, "loss") / "recipes" / "seed" / "note.sql").write_text(
            "CREATE TABLE seeded AS SELECT 2 AS id;\n"
        )
        shop.kitchen("recover")
        assert shop.kitchen("enter", "loss", "--", "psql", "-X", "-A", "-t", "-c", "TABLE seeded").stdout.strip() == "2"
        settings.write_text(before)
        shop.kitchen("delete", "loss", "--yes", "--force")
    finally:
        settings.write_text(before)
        shop.git("reset", "-q", "--hard", main)
        shop.git("branch", "-f", "dev", head)


def test_a_copy_of_everything_is_ones_own(shop: Project) -> None:
    shop.kitchen("create", "parent")
    shop.kitchen("enter", "parent", "--", "psql", "-X", "-q", "-c", "CREATE TABLE t AS SELECT 5 AS five")
    try:
        shop.kitchen("create", "copied", "--parent", "parent", "--data", "copy")
        shop.kitchen("enter", "copied", "--", "psql", "-X", "-q", "-c", "UPDATE t SET five = 6")
        shop.kitchen("enter", "parent", "--", "psql", "-X", "-q", "-c", "UPDATE t SET five = 7")
        assert shop.kitchen("enter", "copied", "--", "psql", "-X", "-A", "-t", "-c", "TABLE t").stdout.strip() == "6"
        assert "is no share" in shop.kitchen("create", "some", "--data", "sample:ten", expect=2).stderr
    finally:
        shop.kitchen("delete", "copied", "--yes")
