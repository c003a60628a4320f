-- Who reads through an isolated kitchen reads what that reads, and nothing of what lies above it.

CREATE OR REPLACE FUNCTION kitchen_control.parents(k kitchen_control.kitchen) RETURNS SETOF kitchen_control.kitchen
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE above (name, depth) AS (
        SELECT k.parent, 1 WHERE NOT k.isolated
        UNION ALL
        SELECT p.parent, depth + 1 FROM above JOIN kitchen_control.kitchen AS p ON p.name = above.name
        WHERE depth < 100 AND NOT p.isolated
    )
    SELECT p.* FROM above JOIN kitchen_control.kitchen AS p ON p.name = above.name ORDER BY depth
$$;
