"""What lets people into an environment: group roles, and the registrar's functions that make and close their logins.

The provisioner cannot make the login of somebody who may become the provisioner: each would be a member of the other,
and no server has that. So another role does, which nobody can log in as or become.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

from kitchen.adapters.postgres.structure_text import quote
from kitchen.domain.installation import Action, Place
from kitchen.domain.people import GROUPS, deputy_role, group_role, memberships, people_mark, registrar_role

_FUNCTIONS = Path(__file__).with_name("people.sql")


def people_roles(environment: str) -> tuple[str, ...]:
    """Return every role that an installation makes for people."""
    groups = (group_role(environment, group) for group in GROUPS)
    return (registrar_role(environment), deputy_role(environment), *groups)


def people_actions(environment: str, database: str, provisioner: str, *, gated: bool) -> Iterator[Action]:
    """Yield what is to be done; all of it may be repeated."""
    registrar, deputy = registrar_role(environment), deputy_role(environment)
    mark = people_mark(environment, database)
    says = {registrar: "makes people's logins, and is nobody's login itself", deputy: "may become the provisioner"}
    for role in people_roles(environment):
        options = {registrar: " NOLOGIN CREATEROLE", deputy: " NOLOGIN NOINHERIT"}.get(role, " NOLOGIN")
        yield Action(
            Place.SERVER, f"the group role {role}" + (f", which {says[role]}" if role in says else ""),
            f"DO $kitchen$ BEGIN IF NOT EXISTS (SELECT FROM pg_catalog.pg_roles WHERE rolname = {_literal(role)}) THEN "
            f"CREATE ROLE {quote(role)}{options}; COMMENT ON ROLE {quote(role)} IS {_literal(mark)}; "
            "END IF; END $kitchen$",
        )  # fmt: skip
    wanted = memberships(environment, gated=gated)
    for member, role in wanted:
        yield Action(Place.SERVER, f"{member} is a {role}", f"GRANT {quote(role)} TO {quote(member)}")
    if gated:
        releaser = group_role(environment, "releaser")
        yield Action(
            Place.SERVER, "a releaser approves, and does not publish", f"REVOKE {quote(deputy)} FROM {quote(releaser)}"
        )
    yield Action(
        Place.SERVER, "deputies may become the provisioner, and are not it before they say so",
        _version_dependent(f"GRANT {quote(provisioner)} TO {quote(deputy)}", " WITH INHERIT FALSE, SET TRUE"),
    )  # fmt: skip
    groups = ", ".join(quote(group_role(environment, group)) for group in GROUPS)
    yield Action(
        Place.SERVER,
        "the registrar lets people into the groups",
        f"GRANT {groups} TO {quote(registrar)} WITH ADMIN OPTION",
    )
    # a superuser acts as anybody; any other administrator is a member for as long as it takes
    acting, leaving = (
        "DO $kitchen$ BEGIN IF NOT (SELECT rolsuper FROM pg_catalog.pg_roles WHERE rolname = CURRENT_USER) THEN "
        f"{verb.format(quote(registrar))} CURRENT_USER; END IF; END $kitchen$"
        for verb in ("GRANT {} TO", "REVOKE {} FROM")
    )
    yield Action(
        Place.WAREHOUSE, "what lets people in and out: functions of the registrar's, which know who calls",
        f"{acting}; CREATE SCHEMA IF NOT EXISTS kitchen_people AUTHORIZATION {quote(registrar)}; "
        f"SET LOCAL ROLE {quote(registrar)}; {_functions(environment, mark, provisioner)}; RESET ROLE; {leaving}",
    )  # fmt: skip


def _functions(environment: str, mark: str, provisioner: str) -> str:
    text = _FUNCTIONS.read_text().partition("\n\n")[2].strip().removesuffix(";")
    admin = group_role(environment, "admin")
    filled = {"{environment}": _literal(environment), "{mark}": _literal(mark), "{admin}": quote(admin),
              "{provisioner}": quote(provisioner)}  # fmt: skip
    for name, value in filled.items():
        text = text.replace(name, value)
    return text


def _version_dependent(statement: str, options: str) -> str:
    """Return a grant with what servers from 16 on can say; a script is read by either."""
    return (
        f"DO $kitchen$ BEGIN EXECUTE {_literal(statement)} || CASE WHEN "
        f"pg_catalog.current_setting('server_version_num')::int >= 160000 THEN {_literal(options)} ELSE '' END; "
        "END $kitchen$"
    )


def _literal(text: str) -> str:
    return "'" + text.replace("'", "''") + "'"
