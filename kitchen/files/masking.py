"""environments/masking.yaml to the masking policy, strictly."""

from __future__ import annotations

import re
from collections.abc import Mapping
from hashlib import sha256
from pathlib import Path

import sqlglot
from sqlglot import exp

from kitchen.domain.masking import Decision, MaskKind, Pattern, Policy, Reference, TablePolicy
from kitchen.errors import NotFound
from kitchen.files.explain import did_you_mean
from kitchen.files.loader import Document, open_document
from kitchen.files.masking_model import DecisionFile, MaskingFile

_ANYWHERE = frozenset({"mask", "why", "proposed", "type"})
_KEYED = frozenset({"subject", "domain"})
_SETTINGS: Mapping[MaskKind, frozenset[str]] = {
    MaskKind.CONST: frozenset({"value"}),
    MaskKind.HASH: _KEYED | {"length"},
    MaskKind.DATE: _KEYED | {"to", "days"},
    MaskKind.NUMBER: _KEYED | {"round", "bucket", "noise"},
    MaskKind.PERMUTE: frozenset({"domain"}),
    MaskKind.JSON: frozenset({"paths"}),
    MaskKind.EACH: frozenset({"of"}),
    MaskKind.SQL: frozenset({"sql"}),
    **{kind: frozenset() for kind in (
        MaskKind.KEEP, MaskKind.BLANK, MaskKind.SHUFFLE, MaskKind.RECOMPUTE, MaskKind.DROP)},
}  # fmt: skip
_NEEDED = {MaskKind.CONST: "value", MaskKind.EACH: "of", MaskKind.SQL: "sql"}
_NAME = re.compile(r"[^.]+(\.[^.]+)?")
_PATTERN = re.compile(r"[^.]+\.[^.]+(\.[^.]+)?")
_ROWS = ("all", "none")


def read_policy(path: Path, *, shown: str | None = None) -> Policy:
    """Return the policy in a file; raises NotFound, or InvalidInput with file and line."""
    name = shown or f"{path.parent.name}/{path.name}"
    try:
        document = open_document(path, shown=name)
    except NotFound as missing:
        raise NotFound(missing.message, hint="kitchen pantry scan --write") from None
    return policy_of(document, digest=sha256(path.read_bytes()).hexdigest())


def policy_of(document: Document, *, digest: str = "") -> Policy:
    """Return the policy in a document; raises InvalidInput with file and line."""
    file = document.to(MaskingFile)
    lines: dict[tuple[str, ...], int] = {}
    tables: dict[str, TablePolicy] = {}
    for table, said in file.tables.items():
        if not _NAME.fullmatch(table):
            raise document.error("a table is named like customer or marts.customer", "tables", table)
        lines[table,] = document.line("tables", table)
        for column in said:
            lines[table, column] = document.line("tables", table, column)
        tables[table] = _table(table, said, document)
    return Policy(
        tables=tables,
        patterns=tuple(
            Pattern(_pattern(text, document), _decision(kept, document, "patterns", text))
            for text, kept in file.patterns.items()
        ),
        references=tuple(_reference(here, there, document) for here, there in file.references.items()),
        name=document.shown,
        lines=lines,
        digest=digest,
    )


def _table(table: str, said: Mapping[str, DecisionFile | str], document: Document) -> TablePolicy:
    columns: dict[str, Decision] = {}
    options: dict[str, str] = {}
    for name, kept in said.items():
        if isinstance(kept, DecisionFile):
            columns[name] = _decision(kept, document, "tables", table, name)
            continue
        if name not in ("rows", "where"):
            raise document.error(
                "a decision is written {mask: …}; text is only for `rows` and `where`", "tables", table, name
            )
        options[name] = kept
    if options.get("rows", "all") not in _ROWS:
        raise document.error("rows is all or none", "tables", table, "rows")
    if "where" in options:
        _one_expression(options["where"], document, "tables", table, "where")
    return TablePolicy(columns, options.get("rows", "all"), options.get("where"))


def _decision(file: DecisionFile, document: Document, *path: str) -> Decision:
    kind = MaskKind(file.mask)
    allowed = _ANYWHERE | _SETTINGS.get(kind, _KEYED)
    given = {name: value for name in file.__struct_fields__ if (value := getattr(file, name)) not in (None, False)}
    for name in given:
        if name not in allowed:
            message = f"{kind.value} has no setting {name!r}{did_you_mean(name, sorted(allowed - _ANYWHERE))}"
            raise document.error(message, *path, name)
    needed = _NEEDED.get(kind)
    if needed is not None and getattr(file, needed) is None:
        raise document.error(f"{kind.value} needs {needed!r}", *path)
    _check_values(file, kind, document, *path)
    return Decision(
        mask=kind, why=file.why, subject=file.subject, proposed=file.proposed, type=file.type, domain=file.domain,
        value=file.value, length=file.length, to=file.to, days=file.days, round=file.round, bucket=file.bucket,
        noise=file.noise, paths=tuple(file.paths or ()), sql=file.sql,
        of=None if file.of is None else _decision(file.of, document, *path, "of"),
    )  # fmt: skip


def _check_values(file: DecisionFile, kind: MaskKind, document: Document, *path: str) -> None:
    if kind is MaskKind.NUMBER and sum(given is not None for given in (file.round, file.bucket, file.noise)) != 1:
        raise document.error("number needs one of round, bucket and noise", *path)
    for name in ("round", "bucket", "noise", "days", "length"):
        value = getattr(file, name)
        if value is not None and value <= 0:
            raise document.error("must be more than 0", *path, name)
    if file.days is not None and (file.to not in (None, "shift") or file.days > 10000):
        raise document.error("days goes with to: shift and is at most 10000", *path, "days")
    if file.sql is not None:
        _one_expression(file.sql, document, *path, "sql")
    for text in file.paths or []:
        if not text or any(not part for part in text.split(".")):
            raise document.error("a path is written like address.city", *path, "paths")
    if kind is MaskKind.EACH and file.of is not None and file.of.mask in ("each", "shuffle", "sql", "permute", "drop"):
        raise document.error(f"the elements of an array cannot be masked with {file.of.mask}", *path, "of")


def _one_expression(text: str, document: Document, *path: str) -> None:
    """Refuse what is more than one expression over the row: sub-queries read other rows, and text could end ours."""
    try:
        statements = sqlglot.parse(f"SELECT ({text})", read="postgres")
    except sqlglot.errors.SqlglotError:
        raise document.error("this is no SQL expression", *path) from None
    whole = statements[0] if len(statements) == 1 else None
    alone = isinstance(whole, exp.Select) and len(whole.expressions) == 1
    if whole is None or not alone or any(whole.find_all(exp.Tuple)) or "--" in text or "/*" in text:
        raise document.error("this must be one SQL expression", *path)
    clauses = [name for name, value in whole.args.items() if value and name not in ("expressions", "kind")]
    if clauses or any(whole.find_all(exp.Subquery, exp.Command)) or sum(1 for _ in whole.find_all(exp.Select)) > 1:
        raise document.error("an expression reads the columns of its own row, and nothing else", *path)


def _pattern(text: str, document: Document) -> str:
    if not _PATTERN.fullmatch(text):
        raise document.error("a pattern is written table.column or schema.table.column, with *", "patterns", text)
    return text


def _reference(here: str, there: str, document: Document) -> Reference:
    parts = [text.rpartition(".") for text in (here, there)]
    if not all(table and column for table, _, column in parts):
        raise document.error("a reference is written orders.customer_no: customers.number", "references", here)
    return Reference(parts[0][0], parts[0][2], parts[1][0], parts[1][2])
