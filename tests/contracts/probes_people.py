"""What a person with a login of their own might try on the records, on the functions and on other people."""

from __future__ import annotations

from collections.abc import Iterator

from tests.contracts.probes import CONTROL, Names, probes

_KITCHEN = (
    "INSERT INTO kitchen_control.kitchen (id, name, environment, kind, state, parent, pantry, owner, created_at, "
    "isolated, data, staff) VALUES (gen_random_uuid(), {name}, {environment}, {kind}, {state}, {parent}, {pantry}, "
    "{owner}, now(), {isolated}, 'layer', '{{}}')"
)
_SOUND = {
    "name": "'planted'", "environment": "'dev'", "kind": "'working'", "state": "'creating'", "parent": "'dev'",
    "pantry": "1", "owner": "'ann'", "isolated": "false",
}  # fmt: skip
# each spoils one thing of a kitchen that would be allowed
_SPOILT = (
    ("name", "'Planted'"), ("name", "'pg_planted'"), ("name", "'pantry_v1'"), ("name", "'public'"), ("name", "'a__b'"),
    ("name", "'x\"; DROP SCHEMA dev; --'"), ("name", "'c_0123456789ab'"), ("name", "repeat('x', 25)"),
    ("name", "'kitchen_control'"), ("environment", "'production'"), ("kind", "'standing'"), ("kind", "'candidate'"),
    ("state", "'ready'"), ("state", "'publishing'"), ("parent", "'other'"), ("parent", "NULL"), ("parent", "'nobody'"),
    ("pantry", "99"), ("pantry", "2"), ("owner", "'bob'"), ("owner", "'dev'"), ("owner", "NULL"), ("owner", "''"),
)  # fmt: skip
_OPERATION = (
    "INSERT INTO kitchen_control.operation (id, kind, subject, arguments, state, by, host, pid, version, started_at) "
    "VALUES (gen_random_uuid(), '{kind}', '{subject}', '{arguments}', '{state}', 'ann', 'h', 1, '1', now())"
)
_VERIFIER = f"SCRAM-SHA-256$4096:{'A' * 24}${'A' * 43}=:{'A' * 43}="

