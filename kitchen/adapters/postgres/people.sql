-- Made by the administrator, owned by the registrar: what lets people in and out. {names} are filled in quoted.

CREATE OR REPLACE FUNCTION kitchen_people.admit(person text, role text, verifier text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $people$
DECLARE
    login text := format('kitchen__%s__%s__person', {environment}, person);
    mark text := {mark} || ', ' || person;
    other text;
BEGIN
    IF person !~ '^[a-z](_?[a-z0-9])*$' OR length(person) > 24
       OR role <> ALL ('{viewer,developer,releaser,admin,runner}'::text[])
       OR verifier !~ '^SCRAM-SHA-256\$4096:[A-Za-z0-9+/=]{16,64}\$[A-Za-z0-9+/=]{44}:[A-Za-z0-9+/=]{44}$' THEN
        RAISE EXCEPTION 'neither a person, a role nor a verifier' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    PERFORM kitchen_control.audit_append(session_user, '', 'intent', 'admit', person, NULL,
                                         jsonb_build_object('role', role, 'password', verifier IS NOT NULL));
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
        IF (SELECT shobj_description(oid, 'pg_authid') FROM pg_roles WHERE rolname = login) IS DISTINCT FROM mark THEN
            RAISE EXCEPTION 'the role % is there for something else', login USING ERRCODE = 'duplicate_object';
        END IF;
    ELSIF verifier IS NULL THEN
        RAISE EXCEPTION '% needs a password first', person USING ERRCODE = 'invalid_parameter_value';
    ELSE
        EXECUTE format('CREATE ROLE %I NOLOGIN CONNECTION LIMIT 50', login);
        EXECUTE format('COMMENT ON ROLE %I IS %L', login, mark);
        EXECUTE format('GRANT %I TO CURRENT_USER', login) -- whoever lets somebody out ends the sessions
            || CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN ' WITH INHERIT TRUE, SET FALSE'
                    ELSE '' END;
    END IF;
    FOREACH other IN ARRAY '{viewer,developer,releaser,admin,runner}'::text[] LOOP
        IF pg_has_role(login, format('kitchen__%s__%s', {environment}, other), 'MEMBER') AND other <> role THEN
            EXECUTE format('REVOKE %I FROM %I', format('kitchen__%s__%s', {environment}, other), login);
        END IF;
    END LOOP;
    EXECUTE format('GRANT %I TO %I', format('kitchen__%s__%s', {environment}, role), login);
    EXECUTE format('ALTER ROLE %I LOGIN', login)
        || CASE WHEN verifier IS NULL THEN '' ELSE format(' PASSWORD %L', verifier) END;
    INSERT INTO kitchen_control.person (name, login, role, admitted_by)
    VALUES (person, login, role, coalesce(kitchen_control.me(), session_user))
    ON CONFLICT (name) DO UPDATE
    SET role = excluded.role, admitted_by = excluded.admitted_by, admitted_at = now(), revoked_at = NULL;
    PERFORM kitchen_control.audit_append(session_user, '', 'outcome', 'admit', person, 'done',
                                         jsonb_build_object('role', role));
    RETURN login;
END
$people$;

-- The door is closed, and that is committed, before sessions are ended: nobody comes in again in between.
CREATE OR REPLACE FUNCTION kitchen_people.shut_out(person text) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $people$
DECLARE
    login text := format('kitchen__%s__%s__person', {environment}, person);
    other text;
BEGIN
    PERFORM kitchen_control.audit_append(session_user, '', 'intent', 'revoke', person, NULL, '{}');
    UPDATE kitchen_control.person AS p SET revoked_at = coalesce(p.revoked_at, now()) WHERE p.name = shut_out.person;
    IF NOT EXISTS (SELECT FROM pg_roles WHERE rolname = login
                   AND shobj_description(oid, 'pg_authid') = {mark} || ', ' || person) THEN
        RETURN false;
    END IF;
    EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', login);
    FOREACH other IN ARRAY '{viewer,developer,releaser,admin,runner}'::text[] LOOP
        IF pg_has_role(login, format('kitchen__%s__%s', {environment}, other), 'MEMBER') THEN
            EXECUTE format('REVOKE %I FROM %I', format('kitchen__%s__%s', {environment}, other), login);
        END IF;
    END LOOP;
    RETURN true;
END
$people$;

CREATE OR REPLACE FUNCTION kitchen_people.see_out(person text) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $people$
DECLARE
    login text := format('kitchen__%s__%s__person', {environment}, person);
    kitchens text[];
BEGIN
    IF EXISTS (SELECT FROM kitchen_control.person AS p WHERE p.name = see_out.person AND p.revoked_at IS NULL) THEN
        RAISE EXCEPTION '% is not shut out', person USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = login;
    kitchens := kitchen_control.forget_person(person);
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = login
               AND shobj_description(oid, 'pg_authid') = {mark} || ', ' || person) THEN
        EXECUTE format('DROP ROLE %I', login);
    END IF;
    PERFORM kitchen_control.audit_append(session_user, '', 'outcome', 'revoke', person, 'done',
                                         jsonb_build_object('kitchens', kitchens));
    RETURN kitchens;
END
$people$;

-- What people's sessions do: a release waits for snapshots that are older, and the provisioner is no member of theirs.
CREATE OR REPLACE FUNCTION kitchen_people.activity(OUT pid integer, OUT state text, OUT backend_xmin xid)
RETURNS SETOF record LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $people$
    SELECT a.pid, a.state, a.backend_xmin FROM pg_stat_activity AS a
    WHERE a.state IS NOT NULL AND starts_with(a.usename, format('kitchen__%s__', {environment}))
      AND right(a.usename, 8) = '__person'
$people$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kitchen_people FROM PUBLIC;
GRANT USAGE ON SCHEMA kitchen_people TO {admin}, {provisioner};
GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA kitchen_people TO {admin}, {provisioner};
