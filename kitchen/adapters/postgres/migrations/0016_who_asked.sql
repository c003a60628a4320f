-- Who asked for a change does not approve it: known by what the plan brings in, whoever planned it and whatever became
-- of the request since.

CREATE OR REPLACE FUNCTION kitchen_control.refuse_own_approval() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (
        SELECT FROM kitchen_control.merge_request AS r JOIN kitchen_control.release AS l ON l.number = NEW.release
        WHERE r."by" = NEW."by"
          AND (r.release = l.number OR (r.kitchen, r.commit) = (l.plan ->> 'source', l.plan ->> 'head'))) THEN
        RAISE EXCEPTION 'a release is not approved by %, who asked for it', NEW."by"
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN NEW;
END
$$;