RECORDS = (
    "UPDATE kitchen_control.kitchen SET owner = 'ann' WHERE name = 'other'",
    "UPDATE kitchen_control.kitchen SET staff = '{{ann}}' WHERE name = 'other'",
    "UPDATE kitchen_control.kitchen SET state = 'deleting' WHERE name = 'other'",
    "UPDATE kitchen_control.kitchen SET owner = 'ann' WHERE name = 'dev'",
    "UPDATE kitchen_control.kitchen SET pantry = NULL WHERE name = 'dev'",
    "UPDATE kitchen_control.kitchen SET state = 'publishing' WHERE name = 'dev'",
    "UPDATE kitchen_control.kitchen SET parent = 'other' WHERE name = 'tries'",
    "UPDATE kitchen_control.kitchen SET parent = NULL WHERE name = 'tries'",
    "UPDATE kitchen_control.kitchen SET isolated = true WHERE name = 'tries'",
    "UPDATE kitchen_control.kitchen SET name = 'planted' WHERE name = 'tries'",
    "UPDATE kitchen_control.kitchen SET environment = 'production' WHERE name = 'tries'",
    "UPDATE kitchen_control.kitchen SET kind = 'standing' WHERE name = 'tries'",
    "UPDATE kitchen_control.kitchen SET id = gen_random_uuid() WHERE name = 'tries'",
    "UPDATE kitchen_control.kitchen SET pantry = 99 WHERE name = 'tries'",
    "UPDATE kitchen_control.kitchen SET owner = 'nobody' WHERE name = 'tries'",
    "UPDATE kitchen_control.kitchen SET state = 'publishing' WHERE name = 'tries'",
    "UPDATE kitchen_control.kitchen SET branch = 'main' WHERE name = 'tries'",
    "DELETE FROM kitchen_control.kitchen WHERE name = 'other'",
    "DELETE FROM kitchen_control.kitchen WHERE name = 'dev'",
    "DELETE FROM kitchen_control.kitchen WHERE name = 'tries'",
    "TRUNCATE kitchen_control.kitchen CASCADE",
    "UPDATE kitchen_control.operation SET state = 'done', ended_at = now() WHERE subject = 'other'",
    "UPDATE kitchen_control.operation SET arguments = '{{}}'",
    "UPDATE kitchen_control.operation SET by = 'ann'",
    "DELETE FROM kitchen_control.operation",
    "INSERT INTO kitchen_control.step (operation, name, state) SELECT id, 'x', 'done' FROM kitchen_control.operation",
    "UPDATE kitchen_control.step SET state = 'undone'",
    "DELETE FROM kitchen_control.step",
    "INSERT INTO kitchen_control.lock VALUES ('dev')",
    "INSERT INTO kitchen_control.lock VALUES ('run/other/x')",
    "INSERT INTO kitchen_control.lock VALUES ('pantry')",
    "UPDATE kitchen_control.lock SET name = 'planted'",
    "DELETE FROM kitchen_control.lock",
    *(
        f"LOCK TABLE kitchen_control.{table} IN SHARE MODE"
        for table in (
            "approval",
            "audit",
            "audit_head",
            "deployed",
            "kitchen",
            "lease",
            "lock",
            "lock_holder",
            "merge_request",
            "migration",
            "node_run",
            "once_done",
            "operation",
            "pantry",
            "person",
            "reception",
            "release",
            "run",
            "runner",
            "schedule",
            "setting",
            "step",
            "swapped",
            "test_result",
        )
    ),
    "SELECT kitchen_control.forget_kitchen('{other_id}')",
    "SELECT kitchen_control.forget_kitchen('{parent_id}')",
    "SELECT kitchen_control.forget_kitchen('{mine_id}')",
    "SELECT FROM kitchen_control.audit_head FOR UPDATE",
    "INSERT INTO kitchen_control.lock_holder VALUES ('other', 'ann', 'h', 1, 1, 'x', now())",
    "INSERT INTO kitchen_control.lock_holder VALUES ('tries', 'bob', 'h', 1, 1, 'x', now())",
    "UPDATE kitchen_control.lock_holder SET person = 'ann'",
    (
        "INSERT INTO kitchen_control.run (id, kitchen, recipe, state, by, started_at, parameters, backend_pid) "
        "VALUES (gen_random_uuid(), 'other', 'x', 'passed', 'ann', now(), '{{}}', 1)"
    ),
    (
        "INSERT INTO kitchen_control.run (id, kitchen, recipe, state, by, started_at, parameters, backend_pid) "
        "VALUES (gen_random_uuid(), 'dev', 'x', 'passed', 'ann', now(), '{{}}', 1)"
    ),
    "UPDATE kitchen_control.run SET state = 'passed' WHERE by = 'bob'",
    "UPDATE kitchen_control.run SET kitchen = 'dev'",
    "DELETE FROM kitchen_control.run",
    (
        "INSERT INTO kitchen_control.node_run (run, node, attempt, state, started_at, log) "
        "SELECT id, 'x', 9, 'passed', now(), '' FROM kitchen_control.run WHERE by = 'bob'"
    ),
    "DELETE FROM kitchen_control.node_run",
    "DELETE FROM kitchen_control.test_result",
    "INSERT INTO kitchen_control.once_done VALUES ('dev', 'x/y', gen_random_uuid())",
    "DELETE FROM kitchen_control.once_done",
    "INSERT INTO kitchen_control.audit SELECT * FROM kitchen_control.audit LIMIT 1",
    "UPDATE kitchen_control.audit SET person = 'bob'",
    "DELETE FROM kitchen_control.audit",
    "TRUNCATE kitchen_control.audit",
    "UPDATE kitchen_control.audit_head SET position = 0",
    (
        "INSERT INTO kitchen_control.release (kind, environment, kitchen, plan, plan_hash, state, by) "
        "VALUES ('merge', 'dev', 'dev', '{{}}', 'x', 'planned', 'ann')"
    ),
    "UPDATE kitchen_control.release SET state = 'released'",
    "UPDATE kitchen_control.release SET plan = '{{}}', plan_hash = 'x'",
    "INSERT INTO kitchen_control.approval VALUES (1, 'ann', 'h', now(), false)",
    "INSERT INTO kitchen_control.approval VALUES (1, 'bob', 'h', now(), false)",
    "UPDATE kitchen_control.approval SET by = 'ann'",
    "DELETE FROM kitchen_control.approval",
    "INSERT INTO kitchen_control.deployed VALUES ('dev', 'x', 1)",
    "UPDATE kitchen_control.deployed SET commit = 'x'",
    "INSERT INTO kitchen_control.swapped VALUES (1, 'dev', 't')",
    "INSERT INTO kitchen_control.pantry (version, state, manifest) VALUES (9, 'ready', '{{}}')",
    "UPDATE kitchen_control.pantry SET state = 'dropped'",
    "UPDATE kitchen_control.person SET role = 'admin'",
    "INSERT INTO kitchen_control.person (name, login, role, admitted_by) VALUES ('eve', 'eve', 'admin', 'ann')",
    "DELETE FROM kitchen_control.person",
    "UPDATE kitchen_control.setting SET per_person = 1000",
    "DELETE FROM kitchen_control.setting",
    "UPDATE kitchen_control.lease SET person = 'ann'",
    "DELETE FROM kitchen_control.lease",
    "INSERT INTO kitchen_control.migration VALUES (99, 'x')",
    "DELETE FROM kitchen_control.migration",
)
_COMMIT = "0123456789" * 4
_REQUEST = (
    "INSERT INTO kitchen_control.merge_request (kitchen_id, kitchen, target, branch, commit, by, state, ended_at) "
    "VALUES ('{identity}', '{kitchen}', 'dev', '{kitchen}', '{commit}', '{by}', '{state}', {ended})"
)
REQUESTS = (
    *(_REQUEST.format(identity="{" + identity + "}", kitchen=kitchen, commit=_COMMIT, by=by, state=state, ended=ended)
      for identity, kitchen, by, state, ended in (
          ("mine_id", "tries", "ann", "queued", "NULL"), ("mine_id", "tries", "ann", "published", "now()"),
          ("other_id", "other", "ann", "queued", "NULL"), ("other_id", "other", "bob", "queued", "NULL"),
          ("parent_id", "dev", "ann", "queued", "NULL"))),
    *(f"UPDATE kitchen_control.merge_request SET {change}" for change in (
        "state = 'published', ended_at = now()", "state = 'refused', ended_at = now(), code = 5", "state = 'proving'",
        "by = 'ann'", f"commit = '{_COMMIT}'", "target = 'tries'", "branch = 'main'", "release = 1", "attempts = 0",
        "said = 'x'", "kitchen_id = '{mine_id}'")),
    "DELETE FROM kitchen_control.merge_request",
    "TRUNCATE kitchen_control.merge_request",
    "SELECT FROM kitchen_control.merge_request FOR UPDATE",
    "LOCK TABLE kitchen_control.merge_request IN ACCESS EXCLUSIVE MODE",
    "COPY kitchen_control.merge_request (kitchen) FROM PROGRAM 'true'",
    "INSERT INTO kitchen_control.runner (name, host) VALUES ('ann', 'h')",
    (
        "INSERT INTO kitchen_control.runner (name, host) VALUES ('ci', 'h') "
        "ON CONFLICT (name) DO UPDATE SET seen_at = now()"
    ),
    "UPDATE kitchen_control.runner SET seen_at = now()",
    "DELETE FROM kitchen_control.runner",
    "TRUNCATE kitchen_control.runner",
    "INSERT INTO kitchen_control.lock VALUES ('merge requests')",
    "INSERT INTO kitchen_control.lock_holder VALUES ('merge requests', 'ann', 'h', 1, 1, 'x', now())",
    f"SELECT kitchen_control.ask_merge('{{other_id}}', '{_COMMIT}')",
    f"SELECT kitchen_control.ask_merge('{{parent_id}}', '{_COMMIT}')",
    f"SELECT kitchen_control.ask_merge(gen_random_uuid(), '{_COMMIT}')",
    f"SELECT kitchen_control.ask_merge(NULL, '{_COMMIT}')",
    "SELECT kitchen_control.ask_merge('{mine_id}', 'main')",
    "SELECT kitchen_control.ask_merge('{mine_id}', '0123456')",
    f"SELECT kitchen_control.ask_merge('{{mine_id}}', '{_COMMIT}''; DROP SCHEMA dev')",
    "SELECT kitchen_control.ask_merge('{mine_id}', NULL)",
    "SELECT kitchen_control.withdraw_merge(1)",
    "SELECT kitchen_control.withdraw_merge(99)",
    "SELECT kitchen_control.withdraw_merge(NULL)",
    "SELECT kitchen_control.withdraw_merge(number) FROM kitchen_control.merge_request",
    "SELECT kitchen_control.merge_is_unwanted('{other_id}', 'bob', 'dev', 'other')",
    "SELECT kitchen_control.configure_records(s) FROM kitchen_control.setting AS s",
    "ALTER FUNCTION kitchen_control.ask_merge(uuid, text) SET search_path = public",
    "DROP FUNCTION kitchen_control.withdraw_merge(integer)",
    "GRANT INSERT ON kitchen_control.merge_request TO CURRENT_USER",
    "ALTER TABLE kitchen_control.merge_request DISABLE ROW LEVEL SECURITY",
    "CREATE POLICY planted ON kitchen_control.merge_request FOR INSERT WITH CHECK (true)",
    "ALTER TABLE kitchen_control.approval DISABLE TRIGGER who_asked_does_not_approve",
    *(_REQUEST.format(identity="{mine_id}", kitchen="tries", commit=_COMMIT, by="ann", state="waiting", ended="NULL")
      for _ in "1"),
    *(f"UPDATE kitchen_control.merge_request SET {change}" for change in (
        "state = 'waiting'", "state = 'queued'", "base = NULL", "asked_at = now()", "hint = 'x'", "taken_by = 'ann'")),
    f"UPDATE kitchen_control.merge_request SET commit = '{_COMMIT}' WHERE by = 'ann'",
    "INSERT INTO kitchen_control.merge_request OVERRIDING SYSTEM VALUE SELECT * FROM kitchen_control.merge_request",
)  # fmt: skip
_APPROVAL = "ROW({release}, '{by}', '{digest}', now(), false, '{login}')::kitchen_control.approval"
APPROVALS = (
    *(
        "INSERT INTO kitchen_control.approval (release, by, plan_hash, own, login) "
        f"SELECT number, '{by}', plan_hash, false, '{login}' FROM kitchen_control.release"
        for by, login in (
            ("ann", "kitchen__dev__ann__person"), ("rel", "kitchen__dev__rel__person"), ("platform", "{provisioner}"))
    ),
    *(f"UPDATE kitchen_control.approval SET {change}" for change in (
        "release = 2", "by = 'bob'", "login = '{provisioner}'", "plan_hash = 'x'", "at = now()", "own = false")),
    "DELETE FROM kitchen_control.approval WHERE by = 'rel'",
    "TRUNCATE kitchen_control.approval",
    "SELECT FROM kitchen_control.approval FOR UPDATE",
    "SELECT FROM kitchen_control.release FOR UPDATE",
    *(f"UPDATE kitchen_control.release SET {change}" for change in (
        "state = 'applying'", "by = 'bob'", f"commit = '{_COMMIT}'", "plan = plan || '{{\"approvals\": 0}}'",
        f"plan = plan || '{{{{\"head\": \"{_COMMIT}\"}}}}'", "kitchen = 'tries'", "message = 'x'")),
    "DELETE FROM kitchen_control.release",
    "SELECT kitchen_control.approve(number) FROM kitchen_control.release",
    "SELECT kitchen_control.record_approval(1, 'rel')",
    "SELECT kitchen_control.record_approval(1, 'ann')",
    "SELECT kitchen_control.missing_approvals(1)",
    "SELECT kitchen_control.asked_for(1, 'bob')",
    "SELECT kitchen_control.stamp_approval()",
    "SELECT kitchen_control.refuse_unapproved()",
    f"SELECT kitchen_control.approval_is_void({_APPROVAL.format(release=1, by='rel', digest='h', login='x')})",
    "ALTER TABLE kitchen_control.release DISABLE TRIGGER unapproved_stays",
    "ALTER TABLE kitchen_control.approval DISABLE TRIGGER stamp_approval",
    "DROP TRIGGER unapproved_stays ON kitchen_control.release",
    ("CREATE TRIGGER planted BEFORE INSERT ON kitchen_control.approval FOR EACH ROW "
    "EXECUTE FUNCTION kitchen_control.stamp_person()"),
    ("CREATE OR REPLACE FUNCTION kitchen_control.missing_approvals(release integer) RETURNS integer "
    "LANGUAGE sql AS 'SELECT 0'"),
    "ALTER FUNCTION kitchen_control.approval_is_void(kitchen_control.approval) SET search_path = public",
    "GRANT kitchen__dev__releaser TO kitchen__dev__ann__person",
    "ALTER TABLE kitchen_control.approval ADD COLUMN planted int",
    "CREATE RULE planted AS ON INSERT TO kitchen_control.approval DO INSTEAD NOTHING",
    "COPY kitchen_control.approval TO PROGRAM 'true'",
)  # fmt: skip
FUNCTIONS = (
    "SELECT kitchen_control.make_workspace('{other_id}')",
    "SELECT kitchen_control.open_workspace('{other_id}')",
    "SELECT kitchen_control.rebind_workspace('{other_id}')",
    "SELECT kitchen_control.lease_login('{other_id}', 'abcdef', '{verifier}')",
    "SELECT kitchen_control.lease_login('{parent_id}', 'abcdef', '{verifier}')",
    "SELECT kitchen_control.lease_login('{mine_id}', 'abcdef', 'x'' SUPERUSER')",
    "SELECT kitchen_control.lease_login('{mine_id}', '__', '{verifier}')",
    "SELECT kitchen_control.lease_login(gen_random_uuid(), 'abcdef', '{verifier}')",
    "SELECT kitchen_control.close_workspace('{other_id}')",
    "SELECT kitchen_control.close_workspace('{parent_id}')",
    "SELECT kitchen_control.close_workspace('{mine_id}')",
    "SELECT kitchen_control.drop_some('{other_id}')",
    "SELECT kitchen_control.drop_some('{parent_id}')",
    "SELECT kitchen_control.drop_some('{mine_id}')",
    "SELECT kitchen_control.mine('{other_id}', 'ready')",
    "SELECT kitchen_control.join_role('{provisioner}')",
    "SELECT kitchen_control.join_role('{other}')",
    "SELECT kitchen_control.end_lease('{other_login}', '{other}')",
    "SELECT kitchen_control.forget_person('bob')",
    "SELECT kitchen_control.approve(1)",
    "SELECT kitchen_control.configure(s) FROM kitchen_control.setting AS s",
    "SELECT kitchen_people.admit('ann', 'admin', NULL)",
    "SELECT kitchen_people.admit('eve', 'developer', '{verifier}')",
    "SELECT kitchen_people.shut_out('bob')",
    "SELECT kitchen_people.see_out('bob')",
    "SELECT * FROM kitchen_people.activity()",
    "CREATE OR REPLACE FUNCTION kitchen_control.me() RETURNS text LANGUAGE sql AS 'SELECT ''bob'''",
    "CREATE FUNCTION kitchen_control.planted() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "CREATE FUNCTION kitchen_people.planted() RETURNS int LANGUAGE sql AS 'SELECT 1'",
    "ALTER FUNCTION kitchen_control.me() SET search_path = public",
    "ALTER FUNCTION kitchen_control.may_use(text) OWNER TO CURRENT_USER",
    "DROP FUNCTION kitchen_people.admit(text, text, text)",
    "GRANT EXECUTE ON FUNCTION kitchen_control.approve(integer) TO CURRENT_USER",
    "ALTER TABLE kitchen_control.kitchen DISABLE ROW LEVEL SECURITY",
    "DROP POLICY save ON kitchen_control.kitchen",
    "CREATE POLICY planted ON kitchen_control.kitchen USING (true)",
    "ALTER POLICY save ON kitchen_control.kitchen WITH CHECK (true)",
    "ALTER TABLE kitchen_control.audit DISABLE TRIGGER ALL",
    "ALTER TABLE kitchen_control.kitchen DISABLE TRIGGER close_leases",
    "DROP TRIGGER stamp_person ON kitchen_control.run",
    "CREATE TABLE kitchen_control.planted (id int)",
    "DROP SCHEMA kitchen_control CASCADE",
    "DROP SCHEMA kitchen_people CASCADE",
    "ALTER SCHEMA kitchen_people RENAME TO planted",
    "GRANT ALL ON SCHEMA kitchen_control TO PUBLIC",
    "GRANT SELECT ON kitchen_control.kitchen TO PUBLIC",
)
PEOPLE = (
    *(f"{verb} kitchen__dev__{role}" for role in (
        "releaser", "admin", "runner", "deputy", "registrar", "bob__person") for verb in ("SET ROLE",)),
    *(f"GRANT kitchen__dev__{role} TO CURRENT_USER" for role in (
        "viewer", "developer", "releaser", "admin", "runner", "deputy", "registrar", "bob__person")),
    "REVOKE kitchen__dev__developer FROM kitchen__dev__bob__person",
    "SET SESSION AUTHORIZATION kitchen__dev__bob__person",
    "ALTER ROLE kitchen__dev__bob__person PASSWORD 'x'",
    "ALTER ROLE kitchen__dev__bob__person NOLOGIN",
    "ALTER ROLE kitchen__dev__registrar LOGIN",
    "DROP ROLE kitchen__dev__bob__person",
    "COMMENT ON ROLE kitchen__dev__ann__person IS 'x'",
    "ALTER ROLE CURRENT_USER CREATEROLE",
    "ALTER ROLE CURRENT_USER CONNECTION LIMIT 1000",
    "SELECT pg_terminate_backend({pid})",
)  # fmt: skip


