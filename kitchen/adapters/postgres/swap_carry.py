"""What the new relation takes over from the one it replaces, and the comparison before the commit."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from dataclasses import dataclass

from kitchen.adapters.postgres.structure_text import literal, qualified, quote
from kitchen.adapters.postgres.swap_read import Found, Key, Properties
from kitchen.domain.layout import TableName

Grant = tuple[str, str, str]  # column or '', grantee or '' for PUBLIC, privilege


@dataclass(frozen=True, slots=True)
class Heir:
    """A relation that arrives, what it is now, and what it must be to stand where the target's one stood."""

    relation: Found
    final: TableName
    own: Properties
    replaced: Properties | None  # None: the name is new in the target
    owner: str
    defaults: Mapping[Grant, str]  # the target's default privileges
    strangers: frozenset[str]
    owned: bool = False  # a sequence of a table's column: its owner is the table's

    @property
    def columns(self) -> frozenset[str]:
        """Return the columns that it has."""
        return frozenset(key[0] for what, key in self.own if what == "column")

    def grants(self) -> dict[Grant, str]:
        """Return the grants that it ends with: the replaced one's, and what its own node granted."""
        kept = {key: grantable for key, grantable in _grants(self.own).items() if key[1] not in self.strangers}
        before = self.defaults if self.replaced is None else _grants(self.replaced)
        there = {key: grantable for key, grantable in before.items() if not key[0] or key[0] in self.columns}
        return {key: grantable for key, grantable in {**kept, **there}.items() if key[1] != self.owner}


def beforehand(heir: Heir) -> Iterator[str]:
    """Yield what is done to the new relation while nobody sees it yet."""
    relation, here = heir.relation, qualified(heir.relation.name)
    alter = f"ALTER {relation.noun} {here}"
    if relation.owner != heir.owner and not heir.owned:
        yield f"GRANT CREATE ON SCHEMA {quote(relation.name.schema)} TO {quote(heir.owner)}"
        yield f"{alter} OWNER TO {quote(heir.owner)}"
    yield from grant_statements(heir, here)
    for (what, key), value in (heir.replaced or {}).items():
        if (what, key) in heir.own:
            continue
        match what:
            case "comment" if not key[0]:
                yield f"COMMENT ON {relation.noun} {here} IS {literal(value)}"
            case "comment" if key[0] in heir.columns:
                yield f"COMMENT ON COLUMN {here}.{quote(key[0])} IS {literal(value)}"
            case "security" if relation.kind in "rp":
                yield f"{alter} {key[0]} ROW LEVEL SECURITY"
            case "option" if relation.kind in "rvm":
                yield f"{alter} SET ({key[0]} = {literal(value)})"
            case "identity" if _has_identity(heir, value):
                yield f"{alter} REPLICA IDENTITY {value}"


def grant_statements(heir: Heir, here: str) -> Iterator[str]:
    """Yield what brings the grants from what they are to what they must be."""
    now, wanted = _grants(heir.own), heir.grants()
    noun = "SEQUENCE" if heir.relation.kind == "S" else "TABLE"
    for grant, grantable in now.items():
        if grant[1] != heir.owner and wanted.get(grant) != grantable:
            yield f"REVOKE {_privilege(grant)} ON {noun} {here} FROM {_grantee(grant)}"
    for grant, grantable in wanted.items():
        if now.get(grant) != grantable:
            option = " WITH GRANT OPTION" if grantable == "true" else ""
            yield f"GRANT {_privilege(grant)} ON {noun} {here} TO {_grantee(grant)}{option}"


def under_locks(heir: Heir, archived: TableName) -> Iterator[str]:
    """Yield what can only be done where the new relation has its final name."""
    if heir.replaced is None:
        return
    target, alter = qualified(heir.final), f"ALTER TABLE {qualified(heir.final)}"
    triggers = {key[0] for what, key in heir.own if what == "trigger"}
    for (what, key), value in heir.replaced.items():
        match what:
            case "policy" if (what, key) not in heir.own:
                yield f"CREATE POLICY {quote(key[0])} ON {target} {value}"
            case "trigger" if key[0] not in triggers:
                yield value
                if state := {"D": "DISABLE", "R": "ENABLE REPLICA", "A": "ENABLE ALWAYS"}.get(key[1]):
                    yield f"{alter} {state} TRIGGER {quote(key[0])}"
            case "rule" if (what, key) not in heir.own:
                yield value
            case "publication" if (what, key) not in heir.own:
                yield f"ALTER PUBLICATION {quote(key[0])} DROP TABLE ONLY {qualified(archived)}"
                yield f"ALTER PUBLICATION {quote(key[0])} ADD TABLE ONLY {target}{value}"


def left_out(heir: Heir) -> Iterator[str]:
    """Say what the replaced relation had and the new one cannot take over or does without."""
    for (what, key), value in (heir.replaced or {}).items():
        if (what, key) in heir.own:
            continue
        match what:
            case "grant" | "comment" if key[0] and key[0] not in heir.columns:
                yield f"{heir.final}: the {what} on column {key[0]}, which is gone"
            case "index" | "statistics":
                yield f"{heir.final}: the {what} {key[0]}, which its node does not make"
            case "identity" if not _has_identity(heir, value):
                yield f"{heir.final}: the replica identity {value}"


def lost(heir: Heir, now: Properties) -> Iterator[str]:
    """Compare: say what the relation, as it is now, lacks of what it must have."""
    if now.get(("owner", ())) != heir.owner:
        yield f"the owner of {heir.final}"
    wanted, there = heir.grants(), {g: said for g, said in _grants(now).items() if g[1] != heir.owner}
    if wanted != there:
        differing = sorted({f"{g[1] or 'PUBLIC'} {g[2]}" for g, _ in wanted.items() ^ there.items()})
        yield f"grants on {heir.final} ({', '.join(differing)})"
    names = {(what, key[:1]) for what, key in now}
    for (what, key), value in (heir.replaced or {}).items():
        must = {
            "policy": True, "trigger": True, "rule": True, "publication": True, "security": heir.relation.kind in "rp",
            "option": heir.relation.kind in "rvm", "identity": _has_identity(heir, value),
            "comment": not key[:1] or not key[0] or key[0] in heir.columns,
        }.get(what, False)  # fmt: skip
        if must and (what, key[:1]) not in names:
            yield f"{what} {' '.join(key)} of {heir.final}".replace("  ", " ")


def _has_identity(heir: Heir, value: str) -> bool:
    if heir.relation.kind not in "rp":
        return False
    name = value.removeprefix("USING INDEX ")
    return name == value or ("index", (name,)) in heir.own


def _grants(properties: Properties) -> dict[Grant, str]:
    return {_as_grant(key): grantable for key, grantable in properties.items() if key[0] == "grant"}


def _as_grant(key: Key) -> Grant:
    column, grantee, privilege = key[1]
    return column, grantee, privilege


def _privilege(grant: Grant) -> str:
    return f"{grant[2]} ({quote(grant[0])})" if grant[0] else grant[2]


def _grantee(grant: Grant) -> str:
    return quote(grant[1]) if grant[1] else "PUBLIC"
