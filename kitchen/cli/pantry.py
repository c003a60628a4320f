"""The pantry: masked production data, versioned."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kitchen.app import App, Services
from kitchen.cli import output
from kitchen.cli.options import changing_options, current_app, environment_option, json_option
from kitchen.errors import InvalidInput, NotFound, Refused

if TYPE_CHECKING:
    from kitchen.domain.masking import Decision, Policy
    from kitchen.ports import PantryVersion


@click.group(name="pantry")
def pantry_command() -> None:
    """Masked production data: scan, check, refresh, verify, list, show."""


# --- the policy -------------------------------------------------------------------------------------------------------


@pantry_command.command(name="scan")
@click.option("--write", is_flag=True, help="Add the proposals to the policy file.")
@environment_option
@json_option
def scan_command(write: bool, environment: str | None, as_json: bool) -> None:
    """Propose a decision for every undecided column. What is not recognised is masked, never kept."""
    from kitchen.files.masking_write import add_proposals, line_of
    from kitchen.operations.pantry_scan import scan, under_names

    app, services = _place(environment)
    path, policy = policy_of(app, services, may_be_absent=True)
    proposals = under_names(scan(services.source, policy), policy)
    count = sum(len(columns) for columns in proposals.values())
    if as_json:
        documents = {
            table: {column: _document(decision) for column, decision in columns.items()}
            for table, columns in proposals.items()
        }
        output.emit_json({"proposals": documents, "written": write and count > 0})
    if write and count:
        path.parent.mkdir(parents=True, exist_ok=True)
        add_proposals(path, proposals)
    elif not as_json:
        for table, columns in proposals.items():
            output.emit(f"  {table}:")
            for column, decision in columns.items():
                output.emit(f"    {line_of(column, decision)}")
    if count == 0:
        output.done("every column is decided")
    elif write:
        output.done(f"{count} proposals added to {_shown(path)}: review them, then kitchen pantry check")
    else:
        output.say(f"{count} columns are undecided; to add these lines to {_shown(path)}: kitchen pantry scan --write")


@pantry_command.command(name="check")
@click.option("--list", "list_all", is_flag=True, help="What every column gets, and what decides it.")
@environment_option
@json_option
def check_command(list_all: bool, environment: str | None, as_json: bool) -> None:
    """Compare the policy with the live columns; anything undecided, changed or unfit is refused (exit code 5)."""
    from kitchen.operations.pantry_check import check_policy, refuse, summary

    app, services = _place(environment)
    _, policy = policy_of(app, services)
    newest = services.control.pantries.newest()
    embedded = services.environment.is_embedded
    findings, decided = check_policy(services.source, policy, newest=newest, allow_proposed=embedded)
    stopping = tuple(finding for finding in findings if finding.stops)
    if as_json:
        columns = [
            {"table": c.table, "column": c.column, "type": c.type, "decision": summary(c.decision), "by": c.by,
             "why": c.decision.why if c.decision else None, "proposed": bool(c.decision and c.decision.proposed)}
            for c in decided
        ]  # fmt: skip
        output.emit_json({"ok": not stopping, "findings": findings, "columns": columns if list_all else len(columns)})
    elif list_all:
        rows = [
            (f"{c.table}.{c.column}", c.type, summary(c.decision), c.by + (" (proposed)" if c.decision and
             c.decision.proposed else ""), c.decision.why if c.decision else None)
            for c in decided
        ]  # fmt: skip
        output.table(["column", "type", "decision", "decided by", "why"], rows)
    for finding in findings:
        if not finding.stops:
            output.warn(str(finding))
    if stopping:
        raise refuse(stopping)
    proposed = sum(bool(c.decision and c.decision.proposed) for c in decided)
    if proposed:
        output.warn(f"{proposed} decisions are proposals that nobody has reviewed")
    output.done(f"every one of {len(decided)} columns is decided, and every mask fits")


# --- versions ---------------------------------------------------------------------------------------------------------


@pantry_command.command(name="refresh")
@environment_option
@changing_options
@json_option
def refresh_command(environment: str | None, dry_run: bool, yes: bool, as_json: bool) -> None:
    """Mask the source into a new version, check it for leaks, and publish it."""
    from kitchen.operations.pantry_refresh import Refresh, refresh, refresh_steps

    app, services = _place(environment)
    _, policy = policy_of(app, services)
    data = services.environment.data
    assert data is not None  # noqa: S101 - policy_of has asked
    parent = app.services(data.source)
    if dry_run:
        for step in refresh_steps(services, 0, wish=None, say=output.step):
            output.emit(step.says.replace("v0", "v<next>"))
        return
    progress = _Progress()
    wish = Refresh(
        services.source, data.source, parent.secrets, policy, report=progress.report
    )  # fmt: skip
    version = refresh(services, wish, say=progress.say)
    manifest = next(found.manifest for found in services.control.pantries.all() if found.version == version)
    if as_json:
        output.emit_json({"version": version, **manifest})
    for left in _listed(manifest, "left_out"):
        output.warn(f"left out: {left}")
    output.done(f"pantry v{version} of {services.environment.name} is published ({_in_words(manifest)})")
    proposed = sum(decision.proposed for table in policy.tables.values() for decision in table.columns.values())
    if proposed:
        output.warn(f"{proposed} of its decisions are proposals that nobody has reviewed: kitchen pantry check --list")


@pantry_command.command(name="verify")
@click.argument("version", required=False, type=int)
@environment_option
@json_option
def verify_command(version: int | None, environment: str | None, as_json: bool) -> None:
    """Run the leak checks on a published version, against the source as it is now."""
    from kitchen.operations.pantry_verify import Subject, verify

    app, services = _place(environment)
    _, policy = policy_of(app, services)
    found = _version(services, version)
    with services.source.snapshot() as snapshot:
        subject = Subject(services.pantry_store, found.version, policy, snapshot.catalogue(), snapshot)
        checked = verify(subject)
    passed = all(check.passed for check in checked)
    if as_json:
        output.emit_json({"version": found.version, "passed": passed, "checks": [c.document() for c in checked]})
    else:
        rows = [(c.name, "passed" if c.passed else "FAILED", c.measured, f"{c.seconds:.2f} s") for c in checked]
        output.table(["check", "result", "measured", "time"], rows)
    if not passed:
        faults = "\n".join(f"  {check.name}: {fault}" for check in checked for fault in check.faults)
        raise Refused(f"pantry v{found.version} does not pass:\n{faults}", hint="kitchen pantry refresh")


@pantry_command.command(name="list")
@environment_option
@json_option
def list_command(environment: str | None, as_json: bool) -> None:
    """List the versions of an environment's pantry."""
    _, services = _place(environment)
    versions = [version for version in services.control.pantries.all() if version.state != "dropped"]
    users: dict[int, list[str]] = {}
    for kitchen in services.control.kitchens.all():
        if kitchen.pantry is not None:
            users.setdefault(kitchen.pantry, []).append(kitchen.name)
    if as_json:
        output.emit_json([
            {"version": v.version, "state": v.state, "created_at": v.created_at, "source": v.manifest.get("source"),
             "rows": sum(_rows(v.manifest).values()), "kitchens": users.get(v.version, [])}
            for v in versions
        ])  # fmt: skip
        return
    now = datetime.now(UTC)
    output.table(
        ["version", "state", "age", "source", "rows", "kitchens"],
        [
            (f"v{v.version}", v.state, output.ago(v.created_at, now), v.manifest.get("source"),
             f"{sum(_rows(v.manifest).values()):,}", ", ".join(users.get(v.version, [])))
            for v in versions
        ],
    )  # fmt: skip


