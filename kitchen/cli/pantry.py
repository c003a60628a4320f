"""The pantry: masked production data, versioned."""

from __future__ import annotations

from dataclasses import asdict
from datetime import UTC, datetime
from pathlib import Path
from typing import TYPE_CHECKING

import click

from kitchen.app import App, Services
from kitchen.cli import output
from kitchen.cli.completion import pantry_versions
from kitchen.cli.options import VersionNumber, changing_options, current_app, environment_option, json_option
from kitchen.cli.pantry_policy import (
    governing_policy,
    judging_policy,
    not_agreed,
    pointing_to_decisions,
    policy_of,
    shown,
)
from kitchen.cli.pantry_progress import Progress
from kitchen.domain.words import counted, quoted
from kitchen.errors import InvalidInput, NotFound, Refused

if TYPE_CHECKING:
    from collections.abc import Mapping

    from kitchen.domain.masking import Decision, Policy
    from kitchen.operations.subset import Subset
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
    found = scan(services.source, policy)
    proposals = under_names(found.decisions, policy)
    stuck = {f"{table}.{column}": why for (table, column), why in found.stuck.items()}
    count = sum(len(columns) for columns in proposals.values())
    if as_json:
        documents = {
            table: {column: _document(decision) for column, decision in columns.items()}
            for table, columns in proposals.items()
        }
        output.emit_json({"proposals": documents, "written": write and count > 0, "undecided": stuck})
    if write and (count or stuck):
        path.parent.mkdir(parents=True, exist_ok=True)
        add_proposals(path, proposals, stuck=stuck)
    elif not as_json:
        for table, columns in proposals.items():
            output.emit(f"  {table}:")
            for column, decision in columns.items():
                output.emit(f"    {line_of(column, decision)}")
    for column, why in stuck.items():
        output.warn(f"{column} is left to you: {why}")
    if stuck and not count:
        output.say(f"next: decide them in {shown(path)}, then kitchen pantry check")
    elif count == 0:
        output.done("every column is decided")
    elif write:
        output.done(f"{counted(count, 'proposal')} added to {shown(path)}: review them, then kitchen pantry check")
    else:
        output.say(
            f"{counted(count, 'column')} undecided; to add these lines to {shown(path)}: kitchen pantry scan --write"
        )


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
    sample = _sample_rules(services, policy)
    waiting = not_agreed(app, services, policy)
    if as_json:
        columns = [
            {"table": c.table, "column": c.column, "type": c.type, "decision": summary(c.decision), "by": c.by,
             "why": c.decision.why if c.decision else None, "proposed": bool(c.decision and c.decision.proposed)}
            for c in decided
        ]  # fmt: skip
        output.emit_json(
            {
                "ok": not stopping,
                "findings": findings,
                "columns": columns if list_all else len(columns),
                "sample": sample,
                "not_agreed": waiting,
            }
        )
    elif list_all:
        rows = [
            (f"{c.table}.{c.column}", c.type, summary(c.decision), c.by + (" (proposed)" if c.decision and
             c.decision.proposed else ""), c.decision.why if c.decision else None)
            for c in decided
        ]  # fmt: skip
        output.table(["column", "type", "decision", "decided by", "why"], rows)
    if sample is not None and not as_json:
        output.table(["table", "about", "which rows of it"], [tuple(rule.values()) for rule in sample])
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
    from kitchen.operations.governing import data_of
    from kitchen.operations.pantry_refresh import Refresh, refresh, refresh_steps

    app, services = _place(environment)
    policy = governing_policy(app, services)
    data = data_of(services.environment)
    parent = app.services(data.source)
    if dry_run:
        steps = refresh_steps(services, 0, wish=None, say=output.step)
        says = [step.says.replace("v0", "v<next>") for step in steps]
        for line in [] if as_json else says:
            output.emit(line)
        tables, subset = _would_read(services, policy)
        if as_json:
            sample = subset.document() if subset is not None else None
            output.emit_json({"steps": says, "sample": sample, "tables": tables})
        return
    progress = Progress()
    wish = Refresh(
        services.source, data.source, parent.secrets, policy, data.sample, governed=services.governed,
        report=progress.report,
    )  # fmt: skip
    with pointing_to_decisions(app, services):
        version = refresh(services, wish, say=progress.say)
    manifest = next(found.manifest for found in services.control.pantries.all() if found.version == version)
    if as_json:
        output.emit_json({"version": version, **manifest})
    _tell_rest(manifest)
    output.done(f"pantry v{version} of {services.environment.name} is published ({_in_words(manifest)})")
    proposed = sum(decision.proposed for table in policy.tables.values() for decision in table.columns.values())
    if proposed:
        output.warn(f"{proposed} of its decisions are proposals that nobody has reviewed: kitchen pantry check --list")