def sound() -> Iterator[str]:
    """Return what the spoilt statements are made from; were these refused too, those would prove nothing."""
    yield _KITCHEN.format(**_SOUND)
    yield _OPERATION.format(kind="hydrate", subject="tries", arguments="{}", state="running")


def people_probes(names: Names, identities: dict[str, str]) -> Iterator[str]:
    """Return what must be refused to a person, or change nothing."""
    reading = {statement for statement in CONTROL if statement.startswith("SELECT *")}  # a person may read records
    appending = {statement for statement in CONTROL if "audit_append" in statement}  # and say what they do
    free = {"INSERT INTO kitchen_control.lock VALUES ('x')"}  # and hold a name that is nobody's
    unwanted = {statement.format(mine=names.mine) for statement in reading | appending | free}
    yield from (statement for statement in probes(names) if statement not in unwanted)
    for field, value in _SPOILT:
        yield _KITCHEN.format(**{**_SOUND, field: value})
    other = f'{{"kitchen": {{"name": "other", "id": "{identities["other_id"]}", "environment": "dev"}}}}'
    mine = (
        f'{{"kitchen": {{"name": "tries", "id": "{identities["other_id"]}", "environment": "dev", "kind": "working"}}}}'
    )
    away = f'{{"kitchen": {{"name": "tries", "id": "{identities["mine_id"]}", "environment": "x", "kind": "working"}}}}'
    for kind, subject, arguments, state in (
        ("merge", "tries", "{}", "running"), ("promote", "dev", "{}", "running"), ("delete", "other", other, "running"),
        ("delete", "tries", other, "running"), ("delete", "tries", mine, "running"),
        ("delete", "tries", "{}", "running"), ("create", "tries", away, "running"),
        ("hydrate", "other", "{}", "running"), ("hydrate", "dev", "{}", "running"),
        ("hydrate", "tries", "{}", "done"), ("update", "tries", '{"kitchen": "other"}', "running"),
        ("pantry refresh", "pantry", "{}", "running"),
    ):  # fmt: skip
        yield _OPERATION.format(kind=kind, subject=subject, arguments=arguments, state=state)
    yield from _filled((*RECORDS, *REQUESTS, *APPROVALS, *FUNCTIONS, *PEOPLE), names, identities)


def record_probes(names: Names, identities: dict[str, str]) -> Iterator[str]:
    """Return what must be refused to a viewer, and to a releaser except to approve what others have planned."""
    approving = [each for each in APPROVALS if "control.approve(" not in each]
    yield from _filled((*RECORDS, *REQUESTS, *approving), names, identities)


def _filled(statements: tuple[str, ...], names: Names, identities: dict[str, str]) -> Iterator[str]:
    common = {"provisioner": names.provisioner, "other": names.other_owner, "pid": names.pid, "verifier": _VERIFIER}
    for statement in statements:
        yield statement.format(**common, **identities)
