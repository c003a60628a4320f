"""The doctor's look at one warehouse: which version, how it is reached, what the provisioner may do."""

from __future__ import annotations

from dataclasses import dataclass

from kitchen.domain.environment import Environment
from kitchen.domain.versions import satisfies
from kitchen.operations.findings import Chart
from kitchen.ports import Session

_FIRST_WITH_BOUNDED_CREATEROLE = 16

_LOOPBACK = ("localhost", "127.0.0.1", "::1")

_FACTS = """
SELECT pg_catalog.current_setting('server_version'),
       r.rolname::text, r.rolsuper, r.rolcreaterole, r.rolbypassrls OR r.rolreplication,
       pg_catalog.has_database_privilege(pg_catalog.current_database(), 'CREATE'),
       pg_catalog.has_database_privilege('public', pg_catalog.current_database(), 'CONNECT'),
       (SELECT s.ssl FROM pg_catalog.pg_stat_ssl s WHERE s.pid = pg_catalog.pg_backend_pid()),
       pg_catalog.inet_client_addr() IS NULL
  FROM pg_catalog.pg_roles r WHERE r.rolname = CURRENT_USER
"""


@dataclass(frozen=True, slots=True)
class ServerFacts:
    """What a warehouse says of itself and of the provisioner."""

    version: str
    provisioner: str
    is_superuser: bool
    may_create_roles: bool
    may_bypass: bool  # row security, or replicate the whole cluster
    may_create_schemas: bool
    public_may_connect: bool
    is_encrypted: bool
    is_local: bool  # over a Unix socket


def read_facts(session: Session) -> ServerFacts:
    """Ask the server, as the provisioner."""
    return ServerFacts(*session.query(_FACTS)[0])


def judge(chart: Chart, facts: ServerFacts, environment: Environment) -> None:
    """Say what is well and what is not."""
    _judge_version(chart, facts, environment)
    _judge_transport(chart, facts, environment)
    _judge_provisioner(chart, facts)
    if facts.public_may_connect:
        hint = "REVOKE CONNECT ON DATABASE … FROM PUBLIC, and grant it to whom you mean"
        chart.warn("database", "every role of the server may connect to the warehouse", hint)


def _judge_version(chart: Chart, facts: ServerFacts, environment: Environment) -> None:
    wanted = environment.toolchain.postgres
    if wanted is not None and not satisfies(facts.version, wanted):
        chart.fail(
            "version", f"PostgreSQL {facts.version}, but the toolchain asks for {wanted}",
            f"change toolchain.postgres in environments/{environment.name}.yaml, or the server",
        )  # fmt: skip
        return
    chart.ok("version", f"PostgreSQL {facts.version}" + (f", as {wanted} asks" if wanted else ""))


def _judge_transport(chart: Chart, facts: ServerFacts, environment: Environment) -> None:
    mode = environment.warehouse.settings.get("tls")
    if environment.is_embedded or facts.is_local:
        chart.ok("transport", "this machine only: a Unix socket and the loopback address")
    elif not facts.is_encrypted and environment.warehouse.settings.get("host") in _LOOPBACK:
        chart.ok("transport", "not encrypted, and of this machine only")
    elif not facts.is_encrypted:
        chart.fail("transport", "the connection is not encrypted", "tls: verify-full in the environment's warehouse")
    elif mode not in (None, "verify-full"):
        hint = "tls: verify-full in the environment's warehouse"
        chart.warn("transport", f"encrypted, but with tls: {mode} nobody checks who the server is", hint)
    else:
        chart.ok("transport", "encrypted, and the server's certificate is checked")


def _judge_provisioner(chart: Chart, facts: ServerFacts) -> None:
    who = facts.provisioner
    if facts.is_superuser:
        hint = f"ALTER ROLE {who} NOSUPERUSER CREATEROLE, and let it own the database"
        chart.fail("provisioner", f"{who} is a superuser; kitchen never needs one", hint)
        return
    lacking = [
        said
        for has, said in ((facts.may_create_roles, "CREATEROLE"), (facts.may_create_schemas, "CREATE on the database"))
        if not has
    ]
    if lacking:
        chart.fail("provisioner", f"{who} lacks {' and '.join(lacking)}", "grant it as the server's administrator")
        return
    if facts.may_bypass:
        hint = f"ALTER ROLE {who} NOBYPASSRLS NOREPLICATION"
        chart.warn("provisioner", f"{who} may bypass row security or replicate the cluster; it needs neither", hint)
        return
    if int(facts.version.split(".")[0]) < _FIRST_WITH_BOUNDED_CREATEROLE:
        chart.warn(
            "provisioner",
            f"{who} has CREATEROLE, and on PostgreSQL {facts.version.split('.')[0]} that is nearly a superuser: it "
            "can grant itself any other role, pg_execute_server_program too",
            "PostgreSQL 16 or newer bounds it; until then guard its password like root's",
        )
        return
    chart.ok("provisioner", f"{who} makes roles and schemas and is no superuser")
