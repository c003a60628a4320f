-- A hotfix lives in this environment and mends one above: its branch comes from there and goes back there.

ALTER TABLE kitchen_control.kitchen ADD COLUMN mends text;

-- what a kitchen's branch goes into is decided when it is made
CREATE OR REPLACE FUNCTION kitchen_control.may_save(new kitchen_control.kitchen) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old kitchen_control.kitchen;
    me text := kitchen_control.me();
BEGIN
    SELECT * INTO old FROM kitchen_control.kitchen WHERE id = new.id;
    RETURN coalesce(
        old.kind = 'working' AND (old.owner = me OR me = ANY (old.staff))
        AND (new.name, new.environment, new.kind, new.isolated, new.data, new.created_at)
          = (old.name, old.environment, old.kind, old.isolated, old.data, old.created_at)
        AND (new.owner = old.owner OR old.owner = me AND EXISTS ( -- handed on
            SELECT FROM kitchen_control.person
            WHERE name = new.owner AND revoked_at IS NULL AND role <> 'viewer'))
        AND new.parent IS NOT DISTINCT FROM old.parent AND new.branch IS NOT DISTINCT FROM old.branch
        AND new.mends IS NOT DISTINCT FROM old.mends
        AND (new.staff = old.staff OR old.owner = me)
        AND (new.state = old.state OR (old.state, new.state) IN (
            ('creating', 'ready'), ('creating', 'deleting'), ('ready', 'deleting'), ('broken', 'deleting')))
        AND (new.pantry IS NOT DISTINCT FROM old.pantry OR EXISTS (
            SELECT FROM kitchen_control.pantry WHERE version = new.pantry AND state = 'ready')), false);
END
$$;

-- it names a kitchen's columns by place
CREATE OR REPLACE FUNCTION kitchen_control.path_of(k kitchen_control.kitchen) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH rules AS (SELECT s FROM kitchen_control.setting AS s),
    logical AS (SELECT l.name, l.place FROM rules, unnest((rules.s).logical) WITH ORDINALITY AS l (name, place)),
    heads AS (
        SELECT k.name, 0 AS depth
        UNION ALL
        SELECT p.name, p.place::integer FROM kitchen_control.parents(k) WITH ORDINALITY AS p (
            id, name, environment, kind, state, branch, base_commit, parent, pantry, owner, created_at, expires_at,
            isolated, data, staff, ticket, mends, place)
        UNION ALL
        SELECT 'pantry_v' || k.pantry, 1000 WHERE k.pantry IS NOT NULL
    ),
    places AS (
        SELECT kitchen_control.derived(heads.name, logical.name, rules.s) AS schema, logical.place, heads.depth
        FROM rules, logical, heads
        UNION ALL
        SELECT kitchen_control.derived('pantry_types', logical.name, rules.s), 1000 + logical.place, 0
        FROM rules, logical WHERE k.pantry IS NOT NULL
    )
    SELECT string_agg(quote_ident(schema), ', ' ORDER BY place, depth) FROM places
$$;
