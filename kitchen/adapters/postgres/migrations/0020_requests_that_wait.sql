-- A request whose release needs approvals waits for them, and is taken up when they are there.

ALTER TABLE kitchen_control.merge_request
DROP CONSTRAINT merge_request_state_check,
DROP CONSTRAINT merge_request_check,
ADD CONSTRAINT merge_request_state_check
CHECK (state IN ('queued', 'proving', 'waiting', 'published', 'refused', 'withdrawn')),
ADD CONSTRAINT merge_request_check CHECK ((state IN ('queued', 'proving', 'waiting')) = (ended_at IS NULL)),
ADD COLUMN base text; -- of one that is refused: what the target's branch had then
DROP INDEX kitchen_control.merge_request_standing;
CREATE UNIQUE INDEX merge_request_standing ON kitchen_control.merge_request (kitchen_id) WHERE ended_at IS NULL;

-- Whether a runner has anything to do for it: one that waits is due when its approvals are there, when its plan is
-- overtaken by another release into its target, and when nobody may have it answered any more.
CREATE FUNCTION kitchen_control.request_is_due(r kitchen_control.merge_request) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.ended_at IS NULL AND (
        r.state <> 'waiting'
        OR coalesce(kitchen_control.missing_approvals(r.release), 0) = 0
        OR kitchen_control.merge_is_unwanted(r.kitchen_id, r."by", r.target, r.branch) IS NOT NULL
        OR EXISTS (SELECT FROM kitchen_control.release AS l
                   WHERE l.kitchen = r.target AND l.number <> r.release AND l.released_at > r.taken_at))
$$;

CREATE OR REPLACE FUNCTION kitchen_control.ask_merge(identity uuid, commit text) RETURNS integer
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
    WHERE r.kitchen_id = k.id AND r.ended_at IS NULL;
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

CREATE OR REPLACE FUNCTION kitchen_control.withdraw_merge(request integer) RETURNS text
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
    IF r.state NOT IN ('queued', 'waiting') THEN
        RETURN r.state;
    END IF;
    UPDATE kitchen_control.merge_request SET state = 'withdrawn', ended_at = now(), said = 'taken back'
    WHERE number = r.number;
    PERFORM kitchen_control.audit_append(coalesce(me, session_user), coalesce(host(inet_client_addr()), ''), 'outcome',
        'ask to merge', r.kitchen, 'withdrawn', jsonb_build_object('request', r.number));
    RETURN 'withdrawn';
END
$$;

ALTER FUNCTION kitchen_control.configure(kitchen_control.setting) RENAME TO configure_approvals;
CREATE FUNCTION kitchen_control.configure(rules kitchen_control.setting) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT kitchen_control.configure_approvals(rules) THEN
        RETURN false;
    END IF;
    EXECUTE format('GRANT EXECUTE ON FUNCTION kitchen_control.request_is_due(kitchen_control.merge_request) TO %I',
                   format('kitchen__%s__viewer', rules.environment));
    RETURN true;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kitchen_control FROM PUBLIC;
