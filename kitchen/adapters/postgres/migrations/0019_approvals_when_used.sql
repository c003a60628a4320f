-- An approval is judged when it is used, too: whoever gave it may have left, or have another role, by then.

ALTER TABLE kitchen_control.approval ADD COLUMN login text; -- whose session gave it
UPDATE kitchen_control.approval AS a SET login = coalesce(
    (SELECT p.login FROM kitchen_control.person AS p WHERE p.name = a."by"),
    (SELECT pg_get_userbyid(n.nspowner)::text FROM pg_namespace AS n WHERE n.nspname = 'kitchen_control'));
ALTER TABLE kitchen_control.approval ALTER COLUMN login SET NOT NULL;

CREATE FUNCTION kitchen_control.stamp_approval() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW."by" := coalesce(kitchen_control.me(), NEW."by");
    NEW.login := session_user;
    NEW.own := NEW."by" = (SELECT r."by" FROM kitchen_control.release AS r WHERE r.number = NEW.release);
    RETURN NEW;
END
$$;
DROP TRIGGER stamp_person ON kitchen_control.approval;
CREATE TRIGGER stamp_approval BEFORE INSERT ON kitchen_control.approval
FOR EACH ROW EXECUTE FUNCTION kitchen_control.stamp_approval();

CREATE FUNCTION kitchen_control.asked_for(release integer, person text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM kitchen_control.merge_request AS r
        JOIN kitchen_control.release AS l ON l.number = asked_for.release
        WHERE r."by" = asked_for.person
          AND (r.release = l.number OR (r.kitchen, r.commit) = (l.plan ->> 'source', l.plan ->> 'head')))
$$;
CREATE OR REPLACE FUNCTION kitchen_control.refuse_own_approval() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF kitchen_control.asked_for(NEW.release, NEW."by") THEN
        RAISE EXCEPTION 'a release is not approved by %, who asked for it', NEW."by"
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;

-- Why an approval does not count, or null. A login that is nobody's own must be one that acts as the provisioner.
CREATE FUNCTION kitchen_control.approval_is_void(a kitchen_control.approval) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE
        WHEN a.plan_hash <> r.plan_hash THEN 'it was given to an earlier plan'
        WHEN p.revoked_at IS NOT NULL THEN format('%s was revoked', p.name)
        WHEN p.role NOT IN ('releaser', 'admin') THEN format('%s is %s now', p.name, p.role)
        WHEN p.admitted_at > a.at THEN format('%s was admitted as %s after it', p.name, p.role)
        WHEN p.name IS NULL AND (right(a.login, 8) = '__person' OR NOT EXISTS (
            SELECT FROM pg_roles AS l
            WHERE l.rolname = a.login AND pg_has_role(l.oid, current_user, 'MEMBER'))) THEN
            format('%s may not approve here any more', a."by")
        WHEN kitchen_control.asked_for(a.release, a."by") THEN format('%s asked for it', a."by")
        WHEN a.own AND (r.plan ? 'loosens' OR r.plan ? 'others') THEN format('%s planned it', a."by")
    END
    FROM kitchen_control.release AS r LEFT JOIN kitchen_control.person AS p ON p.login = a.login
    WHERE r.number = a.release
$$;

CREATE FUNCTION kitchen_control.missing_approvals(release integer) RETURNS integer
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT greatest(0, coalesce((r.plan ->> 'approvals')::integer, 0) - (
        SELECT count(DISTINCT a."by") FROM kitchen_control.approval AS a
        WHERE a.release = r.number AND kitchen_control.approval_is_void(a) IS NULL)::integer)
    FROM kitchen_control.release AS r WHERE r.number = missing_approvals.release
$$;

-- Given again, one that counts stays as it is; one that does not is given anew.
CREATE FUNCTION kitchen_control.record_approval(release integer, person text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM kitchen_control.release AS r WHERE r.number = record_approval.release
                   AND r.state IN ('planned', 'failed')) THEN
        RETURN false;
    END IF;
    INSERT INTO kitchen_control.approval AS a (release, "by", plan_hash, at, own)
    SELECT r.number, person, r.plan_hash, clock_timestamp(), false FROM kitchen_control.release AS r
    WHERE r.number = record_approval.release
    ON CONFLICT ON CONSTRAINT approval_pkey DO UPDATE SET at = excluded.at, login = excluded.login, own = excluded.own
    WHERE kitchen_control.approval_is_void(a) IS NOT NULL;
    RETURN true;
END
$$;

CREATE OR REPLACE FUNCTION kitchen_control.approve(release integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    planned kitchen_control.release;
    me text := kitchen_control.me();
BEGIN
    SELECT * INTO planned FROM kitchen_control.release WHERE number = approve.release FOR UPDATE;
    IF me IS NULL OR planned."by" = me THEN
        RAISE EXCEPTION 'a release is not approved by %, who planned it', coalesce(me, session_user)
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN kitchen_control.record_approval(approve.release, me);
END
$$;

CREATE FUNCTION kitchen_control.refuse_unapproved() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF kitchen_control.missing_approvals(NEW.number) > 0 THEN
        RAISE EXCEPTION 'release % needs % more approval(s)', NEW.number,
            kitchen_control.missing_approvals(NEW.number) USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
CREATE TRIGGER unapproved_stays BEFORE UPDATE OF state ON kitchen_control.release FOR EACH ROW
WHEN (NEW.state = 'applying' AND OLD.state <> 'applying') EXECUTE FUNCTION kitchen_control.refuse_unapproved();

ALTER FUNCTION kitchen_control.configure(kitchen_control.setting) RENAME TO configure_locks;
CREATE FUNCTION kitchen_control.configure(rules kitchen_control.setting) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT kitchen_control.configure_locks(rules) THEN
        RETURN false;
    END IF;
    EXECUTE format('GRANT EXECUTE ON FUNCTION kitchen_control.approval_is_void(kitchen_control.approval) TO %I',
                   format('kitchen__%s__viewer', rules.environment));
    RETURN true;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kitchen_control FROM PUBLIC;