def _sample_rules(services: Services, policy: Policy) -> list[dict[str, object]] | None:
    """Return the rule of each table of the environment's sample, or None where it takes all rows."""
    from kitchen.operations.subset import rules

    data = services.environment.data
    if data is None or data.sample is None:
        return None
    with services.source.snapshot() as snapshot:
        found = rules(snapshot, policy, data.sample)
    return [{"table": str(table), "rows": about, "rule": rule} for table, about, rule in found]


def _would_read(services: Services, policy: Policy) -> tuple[list[dict[str, object]] | None, Subset | None]:
    """Copy nothing, and say about how many rows of which tables would come; a sample's are chosen, and why is said."""
    from kitchen.operations.subset import choose

    data = services.environment.data
    with services.source.snapshot() as snapshot:
        catalogue = snapshot.catalogue()
        subset = choose(snapshot, catalogue, policy, data.sample if data is not None else None, say=output.say)
    if subset is not None:
        return None, subset
    tables: list[dict[str, object]] = []
    for table in sorted(catalogue.tables, key=lambda table: -table.rows):
        own = policy.table(table.name)
        rule = "structure only" if own.rows == "none" else f"where {own.where}" if own.where else "all rows"
        rows = 0 if own.rows == "none" else table.rows or (None if table.pages else 0)  # never analysed
        tables.append({"table": str(table.name), "rows": rows, "rule": rule})
        about = f"about {counted(rows, 'row')}" if rows is not None else "an unknown number of rows"
        output.say(f"{table.name}: {about}: {rule}")
    return tables, None


