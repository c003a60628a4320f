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
_REFERENCE = re.compile(r"([^.()]+(?:\.[^.()]+)?)\.(?:([^.(),]+)|\( *([^.()]+?) *\))")
_ROWS = ("all", "none")
_SHORTEST_CANARY = 6  # shorter ones turn up by chance
_PLAIN = re.compile(r"[A-Za-z_][A-Za-z0-9_]*")  # a name in U&"..." would say something else to the server
_REACHING = re.compile(
    r"(query|table|schema|cursor|database)_to_xml.*|current_setting|set_config|current_query|dblink.*|lo_.*|lo(read|write)"
    r"|pg_(?!typeof|column_size|size_).*|(next|set|curr|last)val|inet_(client|server)_.*|txid_.*|ts_(stat|rewrite)"
)


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
            Pattern(_pattern(text, kept, document), _decision(kept, document, "patterns", text))
            for text, kept in file.patterns.items()
        ),
        references=tuple(_reference(here, there, document) for here, there in file.references.items()),
        canaries=_canaries(file, document),
        accepted=_accepted(file, document),
        name=document.shown,
        lines=lines,
        digest=digest,
    )


def _table(table: str, said: Mapping[str, DecisionFile | str | list[str]], document: Document) -> TablePolicy:
    columns: dict[str, Decision] = {}
    options: dict[str, str] = {}
    groups: tuple[str, ...] = ()
    for name, kept in said.items():
        if isinstance(kept, DecisionFile):
            columns[name] = _decision(kept, document, "tables", table, name)
        elif isinstance(kept, list) and name == "quasi_identifiers":
            groups = tuple(kept)
            if not groups or len(set(groups)) < len(groups):
                raise document.error("name one column or several, each once", "tables", table, name)
        elif isinstance(kept, str) and name in ("rows", "where"):
            options[name] = kept
        else:
            raise document.error(
                "a decision is written {mask: …}; text is only for `rows` and `where`, a list for `quasi_identifiers`",
                "tables", table, name,
            )  # fmt: skip
    if options.get("rows", "all") not in _ROWS:
        raise document.error("rows is all or none", "tables", table, "rows")
    if "where" in options:
        one_expression(options["where"], document, "tables", table, "where")
    return TablePolicy(columns, options.get("rows", "all"), options.get("where"), groups)


def _canaries(file: MaskingFile, document: Document) -> tuple[str, ...]:
    for canary in file.canaries:
        if len(canary.strip()) < _SHORTEST_CANARY:
            raise document.error(f"a canary has {_SHORTEST_CANARY} characters or more", "canaries")
    return tuple(canary.strip() for canary in file.canaries)


def _accepted(file: MaskingFile, document: Document) -> Mapping[str, str]:
    for text, why in file.accepted.items():
        if not text.strip() or not why.strip():
            raise document.error("an accepted text has a reason: `unknown: stands for no town`", "accepted", text)
    return dict(file.accepted)


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
        one_expression(file.sql, document, *path, "sql")
    for text in file.paths or []:
        if not text or any(not part for part in text.split(".")):
            raise document.error("a path is written like address.city", *path, "paths")
    if kind is MaskKind.EACH and file.of is not None and file.of.mask in ("each", "shuffle", "sql", "permute", "drop"):
        raise document.error(f"the elements of an array cannot be masked with {file.of.mask}", *path, "of")


# what the parser raises for texts that it does not know: not only its own errors
_UNREAD = (sqlglot.errors.SqlglotError, RecursionError, ValueError, AttributeError, TypeError, LookupError)


def one_expression(text: str, document: Document, *path: str) -> None:
    """Refuse what is more than one expression over the row: sub-queries read other rows, and text could end ours."""
    try:
        statements = sqlglot.parse(f"SELECT ({text})", read="postgres")
    except _UNREAD:
        raise document.error("this is no SQL expression", *path) from None
    whole = statements[0] if len(statements) == 1 else None
    alone = isinstance(whole, exp.Select) and len(whole.expressions) == 1
    if whole is None or not alone or any(whole.find_all(exp.Tuple)) or "--" in text or "/*" in text:
        raise document.error("this must be one SQL expression", *path)
    clauses = [name for name, value in whole.args.items() if value and name not in ("expressions", "kind")]
    if clauses or any(whole.find_all(exp.Subquery, exp.Command)) or sum(1 for _ in whole.find_all(exp.Select)) > 1:
        raise document.error("an expression reads the columns of its own row, and nothing else", *path)
    for function in whole.find_all(exp.Anonymous):
        if not _PLAIN.fullmatch(function.name) or _REACHING.fullmatch(function.name.lower()):
            message = f"{function.name}() reaches beyond the row: settings (the masking key), queries, files, servers"
            raise document.error(message, *path)


def _pattern(text: str, kept: DecisionFile, document: Document) -> str:
    if MaskKind(kept.mask) is MaskKind.DROP:
        raise document.error("a column is dropped on a line of its own, not by a pattern", "patterns", text)
    if not _PATTERN.fullmatch(text):
        raise document.error("a pattern is written table.column or schema.table.column, with *", "patterns", text)
    return text


def _reference(here: str, there: str, document: Document) -> Reference:
    ends = [_REFERENCE.fullmatch(text) for text in (here, there)]
    parts = [(end[1], tuple(re.split(r" *, *", end[2] or end[3]))) for end in ends if end is not None]
    if len(parts) < len(ends) or len(parts[0][1]) != len(parts[1][1]) or not all(parts[0][1] + parts[1][1]):
        raise document.error(
            'a reference is written orders.customer_no: customers.number, or for two columns'
            ' "orders.(region, no)": "customers.(region, no)"', "references", here,
        )  # fmt: skip
    return Reference(parts[0][0], parts[0][1], parts[1][0], parts[1][1])
