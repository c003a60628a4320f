"""``--dry-run`` is there wherever something changes, changes nothing, and prints the very list that then runs."""

from __future__ import annotations

import json
import re
import signal
from collections.abc import Iterator

import click
import pytest

from kitchen.cli import cli
from tests import report
from tests.bench import Bench, opened
from tests.faults.test_crashes import _create, _process
from tests.report import TOTALS, commit, create, psql

READING = {
    "diff", "doctor", "env", "list", "show", "status", "tree", "whoami", "audit list", "audit verify",
    "environment people", "environment show", "files get", "files ls", "pantry check",
    "pantry list", "pantry show", "pantry verify", "recipe check", "recipe find", "recipe graph", "recipe list",
    "recipe show", "release list", "release show", "runs list", "runs logs", "runs show", "schedule list", "secret get",
    "secret list", "staff list",
}  # fmt: skip
EXCUSED = {
    "demo": "makes a folder of its own, with a project to try things on",
    "enter": "a shell; what changes is what is typed in it",
    "login": "keeps one's own login on one's own machine",
    "pantry scan": "prints what it would write, unless --write",
    "release plan": "is what promote --dry-run shows, recorded",
    "schedule serve": "runs what is due until it is stopped; schedule list shows what that is",
    "secret rotate": "is not there yet",
    "test": "evaluates tests on what is there; runs no node",
}


def _commands(command: click.Command, path: tuple[str, ...], context: click.Context) -> Iterator[tuple[str, set[str]]]:
    if not isinstance(command, click.Group):
        yield " ".join(path), {option for parameter in command.params for option in parameter.opts}
        return
    for name in command.list_commands(context):
        inner = command.get_command(context, name)
        assert inner is not None
        yield from _commands(inner, (*path, name), context)


def test_whatever_changes_has_a_dry_run() -> None:
    known = dict(_commands(cli, (), click.Context(cli)))
    without = {name for name, options in known.items() if "--dry-run" not in options}
    assert without <= READING | set(EXCUSED), "a new command: give it --dry-run, or say here that it only reads"
    assert not READING & (known.keys() - without), "what only reads has nothing to try"


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    """Return a project with ``dev`` up, where the report has run."""
    with opened("dev") as made:
        report.ground(made, "dev")
        yield made


def _same(line: str) -> str:
    """Return a step without what is chosen anew each time: commits, numbers, names of throwaway kitchens."""
    line = re.sub(r"\b[0-9a-f]{12}\b|\b[0-9a-f]{40}\b", "COMMIT", re.sub(r"c_[0-9a-f]{12}", "CANDIDATE", line))
    line = re.sub(r"pantry v(\d+|<next>)", "PANTRY", re.sub(r"release-(\w+)-(\d+|NUMBER)", r"TAG \1", line))
    return re.sub(r"a new release|release \d+", "RELEASE", line)


def _planned(bench: Bench, *words: str) -> list[str]:
    before = bench.traces()
    said = bench.project.kitchen(*words, "--dry-run").stdout.splitlines()
    assert bench.traces() == before, "nothing is changed"
    assert not any("release 0" in line for line in said)
    planned = [_same(line) for line in said]
    if words[0] != "delete":
        document = json.loads(bench.project.kitchen(*words, "--dry-run", "--json").stdout)
        assert [_same(line) for line in document["steps"]] == planned
    return planned


def _is_what_runs(bench: Bench, *words: str) -> None:
    """Check that the steps that are said while it runs, but for the nodes', are those of the dry run."""
    planned = _planned(bench, *words)
    said = bench.project.kitchen(*words).stderr.splitlines()
    done = [_same(line.removeprefix("· ")) for line in said if line.startswith("· ")]
    remarks = re.compile(r"\w+ \(sql\)|hydrated | |copied |checking for leaks")  # what steps say themselves
    assert [line for line in done if remarks.match(line) is None] == planned


def test_the_list_is_the_one_that_runs(bench: Bench) -> None:
    project = bench.project
    _is_what_runs(bench, "create", "work")
    _is_what_runs(bench, "hydrate", "orders", "-k", "work")
    again = bench.project.kitchen("hydrate", "orders", "-k", "work").stderr
    assert "copying" not in again, "it says only what is done"
    assert "DISCARD" not in again
    assert "is the kitchen's already" in again
    assert _planned(bench, "hydrate", "orders", "-k", "work") == []
    worktree = project.root / ".kitchen" / "worktrees" / "work"
    recipe = worktree / "recipes" / "report" / "totals.sql"
    recipe.write_text(TOTALS.replace("sum(amount)", "sum(amount) * 2"))
    commit(bench, worktree)
    _is_what_runs(bench, "merge", "work", "--yes")
    back = ("release", "rollback", "-e", "dev", "--yes")
    _is_what_runs(bench, *back)
    _is_what_runs(bench, "update", "work")
    _is_what_runs(bench, "delete", "work", "--yes")


