"""The report that a reviewer keeps: what a pantry version is, what every column got, and what was proven of it."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from html import escape

from kitchen.domain.words import counted

GUARANTEES = (
    "Every column that left production was decided in the policy; a column without a decision stops the refresh.",
    "Values were replaced on production's own server, inside the query that read them; none was stored outside.",
    "The checks below that say so passed for this version and this moment of production, as far as each one tells.",
)
LIMITS = (
    "The data is masked and pseudonymised; it is still personal data for whoever holds the key or production.",
    "Equal values of one domain become equal pseudonyms: how often a value occurs can still be seen.",
    "What the policy keeps, shuffles or makes coarse holds production's own or nearby values.",
    "A shape that no check knows, in text that the policy keeps, is not found.",
)


def document(
    version: int,
    environment: str,
    manifest: Mapping[str, object],
    checks: Sequence[Mapping[str, object]] | None = None,
    verified_at: str | None = None,
    *,
    differing: Sequence[str] = (),
) -> dict[str, object]:
    """Return the report of a version: with the checks that its manifest keeps, or those of a later verification.

    ``differing`` is what the policy of that later day decides otherwise than the one that the version was made under.
    """
    kept = manifest.get("checks")
    found = list(checks) if checks is not None else [dict(check) for check in kept] if isinstance(kept, list) else []
    rows = manifest.get("rows")
    return {
        "version": version,
        "environment": environment,
        "passed": bool(found) and all(bool(check.get("passed")) for check in found),
        "verified_at": verified_at or manifest.get("made_at"),
        "source": manifest.get("source"),
        "server": manifest.get("server"),
        "moment": _inner(manifest, "snapshot", "taken_at"),
        "policy": {name: _inner(manifest, "policy", name) for name in ("file", "sha256", "branch", "commit")},
        "decided_otherwise_today": list(differing),
        "key_id": manifest.get("key_id"),
        "kitchen": manifest.get("kitchen"),
        "rows": dict(rows) if isinstance(rows, Mapping) else {},
        "masks": dict(masks) if isinstance(masks := manifest.get("masks"), Mapping) else {},
        "left_out": list(left) if isinstance(left := manifest.get("left_out"), list) else [],
        "notes": list(notes) if isinstance(notes := manifest.get("notes"), list) else [],
        "checks": found,
        "guaranteed": list(GUARANTEES),
        "not_guaranteed": list(LIMITS),
    }


_LISTS = (
    ("Guaranteed", "guaranteed"), ("Not guaranteed", "not_guaranteed"), ("Left out", "left_out"),
    ("Not as in production, though nothing is missing", "notes"),
)  # fmt: skip


def as_text(report: Mapping[str, object]) -> str:
    """Return the report as plain text."""
    lines = [_title(report), ""]
    lines += [f"{name}: {value}" for name, value in _facts(report)]
    for check in _checks(report):
        lines.append("")
        lines.append(f"{_result(check)}  {check['name']}: {check.get('proves') or ''}".rstrip())
        lines.append(f"    measured: {check.get('measured')} ({check.get('seconds')} s)")
        lines += [f"    FAULT: {fault}" for fault in _texts(check, "faults")]
        lines += [f"    note: {note}" for note in _texts(check, "notes")]
    for heading, name in _LISTS:
        if listed := _texts(report, name):
            lines += ["", heading, *(f"  - {text}" for text in listed)]
    lines += ["", "What every column got"]
    lines += [f"  {column}: {mask}" for column, mask in sorted(_pairs(report, "masks"))]
    return "\n".join(lines) + "\n"


def as_html(report: Mapping[str, object]) -> str:
    """Return the report as one page that needs nothing else; every text in it is escaped."""
    facts = "".join(f"<tr><th>{_e(name)}</th><td>{_e(value)}</td></tr>" for name, value in _facts(report))
    checks = "".join(
        f'<tr class="{"ok" if check.get("passed") else "no"}"><td>{_result(check)}</td>'
        f"<td><b>{_e(check['name'])}</b><br>{_e(check.get('proves') or '')}{_items(check, 'faults')}"
        f"{_items(check, 'notes')}</td><td>{_e(check.get('measured'))}</td><td>{_e(check.get('seconds'))} s</td></tr>"
        for check in _checks(report)
    )
    lists = "".join(f"<h2>{heading}</h2>{_items(report, name)}" for heading, name in _LISTS if _texts(report, name))
    masks = "".join(f"<tr><td>{_e(c)}</td><td>{_e(m)}</td></tr>" for c, m in sorted(_pairs(report, "masks")))
    return (
        '<!doctype html>\n<html lang="en"><head><meta charset="utf-8">'
        "<meta http-equiv=\"Content-Security-Policy\" content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{_e(_title(report))}</title><style>{_STYLE}</style></head><body><h1>{_e(_title(report))}</h1>"
        f"<table>{facts}</table><h2>Checks</h2><table><tr><th>result</th><th>check</th><th>measured</th><th>time</th>"
        f"</tr>{checks}</table>{lists}<h2>What every column got</h2><table><tr><th>column</th><th>mask</th></tr>{masks}"
        "</table></body></html>\n"
    )


_STYLE = (
    "body{font:15px/1.5 system-ui,sans-serif;max-width:70em;margin:2em auto;padding:0 1em;color:#1b1b1b}"
    "table{border-collapse:collapse;width:100%}th,td{border:1px solid #ccc;padding:.35em .6em;text-align:left;"
    "vertical-align:top}.ok td:first-child{color:#116329}.no td:first-child{color:#a40e26;font-weight:bold}"
)


def _title(report: Mapping[str, object]) -> str:
    result = "passed" if report.get("passed") else "DID NOT PASS"
    return f"Pantry v{report['version']} of {report['environment']}: {result}"


def _facts(report: Mapping[str, object]) -> list[tuple[str, object]]:
    rows = [count for _, count in _pairs(report, "rows")]
    commit, today = _inner(report, "policy", "commit"), _texts(report, "decided_otherwise_today")
    return [
        ("verified at", report.get("verified_at")),
        ("source", f"{report.get('source')} (PostgreSQL {report.get('server')})"),
        ("moment of the source", report.get("moment")),
        (
            "policy",
            f"{_inner(report, 'policy', 'file')}, SHA-256 {_inner(report, 'policy', 'sha256')}"
            + (f", commit {commit} of branch {_inner(report, 'policy', 'branch')}" if commit else ""),
        ),
        *([("decided otherwise today", ", ".join(today))] if today else []),
        ("key id", report.get("key_id")),
        ("rows", f"{sum(int(str(count)) for count in rows):,} in {counted(len(rows), 'table')}"),
        ("made by", f"kitchen {report.get('kitchen')}"),
    ]


def _checks(report: Mapping[str, object]) -> list[Mapping[str, object]]:
    found = report.get("checks")
    return [check for check in found if isinstance(check, Mapping)] if isinstance(found, list) else []


def _result(check: Mapping[str, object]) -> str:
    return str(check.get("result") or ("passed" if check.get("passed") else "FAILED"))


def _texts(place: Mapping[str, object], name: str) -> list[str]:
    found = place.get(name)
    return [str(text) for text in found] if isinstance(found, list) else []


def _items(place: Mapping[str, object], name: str) -> str:
    listed = "".join(f"<li>{_e(text)}</li>" for text in _texts(place, name))
    return f"<ul>{listed}</ul>" if listed else ""


def _pairs(report: Mapping[str, object], name: str) -> list[tuple[str, object]]:
    found = report.get(name)
    return [(str(key), value) for key, value in found.items()] if isinstance(found, Mapping) else []


def _inner(place: Mapping[str, object], *path: str) -> object:
    found: object = place
    for name in path:
        found = found.get(name) if isinstance(found, Mapping) else None
    return found


def _e(value: object) -> str:
    return escape(str(value))
