-- Samples of failed tests and logs of nodes hold rows: they are for those who ran it and those whose kitchen it is. What
-- ran in the standing kitchen and for merges is for everybody who was let in, unless the environment holds production.

CREATE OR REPLACE FUNCTION kitchen_control.may_see(run uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(r.by = kitchen_control.me(), false) OR kitchen_control.may_use(r.kitchen)
        OR (NOT s.holds_production AND (r.kitchen = s.environment OR r.kitchen ~ '^c_[0-9a-f]{12}$'))
    FROM kitchen_control.run AS r, kitchen_control.setting AS s WHERE r.id = may_see.run
$$;
DROP POLICY see ON kitchen_control.test_result;
CREATE POLICY see ON kitchen_control.test_result FOR SELECT USING (kitchen_control.may_see(run));
DROP POLICY see ON kitchen_control.node_run;
CREATE POLICY see ON kitchen_control.node_run FOR SELECT USING (kitchen_control.may_see(run));
