-- What is merged into a private kitchen is proven over its tables: what a request says, and what its candidate's runs
-- keep, holds rows of it, and is for those whose kitchen it is.

CREATE FUNCTION kitchen_control.may_see_into(target text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT kitchen_control.may_use(target) OR NOT EXISTS (
        SELECT FROM kitchen_control.setting AS s WHERE s.environment <> target)
$$;

DROP POLICY see ON kitchen_control.merge_request;
CREATE POLICY see ON kitchen_control.merge_request FOR SELECT USING (
    coalesce("by" = kitchen_control.me(), false) OR kitchen_control.may_use(kitchen)
    OR kitchen_control.may_see_into(target));

CREATE INDEX operation_candidate ON kitchen_control.operation ((arguments -> 'candidate' ->> 'name'))
WHERE kind = 'merge';
CREATE OR REPLACE FUNCTION kitchen_control.may_see(run uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(r.by = kitchen_control.me(), false) OR kitchen_control.may_use(r.kitchen)
        OR (NOT s.holds_production AND (r.kitchen = s.environment OR r.kitchen ~ '^c_[0-9a-f]{12}$' AND NOT EXISTS (
            SELECT FROM kitchen_control.operation AS o
            WHERE o.kind = 'merge' AND o.arguments -> 'candidate' ->> 'name' = r.kitchen
              AND NOT kitchen_control.may_see_into(o.subject))))
    FROM kitchen_control.run AS r, kitchen_control.setting AS s WHERE r.id = may_see.run
$$;

ALTER FUNCTION kitchen_control.configure(kitchen_control.setting) RENAME TO configure_waiting;
CREATE FUNCTION kitchen_control.configure(rules kitchen_control.setting) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT kitchen_control.configure_waiting(rules) THEN
        RETURN false;
    END IF;
    EXECUTE format('GRANT EXECUTE ON FUNCTION kitchen_control.may_see_into(text) TO %I',
                   format('kitchen__%s__viewer', rules.environment));
    RETURN true;
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kitchen_control FROM PUBLIC;