@pantry_command.command(name="verify")
@click.argument("version", required=False, type=VersionNumber(), shell_complete=pantry_versions)
@click.option("--whole", is_flag=True, help="Compare every row of large tables, not one part of them.")
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write FILE.html, .json or .txt.")
@environment_option
@json_option
def verify_command(
    version: int | None, whole: bool, report: Path | None, environment: str | None, as_json: bool
) -> None:
    """Run the leak checks on a published version, by the policy it was made under, against its source as it is now."""
    from kitchen.operations.governing import data_of
    from kitchen.operations.pantry_report import document
    from kitchen.operations.pantry_verify import Subject, verify

    _refuse_other_endings(report)
    app, services = _place(environment)
    found = _version(services, version)
    policy, differing = judging_policy(app, services, found)
    source = services.source_at(str(found.manifest.get("source") or data_of(services.environment).source))
    with source.snapshot() as snapshot:
        store = services.pantry_store
        catalogue, newer = snapshot.catalogue().within(store.catalogue(found.version))
        subject = Subject(store, found.version, policy, catalogue, snapshot, newer=newer, whole=whole)
        checked = verify(subject)
    passed = all(check.passed for check in checked)
    now = datetime.now(UTC).isoformat()
    said = document(
        found.version, services.environment.name, found.manifest, [check.document() for check in checked], now,
        differing=differing,
    )  # fmt: skip
    if as_json:
        output.emit_json(said)
    else:
        rows = [(c.name, c.result, c.measured, f"{c.seconds:.2f} s") for c in checked]
        output.table(["check", "result", "measured", "time"], rows)
        for check in checked:
            for note in check.notes:
                output.say(f"  {check.name}: {note}")
    _write_report(report, said)
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
@click.argument("version", required=False, type=VersionNumber(), shell_complete=pantry_versions)
@click.option("--report", type=click.Path(path_type=Path, dir_okay=False), help="Write FILE.html, .json or .txt.")
@environment_option
@json_option
def show_command(version: int | None, report: Path | None, environment: str | None, as_json: bool) -> None:
    """Show the manifest of a version: source, moment, policy, key id, rows, checks."""
    from kitchen.operations.pantry_report import document

    _refuse_other_endings(report)
    _, services = _place(environment)
    found = _version(services, version)
    manifest = found.manifest
    _write_report(report, document(found.version, services.environment.name, manifest))
    if as_json:
        output.emit_json({"version": found.version, "state": found.state, "created_at": found.created_at, **manifest})
        return
    output.emit(f"pantry v{found.version} of {services.environment.name}, {found.state}")
    snapshot, policy = manifest.get("snapshot"), manifest.get("policy")
    moment = snapshot.get("taken_at") if isinstance(snapshot, dict) else None
    digest = policy.get("sha256") if isinstance(policy, dict) else None
    if isinstance(policy, dict) and policy.get("commit"):
        digest = f"{digest}, commit {policy['commit'][:12]} of branch {policy['branch']}"
    for name, value in (
        ("source", manifest.get("source")), ("moment", moment), ("policy", digest), ("key id", manifest.get("key_id")),
        ("rows", f"{sum(_rows(manifest).values()):,}"),
    ):  # fmt: skip
        output.emit(f"  {name}: {value}")
    output.table(["table", "rows"], sorted(_rows(manifest).items()))
    sample = manifest.get("sample")
    if isinstance(sample, dict):
        told = [(t["table"], f"{t['rows']:,} of {t['of_about']:,}", t["rule"]) for t in sample["tables"]]
        output.table(["sample of", "rows", "which"], told)
    checks = manifest.get("checks")
    if isinstance(checks, list):
        output.table(
            ["check", "result", "measured"],
            [(c["name"], c.get("result") or ("passed" if c["passed"] else "FAILED"), c["measured"]) for c in checks],
        )
    _tell_rest(manifest)


def _tell_rest(manifest: Mapping[str, object]) -> None:
    """Say what a version has not, and what is otherwise in it than in production."""
    for left in _listed(manifest, "left_out"):
        output.warn(f"left out: {left}")
    for note in _listed(manifest, "notes"):
        output.say(f"  note: {note}")


# --- what the commands share ------------------------------------------------------------------------------------------


def _refuse_other_endings(report: Path | None) -> None:
    if report is not None and report.suffix not in (".html", ".json", ".txt"):
        raise InvalidInput(
            f"a report is written as .html, .json or .txt, and not as {report.name!r}", hint="--report report.html"
        )
    if report is not None and not report.absolute().parent.is_dir():
        raise InvalidInput(
            f"there is no folder {report.parent} for the report", hint=f"mkdir -p {quoted(report.parent)}"
        )


def _write_report(path: Path | None, report: dict[str, object]) -> None:
    from kitchen.operations.pantry_report import as_html, as_text

    if path is None:
        return
    if path.suffix == ".json":
        text = output.json_text(report) + "\n"
    else:
        text = as_html(report) if path.suffix == ".html" else as_text(report)
    path.write_text(text, encoding="utf-8")
    output.done(f"report written to {path}")


def _document(decision: Decision) -> dict[str, object]:
    return {name: value for name, value in asdict(decision).items() if value not in (None, False, ())}


def _place(environment: str | None) -> tuple[App, Services]:
    app = current_app()
    return app, app.workbench(environment)


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
