"""The doctor's look at what a provisioner may do on somebody else's server: with the database, with its tables."""

from __future__ import annotations

from collections.abc import Sequence

from kitchen.domain.environment import Environment
from kitchen.domain.installation import DEPENDANTS
from kitchen.operations.findings import Chart
from kitchen.ports import Session

_MAY_ADMIT = "SELECT pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CONNECT WITH GRANT OPTION')"
_VERSION = "SELECT pg_catalog.current_setting('server_version_num')::int"
_OPEN_SCHEMAS = """
SELECT n.nspname FROM pg_catalog.pg_namespace AS n
WHERE n.nspname = ANY (%s) AND pg_catalog.has_schema_privilege('public', n.oid, 'CREATE') ORDER BY 1
"""
_SHUT = """
SELECT n.nspname FROM pg_catalog.pg_namespace AS n JOIN pg_catalog.pg_roles AS o ON o.rolname = %s
WHERE n.nspname = ANY (%s) AND NOT (pg_catalog.has_schema_privilege(o.oid, n.oid, 'CREATE')
                                    AND pg_catalog.has_schema_privilege(o.oid, n.oid, 'USAGE')) ORDER BY 1
"""
# `r` is the role through which candidates read production; it is not there before the environment is set up
_TABLES = """
SELECT pg_catalog.format('%%I.%%I', n.nspname, c.relname), pg_catalog.pg_get_userbyid(c.relowner),
       pg_catalog.has_table_privilege(c.oid, 'SELECT'),
       pg_catalog.pg_has_role(c.relowner, 'USAGE') AND pg_catalog.pg_has_role(c.relowner, %s),
       coalesce(pg_catalog.has_table_privilege(r.oid, c.oid, 'SELECT'), true)
FROM pg_catalog.pg_class AS c JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
LEFT JOIN pg_catalog.pg_roles AS r ON r.rolname = %s
WHERE n.nspname = ANY (%s) AND c.relkind IN ('r', 'p', 'v', 'm')
  AND NOT EXISTS (SELECT FROM pg_catalog.pg_depend AS d
                  WHERE d.classid = 'pg_catalog.pg_class'::pg_catalog.regclass AND d.objid = c.oid AND d.deptype = 'e')
ORDER BY 1
"""

_DEPENDANTS = f"""{DEPENDANTS.format(schemas="%s")}
SELECT o.rolname, pg_catalog.array_agg(pg_catalog.format('%%I.%%I', n.nspname, c.relname) ORDER BY n.nspname, c.relname)
FROM dependants JOIN pg_catalog.pg_class AS c USING (oid) JOIN pg_catalog.pg_namespace AS n ON n.oid = c.relnamespace
JOIN pg_catalog.pg_roles AS o ON o.oid = c.relowner
WHERE n.nspname <> ALL (%s)
  AND NOT (pg_catalog.pg_has_role(o.oid, 'USAGE') AND pg_catalog.pg_has_role(o.oid, %s))
GROUP BY o.rolname, o.oid ORDER BY 1
"""  # noqa: S608 - both halves are ours


def judge_rights(chart: Chart, session: Session, environment: Environment) -> None:
    """Say what the provisioner lacks; on an embedded server it owns everything."""
    if environment.is_embedded:
        return
    install = f"kitchen environment install {environment.name}"
    if not session.query(_MAY_ADMIT)[0][0]:
        chart.fail("database", "the provisioner may not let kitchens connect to the database", install)
    schemas = [*environment.schemas, "public"] if environment.parent is None else ["public"]
    if wide := [row[0] for row in session.query(_OPEN_SCHEMAS, [schemas])]:
        chart.warn("schemas", f"every role of the server may make objects in {', '.join(wide)}", install)
    if environment.parent is None:
        _judge_tables(chart, session, environment, install)


def _judge_tables(chart: Chart, session: Session, environment: Environment, install: str) -> None:
    owner = f"kitchen__{environment.name}__{environment.name}__owner"
    if shut := [row[0] for row in session.query(_SHUT, [owner, list(environment.schemas)])]:
        chart.fail("schemas", f"the standing kitchen may make nothing in {', '.join(shut)}", install)
    becoming = "SET" if session.query(_VERSION)[0][0] >= 160000 else "MEMBER"
    reader = f"kitchen__{environment.name}__{environment.name}__reader"
    rows = session.query(_TABLES, [becoming, reader, list(environment.schemas)])
    unread = [row[0] for row in rows if not row[2]]
    unopened = [row[0] for row in rows if row[2] and not row[4]]
    if unread:
        chart.fail("tables", f"the provisioner may not read {_some(unread)}: no refresh, no release", install)
    elif unopened:
        chart.warn("tables", f"kitchens of {environment.name} may not read {_some(unopened)}", install)
    else:
        chart.ok("tables", f"all {len(rows)} can be read, by the provisioner and by kitchens")
    others = [row[0] for row in rows if not row[3]]
    if others:
        owners = ", ".join(sorted({row[1] for row in rows if not row[3]}))
        said = f"{_some(others)} belong to {owners}, which the provisioner is no member of: no release can replace them"
        chart.warn("ownership", said, f"{install} --print, for what an administrator may decide")
    elif outside := session.query(_DEPENDANTS, [list(environment.schemas), list(environment.schemas), becoming]):
        owners = ", ".join(row[0] for row in outside)
        said = f"{_some([name for row in outside for name in row[1]])} of {owners} depend on production's tables: "
        said += "a release that replaces one of those is refused while the provisioner may not make them anew"
        chart.warn("ownership", said, f"{install} --print, for what an administrator may decide")
    else:
        chart.ok("ownership", "releases can replace every table, with its owner and grants kept")


def _some(names: Sequence[str]) -> str:
    more = f" and {len(names) - 3} more" if len(names) > 3 else ""
    return ", ".join(names[:3]) + more
