-- Kitchens, the journal of what is being done to them, locks and the audit. Nothing here is open to PUBLIC:
-- schema kitchen_control gives USAGE to nobody, and functions take EXECUTE back.

CREATE TABLE kitchen_control.kitchen (
    id uuid PRIMARY KEY,
    name text NOT NULL UNIQUE,
    environment text NOT NULL,
    kind text NOT NULL CHECK (kind IN ('standing', 'working', 'candidate')),
    state text NOT NULL CHECK (state IN ('creating', 'ready', 'publishing', 'deleting', 'broken')),
    branch text,
    base_commit text,
    -- a parent that is gone would leave its children without their layer
    parent text REFERENCES kitchen_control.kitchen (name),
    pantry integer,
    owner text NOT NULL,
    created_at timestamptz NOT NULL,
    expires_at timestamptz,
    isolated boolean NOT NULL,
    data text NOT NULL,
    staff text[] NOT NULL,
    ticket text
);
CREATE INDEX kitchen_parent ON kitchen_control.kitchen (parent);
-- two kitchens on one branch would overwrite each other's work
CREATE UNIQUE INDEX kitchen_branch ON kitchen_control.kitchen (branch) WHERE branch IS NOT NULL;

-- One row, locked while a kitchen is added: quotas are counted and taken in one moment.
CREATE TABLE kitchen_control.reception (only_row boolean PRIMARY KEY CHECK (only_row));
INSERT INTO kitchen_control.reception VALUES (true);

CREATE TABLE kitchen_control.operation (
    id uuid PRIMARY KEY,
    kind text NOT NULL,
    subject text NOT NULL,
    arguments jsonb NOT NULL,
    state text NOT NULL CHECK (state IN ('running', 'done', 'undone', 'stuck')),
    by text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    version text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    error text,
    -- counts who took the operation over: what an earlier holder still says is refused
    claim integer NOT NULL DEFAULT 1
);
CREATE INDEX operation_unfinished ON kitchen_control.operation (started_at) WHERE state IN ('running', 'stuck');

CREATE TABLE kitchen_control.step (
    operation uuid NOT NULL REFERENCES kitchen_control.operation (id) ON DELETE CASCADE,
    position bigint NOT NULL GENERATED ALWAYS AS IDENTITY,
    name text NOT NULL,
    state text NOT NULL CHECK (state IN ('started', 'done', 'undone')),
    changed_at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (operation, name)
);

-- A lock is a row lock on its row here, held in a transaction of the holder's own session: the server frees it when
-- the holder dies. Who holds it stands in a table of its own, because the locking transaction never commits a word.
CREATE TABLE kitchen_control.lock (name text PRIMARY KEY);
CREATE TABLE kitchen_control.lock_holder (
    name text PRIMARY KEY, -- no foreign key: its check would wait for the very lock
    person text NOT NULL,
    host text NOT NULL,
    pid integer NOT NULL,
    backend integer NOT NULL,
    purpose text NOT NULL,
    since timestamptz NOT NULL
);

CREATE TABLE kitchen_control.audit (
    position bigint PRIMARY KEY,
    at timestamptz NOT NULL,
    login text NOT NULL,
    person text NOT NULL,
    host text NOT NULL,
    phase text NOT NULL CHECK (phase IN ('intent', 'outcome')),
    action text NOT NULL,
    subject text NOT NULL,
    result text,
    detail jsonb NOT NULL,
    previous text NOT NULL,
    hash text NOT NULL
);
CREATE TABLE kitchen_control.audit_head (
    only_row boolean PRIMARY KEY CHECK (only_row),
    chain uuid NOT NULL,
    position bigint NOT NULL,
    hash text NOT NULL
);
-- the chain is named, so that entries of another warehouse cannot be passed off as this one's
INSERT INTO kitchen_control.audit_head
SELECT true, chain, 0, encode(sha256(convert_to(chain::text, 'UTF8')), 'hex')
FROM (SELECT gen_random_uuid() AS chain) AS made;

CREATE FUNCTION kitchen_control.audit_text(entry kitchen_control.audit) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT jsonb_build_array(
        entry.position, (extract(epoch FROM entry.at) * 1000000)::bigint, entry.login, entry.person, entry.host,
        entry.phase, entry.action, entry.subject, entry.result, entry.detail, entry.previous
    )::text
$$;

CREATE FUNCTION kitchen_control.audit_append(
    person text, host text, phase text, action text, subject text, result text, detail jsonb
) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head kitchen_control.audit_head;
    entry kitchen_control.audit;
BEGIN
    SELECT * INTO STRICT head FROM kitchen_control.audit_head FOR UPDATE;
    entry := ROW(
        head.position + 1, clock_timestamp(), session_user, person, host, phase, action, subject, result, detail,
        head.hash, ''
    );
    entry.hash := encode(sha256(convert_to(kitchen_control.audit_text(entry), 'UTF8')), 'hex');
    INSERT INTO kitchen_control.audit SELECT entry.*;
    UPDATE kitchen_control.audit_head SET position = entry.position, hash = entry.hash;
    RETURN entry.position;
END
$$;

CREATE FUNCTION kitchen_control.audit_is_append_only() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'the audit is append-only: % refused', TG_OP USING ERRCODE = 'insufficient_privilege';
END
$$;
CREATE TRIGGER append_only BEFORE UPDATE OR DELETE ON kitchen_control.audit
FOR EACH ROW EXECUTE FUNCTION kitchen_control.audit_is_append_only();
CREATE TRIGGER append_only_whole BEFORE TRUNCATE ON kitchen_control.audit
FOR EACH STATEMENT EXECUTE FUNCTION kitchen_control.audit_is_append_only();

REVOKE ALL ON ALL TABLES IN SCHEMA kitchen_control FROM PUBLIC;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kitchen_control FROM PUBLIC;
