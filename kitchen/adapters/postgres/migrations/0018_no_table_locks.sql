-- Whoever may UPDATE or DELETE in a table as a whole may also LOCK it, and with the one of locks everybody's work. Rights
-- on every column serve as well, and lock rows only; a record goes by a function.

CREATE FUNCTION kitchen_control.forget_kitchen(identity uuid) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    DELETE FROM kitchen_control.kitchen AS k
    WHERE k.id = identity AND (kitchen_control.is_trusted() OR kitchen_control.may_remove(k.*))
$$;

ALTER FUNCTION kitchen_control.configure(kitchen_control.setting) RENAME TO configure_requests;
CREATE FUNCTION kitchen_control.configure(rules kitchen_control.setting) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    developer text := format('kitchen__%s__developer', rules.environment);
    changed text;
    columns text;
BEGIN
    IF NOT kitchen_control.configure_requests(rules) THEN
        RETURN false;
    END IF;
    FOREACH changed IN ARRAY '{reception,kitchen,lock,lock_holder,step,node_run}'::text[] LOOP
        SELECT string_agg(quote_ident(attname), ', ' ORDER BY attnum) INTO STRICT columns FROM pg_attribute
        WHERE attrelid = format('kitchen_control.%I', changed)::regclass AND attnum > 0 AND NOT attisdropped;
        EXECUTE format('REVOKE UPDATE, DELETE ON kitchen_control.%I FROM %I', changed, developer);
        EXECUTE format('GRANT UPDATE (%s) ON kitchen_control.%I TO %I', columns, changed, developer);
    END LOOP;
    EXECUTE format('GRANT EXECUTE ON FUNCTION kitchen_control.forget_kitchen(uuid) TO %I', developer);
    RETURN true;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kitchen_control FROM PUBLIC;