@pantry_command.command(name="show")
@click.argument("version", required=False, type=int)
@environment_option
@json_option
def show_command(version: int | None, environment: str | None, as_json: bool) -> None:
    """Show the manifest of a version: source, moment, policy, key id, rows, checks."""
    _, services = _place(environment)
    found = _version(services, version)
    manifest = found.manifest
    if as_json:
        output.emit_json({"version": found.version, "state": found.state, "created_at": found.created_at, **manifest})
        return
    output.emit(f"pantry v{found.version} of {services.environment.name}, {found.state}")
    snapshot, policy = manifest.get("snapshot"), manifest.get("policy")
    moment = snapshot.get("taken_at") if isinstance(snapshot, dict) else None
    digest = policy.get("sha256") if isinstance(policy, dict) else None
    for name, value in (
        ("source", manifest.get("source")), ("moment", moment), ("policy", digest), ("key id", manifest.get("key_id")),
        ("rows", f"{sum(_rows(manifest).values()):,}"),
    ):  # fmt: skip
        output.emit(f"  {name}: {value}")
    output.table(["table", "rows"], sorted(_rows(manifest).items()))
    checks = manifest.get("checks")
    if isinstance(checks, list):
        output.table(
            ["check", "result", "measured"],
            [(c["name"], "passed" if c["passed"] else "FAILED", c["measured"]) for c in checks],
        )
    for left in _listed(manifest, "left_out"):
        output.warn(f"left out: {left}")


