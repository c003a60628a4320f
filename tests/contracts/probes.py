"""What a kitchen might try against others: every object it does not own, times every verb."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

WRITES = (
    "INSERT INTO {t} (v) VALUES (1)",
    "UPDATE {t} SET v = 2",
    "DELETE FROM {t}",
    "TRUNCATE {t}",
    "COPY {t} FROM '/dev/null'",
    "LOCK TABLE {t} IN ACCESS EXCLUSIVE MODE",
    "DROP TABLE {t}",
    "ALTER TABLE {t} ADD COLUMN x int",
    "ALTER TABLE {t} OWNER TO CURRENT_USER",
    "ALTER TABLE {t} SET SCHEMA {mine}",
    "ALTER TABLE {t} ENABLE ROW LEVEL SECURITY",
    "GRANT ALL ON {t} TO PUBLIC",
    "REVOKE ALL ON {t} FROM PUBLIC",
    "CREATE INDEX ON {t} (v)",
    "CREATE TRIGGER tr BEFORE INSERT ON {t} FOR EACH ROW EXECUTE FUNCTION {mine}.tr()",
    "CREATE RULE ru AS ON INSERT TO {t} DO INSTEAD NOTHING",
    "CREATE POLICY po ON {t} USING (true)",
    "COMMENT ON TABLE {t} IS 'mine'",
    "CREATE TABLE {mine}.kid () INHERITS ({t})",
    "CREATE TABLE {mine}.pointing (id int REFERENCES {t} (id))",
    "CREATE STATISTICS {mine}.st ON id, v FROM {t}",
    "CLUSTER {t} USING t_pkey",
    "REINDEX TABLE {t}",
    "MERGE INTO {t} USING (SELECT 1 AS n) AS s ON id = n WHEN MATCHED THEN DELETE",
)
READS = (
    "SELECT * FROM {t}",
    "SELECT count(*) FROM {t}",
    "COPY {t} TO STDOUT",
    "CREATE TABLE {mine}.copy AS TABLE {t}",
    "SELECT * FROM {s}.v",
    "SELECT * FROM {s}.mv",
    "SELECT last_value FROM {s}.seq",
    "SELECT {s}.f()",
    "CREATE VIEW {mine}.through AS SELECT * FROM {t}",
)
OBJECTS = (
    "SELECT nextval('{s}.seq')",
    "SELECT setval('{s}.seq', 99)",
    "ALTER SEQUENCE {s}.seq RESTART",
    "DROP SEQUENCE {s}.seq",
    "DROP VIEW {s}.v",
    "CREATE OR REPLACE VIEW {s}.v AS SELECT 1 AS id, 1 AS v",
    "INSERT INTO {s}.v (v) VALUES (1)",
    "REFRESH MATERIALIZED VIEW {s}.mv",
    "DROP MATERIALIZED VIEW {s}.mv",
    "CREATE OR REPLACE FUNCTION {s}.f() RETURNS int LANGUAGE sql AS 'SELECT 2'",
    "ALTER FUNCTION {s}.f() SECURITY DEFINER",
    "DROP FUNCTION {s}.f()",
    "ALTER TYPE {s}.mood ADD VALUE 'worse'",
    "DROP TYPE {s}.mood",
    "CREATE TABLE {s}.planted (id int)",
    "CREATE VIEW {s}.planted AS SELECT 1",
    "CREATE FUNCTION {s}.planted() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE TYPE {s}.planted AS ENUM ('a')",
    "CREATE SEQUENCE {s}.planted",
    "ALTER SCHEMA {s} RENAME TO taken",
    "ALTER SCHEMA {s} OWNER TO CURRENT_USER",
    "DROP SCHEMA {s} CASCADE",
    "GRANT ALL ON SCHEMA {s} TO PUBLIC",
    "ALTER DEFAULT PRIVILEGES FOR ROLE {owner} GRANT ALL ON TABLES TO PUBLIC",
)
ROLES = (
    "SET ROLE {other}",
    "SET ROLE {provisioner}",
    "SET ROLE {superuser}",
    "SET SESSION AUTHORIZATION {other}",
    "SET SESSION AUTHORIZATION {superuser}",
    "GRANT {other} TO CURRENT_USER",
    "GRANT {provisioner} TO CURRENT_USER",
    "GRANT {reader} TO CURRENT_USER",
    "GRANT {pantry} TO {other}",
    "GRANT pg_read_all_data TO CURRENT_USER",
    "GRANT pg_write_all_data TO CURRENT_USER",
    "GRANT pg_execute_server_program TO CURRENT_USER",
    "GRANT pg_signal_backend TO CURRENT_USER",
    "ALTER ROLE {other} PASSWORD 'x'",
    "ALTER ROLE {other} LOGIN",
    "ALTER ROLE {other} SET search_path = x",
    "ALTER ROLE {provisioner} PASSWORD 'x'",
    "ALTER ROLE {provisioner} RENAME TO x",
    "ALTER ROLE {mine_login} SUPERUSER",
    "ALTER ROLE {mine_login} CREATEROLE",
    "ALTER ROLE {mine_login} CREATEDB",
    "ALTER ROLE {mine_login} REPLICATION",
    "ALTER ROLE {mine_login} BYPASSRLS",
    "ALTER ROLE {mine_login} CONNECTION LIMIT 1000",
    "ALTER ROLE ALL SET search_path = x",
    "CREATE ROLE planted",
    "DROP ROLE {other}",
    "DROP OWNED BY {other}",
    "REASSIGN OWNED BY {other} TO CURRENT_USER",
    "COMMENT ON ROLE {other} IS 'mine'",
)
SERVER = (
    "CREATE SCHEMA planted",
    "CREATE DATABASE planted",
    "DROP DATABASE postgres",
    "ALTER DATABASE {database} SET search_path = x",
    "ALTER DATABASE {database} OWNER TO CURRENT_USER",
    "GRANT ALL ON DATABASE {database} TO PUBLIC",
    "CREATE EXTENSION pg_trgm",
    "CREATE EVENT TRIGGER planted ON ddl_command_start EXECUTE FUNCTION {mine}.et()",
    "CREATE PUBLICATION planted FOR ALL TABLES",
    "CREATE SUBSCRIPTION planted CONNECTION 'host=127.0.0.1' PUBLICATION x WITH (connect = false)",
    "CREATE FOREIGN DATA WRAPPER planted",
    "CREATE FUNCTION {mine}.c() RETURNS int LANGUAGE c AS 'x', 'y'",
    "CREATE FUNCTION {mine}.i() RETURNS int LANGUAGE internal AS 'now'",
    "CREATE TABLESPACE planted LOCATION '/tmp'",
    "CREATE ACCESS METHOD planted TYPE TABLE HANDLER heap_tableam_handler",
    "CREATE CAST (int AS pantry_v1.mood) WITHOUT FUNCTION",
    "CREATE TYPE {mine}.base (INPUT = textin, OUTPUT = textout)",
    "COPY (SELECT 1) TO PROGRAM 'id'",
    "COPY (SELECT 1) TO '/tmp/planted'",
    "COPY {mine}.own FROM '/etc/passwd'",
    "COPY {mine}.own FROM PROGRAM 'id'",
    "SELECT pg_read_file('/etc/passwd')",
    "SELECT pg_read_binary_file('/etc/passwd')",
    "SELECT pg_ls_dir('/')",
    "SELECT pg_stat_file('/etc/passwd')",
    "SELECT pg_ls_logdir()",
    "SELECT lo_import('/etc/passwd')",
    "SELECT lo_export(0, '/tmp/planted')",
    "SELECT pg_reload_conf()",
    "SELECT pg_rotate_logfile()",
    "SELECT pg_switch_wal()",
    "SELECT pg_create_restore_point('x')",
    "SELECT pg_backup_start('x')",
    "SELECT pg_promote()",
    "SELECT pg_stat_reset()",
    "SELECT pg_create_physical_replication_slot('planted')",
    "SELECT pg_create_logical_replication_slot('planted', 'test_decoding')",
    "SELECT pg_current_logfile()",
    "SELECT pg_terminate_backend({pid})",
    "SELECT pg_cancel_backend({pid})",
    "SELECT pg_log_backend_memory_contexts({pid})",
    "ALTER SYSTEM SET work_mem = '1MB'",
    "SET session_replication_role = replica",
    "SET log_statement = 'none'",
    "SET temp_file_limit = -1",
    "SET zero_damaged_pages = on",
    "LOAD '/tmp/x.so'",
    "CHECKPOINT",
    "SELECT * FROM pg_authid",
    "SELECT * FROM pg_shadow",
    "SELECT * FROM pg_user_mapping",
    "SELECT * FROM pg_statistic",
    "SELECT * FROM pg_largeobject",
    "SELECT * FROM pg_hba_file_rules",
    "SELECT * FROM pg_file_settings",
    "SELECT subconninfo FROM pg_subscription",
    "SELECT * FROM pg_backend_memory_contexts",
    "SELECT * FROM pg_shmem_allocations",
    "UPDATE pg_class SET relowner = 10",
    "DELETE FROM pg_auth_members",
    "INSERT INTO pg_proc SELECT * FROM pg_proc LIMIT 1",
    "TRUNCATE pg_class",
)
CONTROL = (
    "SELECT * FROM kitchen_control.kitchen",
    "SELECT * FROM kitchen_control.audit",
    "SELECT * FROM kitchen_control.lock_holder",
    "SELECT FROM kitchen_control.lock FOR UPDATE",
    "LOCK TABLE kitchen_control.lock",
    "INSERT INTO kitchen_control.lock VALUES ('x')",
    "UPDATE kitchen_control.kitchen SET owner = 'x'",
    "DELETE FROM kitchen_control.audit",
    "TRUNCATE kitchen_control.audit",
    "UPDATE kitchen_control.audit_head SET position = 0",
    "SELECT kitchen_control.audit_append('x', 'x', 'intent', 'x', 'x', NULL, '{{}}')",
    "DROP SCHEMA kitchen_control CASCADE",
    "CREATE TABLE kitchen_control.planted (id int)",
    "ALTER TABLE kitchen_control.audit DISABLE TRIGGER append_only",
    "CREATE TRIGGER tr BEFORE INSERT ON kitchen_control.audit FOR EACH ROW EXECUTE FUNCTION {mine}.tr()",
)

# These a login may do, and nobody but itself notices; the README lists them.
WITHOUT_EFFECT = (
    "ALTER ROLE {mine_login} SET work_mem = '8MB'",
    "ALTER ROLE {mine_login} RESET work_mem",
    "SET statement_timeout = 0",
    "SELECT pg_try_advisory_lock(1)",
    "NOTIFY elsewhere, 'x'",
    "CREATE TEMPORARY TABLE scratch (id int)",
    "SELECT relname FROM pg_class WHERE relnamespace::regnamespace::text = '{other_schema}'",
    "SELECT lo_create(0)",
    "GRANT SELECT ON {mine}.own TO PUBLIC",
)


@dataclass(frozen=True, slots=True)
class Names:
    """What the probes are pointed at."""

    mine: str
    mine_login: str
    other_schema: str
    other_owner: str
    parent_schema: str
    parent_owner: str
    pantry_schema: str
    pantry_role: str
    reader: str
    provisioner: str
    superuser: str
    database: str
    pid: int  # of another kitchen's session


def probes(names: Names) -> Iterator[str]:
    """Return every statement that must be refused."""
    places = (
        (names.other_schema, names.other_owner, True),
        (names.parent_schema, names.parent_owner, False),  # read through: that is what layers are for
        (names.pantry_schema, names.provisioner, False),
    )
    for schema, owner, closed in places:
        for verb in (*WRITES, *OBJECTS, *(READS if closed else ())):
            yield verb.format(t=f"{schema}.t", s=schema, mine=names.mine, owner=owner)
    common = {
        "mine": names.mine, "mine_login": names.mine_login, "other": names.other_owner, "reader": names.reader,
        "pantry": names.pantry_role, "provisioner": names.provisioner, "superuser": names.superuser,
        "database": names.database, "pid": names.pid,
    }  # fmt: skip
    for verb in (*ROLES, *SERVER, *CONTROL):
        yield verb.format(**common)


def harmless(names: Names) -> Iterator[str]:
    """Return every statement that may succeed, because nobody else notices."""
    for verb in WITHOUT_EFFECT:
        yield verb.format(mine=names.mine, mine_login=names.mine_login, other_schema=names.other_schema)
