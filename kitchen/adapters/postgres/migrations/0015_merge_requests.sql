-- Who may not publish asks: a person names a kitchen of theirs and a commit of its branch, everything else follows from
-- the kitchen's record. Requests and when a runner was there are for everybody to see; they are written by the functions
-- here and by whoever acts as the provisioner, never by the people themselves.

CREATE TABLE kitchen_control.merge_request (
    number integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kitchen_id uuid NOT NULL,
    kitchen text NOT NULL,
    target text NOT NULL,
    branch text NOT NULL,
    commit text NOT NULL,
    by text NOT NULL,
    asked_at timestamptz NOT NULL DEFAULT now(),
    state text NOT NULL DEFAULT 'queued' CHECK (state IN ('queued', 'proving', 'published', 'refused', 'withdrawn')),
    attempts integer NOT NULL DEFAULT 0,
    taken_by text,
    taken_at timestamptz,
    release integer REFERENCES kitchen_control.release (number),
    ended_at timestamptz,
    code integer, -- of a refusal: the exit code that the merge would have had
    said text,
    hint text,
    CHECK ((state IN ('queued', 'proving')) = (ended_at IS NULL))
);
CREATE UNIQUE INDEX merge_request_standing ON kitchen_control.merge_request (kitchen_id)
WHERE state IN ('queued', 'proving');
CREATE INDEX merge_request_by ON kitchen_control.merge_request (by, asked_at);

CREATE TABLE kitchen_control.runner (
    name text PRIMARY KEY,
    host text NOT NULL,
    seen_at timestamptz NOT NULL DEFAULT now()
);
REVOKE ALL ON kitchen_control.merge_request, kitchen_control.runner FROM PUBLIC;

ALTER TABLE kitchen_control.merge_request ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON kitchen_control.merge_request FOR SELECT USING (true);
ALTER TABLE kitchen_control.runner ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON kitchen_control.runner FOR SELECT USING (true);

-- Why a request must not be answered, or null. Asked when somebody asks and again when its turn comes: a person leaves,
-- a kitchen is deleted, handed on, or stands on another parent by then.
CREATE FUNCTION kitchen_control.merge_is_unwanted(identity uuid, person text, target text, branch text) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN p.name IS NULL THEN format('%s is not in this environment any more', person)
        WHEN p.role = 'viewer' THEN format('%s is a viewer', person)
        WHEN k.id IS NULL THEN 'the kitchen is not there any more'
        WHEN k.owner <> person AND person <> ALL (k.staff) THEN
            format('%s is neither owner nor staff of kitchen %s', person, k.name)
        WHEN k.kind <> 'working' OR k.branch IS NULL THEN format('kitchen %s is not one that is merged', k.name)
        WHEN k.mends IS NOT NULL THEN format('kitchen %s is a hotfix of %s and is not merged', k.name, k.mends)
        WHEN k.state <> 'ready' THEN format('kitchen %s is %s', k.name, k.state)
        WHEN k.parent <> merge_is_unwanted.target OR k.branch <> merge_is_unwanted.branch THEN
            format('kitchen %s stands on %s now, with the branch %s', k.name, k.parent, k.branch)
        WHEN above.name IS NULL THEN format('its parent %s is not there any more', k.parent)
        WHEN above.kind = 'working' AND above.owner <> person AND person <> ALL (above.staff) THEN
            format('kitchen %s, into which it would go, is private', above.name)
    END
    FROM (SELECT 1) AS one
    LEFT JOIN kitchen_control.person AS p ON p.name = person AND p.revoked_at IS NULL
    LEFT JOIN kitchen_control.kitchen AS k ON k.id = identity
    LEFT JOIN kitchen_control.kitchen AS above ON above.name = k.parent
$$;

-- The caller names only which kitchen and which commit of its branch; asking the same again gives the same request.
CREATE FUNCTION kitchen_control.ask_merge(identity uuid, commit text) RETURNS integer
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    me text := kitchen_control.me();
    k kitchen_control.kitchen;
    standing kitchen_control.merge_request;
    unwanted text;
    made integer;