@pytest.mark.parametrize(("edge", "would"), [(6, "undo"), (22, "finish")])
def test_recover_says_what_it_would_do_and_does_it(bench: Bench, edge: int, would: str) -> None:
    _process(bench, _create, "left", edge=edge, number=signal.SIGKILL)
    (told,) = json.loads(bench.project.kitchen("recover", "--dry-run", "--json").stdout)
    assert (told["would"], told["kind"], told["subject"]) == (would, "create", "left")
    shown = bench.project.kitchen("recover", "--dry-run")
    assert "nothing to recover" not in shown.stderr
    assert told["steps"]
    assert all(f"  {says}" in shown.stdout for says in told["steps"])
    one = bench.project.kitchen("recover", str(told["operation"])[:8], "--dry-run")
    assert one.stdout.splitlines()[1:] == shown.stdout.splitlines()[1:]
    listed = bench.project.kitchen("list").stderr
    assert f"kitchen recover {str(told['operation'])[:8]}" in listed, "list shows it"
    (ended,) = json.loads(bench.project.kitchen("recover", "--json").stdout)
    assert ended["state"] == ("done" if would == "finish" else "undone")
    if would == "finish":
        bench.project.kitchen("delete", "left", "--yes")
    assert json.loads(bench.project.kitchen("recover", "--dry-run", "--json").stdout) == []


def test_records_are_tried_too(bench: Bench) -> None:
    create(bench, "mine")
    before = _record(bench)
    said = bench.project.kitchen("edit", "mine", "--ticket", "ABC-1", "--dry-run").stderr
    assert "ABC-1" in said
    assert "would be" in bench.project.kitchen("hand", "mine", "ben@example.com", "--dry-run").stderr
    assert "ben" in bench.project.kitchen("staff", "add", "ben@example.com", "-k", "mine", "--dry-run").stdout
    assert _record(bench) == before
    assert psql(bench, "mine", "SELECT 1") == "1"
    bench.project.kitchen("delete", "mine", "--yes")


TRIED = [
    "create new", "create new --data copy", "delete there --force", "hydrate orders -k there", "update there",
    "resolve there", "merge there", "edit there --ticket A-1", "hand there ben", "staff add ben -k there",
    "staff remove ben -k there", "prune", "run report -k there", "recover", "secret set a b=- -e dev",
    "secret delete kept -e dev", "files put notes.txt f.txt -k there", "files rm kept.txt -k there",
    "ci publish -e dev", "environment admit ann -e dev", "up dev", "down dev", "init ../new", "init .",
]  # fmt: skip


def test_a_dry_run_leaves_no_trace_at_all(bench: Bench) -> None:
    """Every record, every relation, role and right, every ref and every file is as before, to the byte."""
    project = bench.project
    (project.root / "notes.txt").write_text("notes\n")
    worktree = create(bench, "there")
    (worktree / "recipes" / "report" / "totals.sql").write_text(TOTALS.replace("sum(amount)", "sum(amount) * 3"))
    commit(bench, worktree)
    project.kitchen("secret", "set", "kept", "b=-", "-e", "dev", typed="hush\n")
    project.kitchen("files", "put", "notes.txt", "kept.txt", "-k", "there")
    before = _everything(bench)
    for words in TRIED:
        answer = project.kitchen(*words.split(), "--dry-run")
        assert _everything(bench) == before, words
        assert "Traceback" not in answer.stderr
    changing = {name for name, options in _commands(cli, (), click.Context(cli)) if "--dry-run" in options}
    untried = {name for name in changing if not any(words.startswith(name) for words in TRIED)}
    assert not (project.root.parent / "new").exists()
    above = {"release apply", "release approve", "release rollback"}  # nothing stands that could be released
    assert untried == above | {
        "promote",
        "pantry refresh",
        "environment align",
        "environment install",
        "environment revoke",
    }
    project.kitchen("delete", "there", "--yes", "--force")


def _everything(bench: Bench) -> dict[str, object]:
    services = bench.fresh().services("dev")
    found: dict[str, object] = {}
    with services.sessions.as_administrator() as session:
        tables = "SELECT relname FROM pg_class WHERE relkind = 'r' AND relnamespace = 'kitchen_control'::regnamespace"
        for (table,) in session.query(tables):
            found[table] = session.query(f"SELECT t::text FROM kitchen_control.{table} AS t ORDER BY 1")
        found["rights"] = session.query(
            "SELECT oid::regclass::text, relowner, relacl::text FROM pg_class "
            "WHERE relnamespace::regnamespace::text !~ '^pg_(toast|temp)' ORDER BY 1, 2"
        )
    found["refs"] = bench.project.git("for-each-ref")
    skipped = ("/objects/", "/postgres/", "/log/")
    for path in [*bench.project.root.rglob("*"), *services.state_dir.rglob("*")]:
        if path.is_file() and not any(part in str(path) for part in skipped):
            found[str(path)] = path.read_bytes()
    return {**found, "traces": bench.traces()}


def _record(bench: Bench) -> object:
    _, kitchen = bench.fresh().find("mine", "dev")
    return kitchen
