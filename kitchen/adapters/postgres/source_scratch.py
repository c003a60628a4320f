"""Whether a source lets a sample be chosen there, with temporary tables."""

from __future__ import annotations

from kitchen.adapters.postgres.connection import PgSession
from kitchen.errors import NotPermitted, Refused


def refuse_without_temporary_tables(session: PgSession) -> None:
    """Raise Refused on a standby server, NotPermitted where the database grants no temporary tables."""
    standby, granted, database, user = session.query(
        "SELECT pg_is_in_recovery(), has_database_privilege(current_database(), 'TEMPORARY'),"
        " quote_ident(current_database()), quote_ident(current_user)"
    )[0]
    if standby:
        raise Refused(
            "the source is a standby server, which has no temporary tables, and a sample is chosen with them",
            hint="name the primary server in the source's environment, or leave `sample:` out",
        )
    if not granted:
        raise NotPermitted(
            "a sample is chosen with temporary tables, and the provisioner may not make any in the source's database",
            hint=f"as the database's owner: GRANT TEMPORARY ON DATABASE {database} TO {user}",
        )