BEGIN
    IF commit !~ '^([0-9a-f]{40}|[0-9a-f]{64})$' THEN
        RAISE EXCEPTION 'that names no commit' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM FROM kitchen_control.person WHERE name = me FOR UPDATE; -- one request of a person's after the other
    SELECT * INTO k FROM kitchen_control.kitchen WHERE id = identity FOR UPDATE;
    unwanted := kitchen_control.merge_is_unwanted(identity, me, k.parent, k.branch);
    IF me IS NULL OR unwanted IS NOT NULL THEN
        RAISE EXCEPTION '%', CASE WHEN me IS NULL THEN format('%s is nobody here', session_user) ELSE unwanted END
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT * INTO standing FROM kitchen_control.merge_request AS r
    WHERE r.kitchen_id = k.id AND r.state IN ('queued', 'proving');
    IF standing.commit = ask_merge.commit AND standing.target = k.parent THEN
        RETURN standing.number;
    ELSIF standing.number IS NOT NULL THEN
        RAISE EXCEPTION 'a merge of kitchen % is asked for already, by %, at %', k.name, standing."by",
            left(standing.commit, 12) USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF (SELECT count(*) FROM kitchen_control.merge_request AS r
        WHERE r."by" = me AND r.asked_at > now() - interval '1 hour') >= 60 THEN
        RAISE EXCEPTION '% asked for 60 merges within an hour', me USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO kitchen_control.merge_request (kitchen_id, kitchen, target, branch, commit, by)
    VALUES (k.id, k.name, k.parent, k.branch, ask_merge.commit, me) RETURNING number INTO made;
    PERFORM kitchen_control.audit_append(me, coalesce(host(inet_client_addr()), ''), 'outcome', 'ask to merge', k.name,
        'queued', jsonb_build_object('request', made, 'commit', ask_merge.commit, 'into', k.parent));
    RETURN made;
END
$$;

-- Whoever may use the kitchen, or publish into it, takes a request back that nobody has begun to answer.
CREATE FUNCTION kitchen_control.withdraw_merge(request integer) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    me text := kitchen_control.me();
    r kitchen_control.merge_request;
BEGIN
    SELECT * INTO r FROM kitchen_control.merge_request WHERE number = request FOR UPDATE;
    IF r.number IS NULL OR NOT (coalesce(r."by" = me, false) OR kitchen_control.is_trusted()
        OR EXISTS (SELECT FROM kitchen_control.kitchen AS k
                   WHERE k.id = r.kitchen_id AND kitchen_control.may_use(k.name))) THEN
        RAISE EXCEPTION 'request % is not yours', request USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF r.state <> 'queued' THEN
        RETURN r.state;
    END IF;
    UPDATE kitchen_control.merge_request SET state = 'withdrawn', ended_at = now(), said = 'taken back'
    WHERE number = r.number;
    PERFORM kitchen_control.audit_append(coalesce(me, session_user), coalesce(host(inet_client_addr()), ''), 'outcome',
        'ask to merge', r.kitchen, 'withdrawn', jsonb_build_object('request', r.number));
    RETURN 'withdrawn';
END
$$;

-- who asked for a release does not approve it, though a runner planned it
CREATE FUNCTION kitchen_control.refuse_own_approval() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM kitchen_control.merge_request AS r WHERE r.release = NEW.release AND r."by" = NEW."by") THEN
        RAISE EXCEPTION 'a release is not approved by %, who asked for it', NEW."by"
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER who_asked_does_not_approve BEFORE INSERT ON kitchen_control.approval
FOR EACH ROW EXECUTE FUNCTION kitchen_control.refuse_own_approval();

ALTER FUNCTION kitchen_control.configure(kitchen_control.setting) RENAME TO configure_records;
CREATE FUNCTION kitchen_control.configure(rules kitchen_control.setting) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT kitchen_control.configure_records(rules) THEN
        RETURN false;
    END IF;
    EXECUTE format('GRANT EXECUTE ON FUNCTION kitchen_control.ask_merge(uuid, text),
        kitchen_control.withdraw_merge(integer) TO %I', format('kitchen__%s__developer', rules.environment));
    RETURN true;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kitchen_control FROM PUBLIC;