# --- what the commands share ------------------------------------------------------------------------------------------


class _Progress:
    """Tells rows, rate and time left: in place on a terminal, in plain lines now and then elsewhere."""

    def __init__(self) -> None:
        from time import monotonic

        self._now: Callable[[], float] = monotonic
        self._started: float | None = None
        self._told = 0.0
        self._open = False

    def say(self, text: str) -> None:
        """End the line in progress, and say what comes next."""
        if self._open:
            click.echo(err=True)
            self._open = False
        output.step(text)

    def report(self, done: int, size: int, expected: int) -> None:
        """Tell how far the copy is."""
        import sys

        now = self._now()
        self._started = self._started if self._started is not None else now
        terminal = sys.stderr.isatty()
        if now - self._told < (0.4 if terminal else 10.0) or now - self._started < 0.4 or not done:
            return
        self._told = now
        rate = done / max(now - self._started, 0.001)
        left = f", about {max(expected - done, 0) / rate:.0f} s left" if expected > done else ""
        line = f"  {done:,} rows, {rate:,.0f}/s{left}"
        if terminal:
            click.echo(f"\r{line:<78}", err=True, nl=False)
            self._open = True
        else:
            click.echo(line, err=True)


def _document(decision: Decision) -> dict[str, object]:
    return {name: value for name, value in asdict(decision).items() if value not in (None, False, ())}


def _place(environment: str | None) -> tuple[App, Services]:
    app = current_app()
    return app, app.workbench(environment)


def policy_of(app: App, services: Services, *, may_be_absent: bool = False) -> tuple[Path, Policy]:
    """Return the masking policy of an environment and its file; raises InvalidInput or NotFound."""
    from kitchen.domain.masking import Policy
    from kitchen.files.masking import read_policy

    data = services.environment.data
    if data is None:
        raise InvalidInput(
            f"environment {services.environment.name!r} receives no data",
            hint="set data: {from: production, masking: masking.yaml} in its file below environments/",
        )
    folder = (app.root / "environments").resolve()
    path = (folder / data.masking).resolve()
    if not path.is_relative_to(folder):
        raise InvalidInput(f"the masking policy {data.masking!r} is not below environments/")
    if may_be_absent and not path.exists():
        return path, Policy(name=_shown(path))
    return path, read_policy(path)


def _shown(path: Path) -> str:
    return f"{path.parent.name}/{path.name}"


def _version(services: Services, number: int | None) -> PantryVersion:
    name = services.environment.name
    found = [v for v in services.control.pantries.all() if v.state == "ready" and number in (None, v.version)]
    if not found:
        what = "no pantry yet" if number is None else f"no pantry v{number}"
        raise NotFound(f"{name} has {what}", hint="kitchen pantry list" if number else "kitchen pantry refresh")
    return found[0]


def _rows(manifest: object) -> dict[str, int]:
    rows = manifest.get("rows") if isinstance(manifest, dict) else None
    return {str(table): int(count) for table, count in rows.items()} if isinstance(rows, dict) else {}


def _listed(manifest: object, name: str) -> list[str]:
    found = manifest.get(name) if isinstance(manifest, dict) else None
    return [str(item) for item in found] if isinstance(found, list) else []


def _in_words(manifest: object) -> str:
    rows = sum(_rows(manifest).values())
    seconds = manifest.get("seconds", {}) if isinstance(manifest, dict) else {}
    copy = float(seconds.get("copy", 0)) or 0.001
    checks = manifest.get("checks", []) if isinstance(manifest, dict) else []
    return f"{rows:,} rows, {rows / copy:,.0f}/s, {len(checks)} leak checks passed, {seconds.get('all')} s in all"
