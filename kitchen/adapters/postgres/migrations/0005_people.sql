-- People with logins of their own. Rows are guarded by policies, privileged work by functions that know the caller by
-- session_user; the tables' owner, the provisioner, passes both. Grants to the group roles: kitchen_control.configure().

CREATE TABLE kitchen_control.setting (
    only_row boolean PRIMARY KEY CHECK (only_row),
    environment text NOT NULL,
    logical text[] NOT NULL,
    holds_production boolean NOT NULL,
    working boolean NOT NULL,
    total integer NOT NULL,
    per_person integer NOT NULL
);
CREATE TABLE kitchen_control.person (
    name text PRIMARY KEY,
    login text NOT NULL UNIQUE,
    role text NOT NULL CHECK (role IN ('viewer', 'developer', 'releaser', 'admin', 'runner')),
    admitted_by text NOT NULL,
    admitted_at timestamptz NOT NULL DEFAULT now(),
    revoked_at timestamptz
);
-- Logins of single clones into single kitchens: what lies on a laptop opens that kitchen and nothing else.
CREATE TABLE kitchen_control.lease (
    login text PRIMARY KEY,
    kitchen uuid NOT NULL,
    person text NOT NULL,
    made_at timestamptz NOT NULL DEFAULT now()
);
REVOKE ALL ON kitchen_control.setting, kitchen_control.person, kitchen_control.lease FROM PUBLIC;

-- --- who asks -------------------------------------------------------------------------------------------------------

CREATE FUNCTION kitchen_control.me() RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT name FROM kitchen_control.person WHERE login = session_user AND revoked_at IS NULL
$$;

-- the provisioner, or somebody who may become it
CREATE FUNCTION kitchen_control.is_trusted() RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT pg_has_role(session_user, current_user, 'MEMBER')
$$;

CREATE FUNCTION kitchen_control.may_use(kitchen text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT EXISTS (
        SELECT FROM kitchen_control.kitchen AS k
        WHERE k.name = may_use.kitchen AND k.kind = 'working'
          AND (k.owner = kitchen_control.me() OR kitchen_control.me() = ANY (k.staff)))
$$;

-- as kitchen.domain.names says it
CREATE FUNCTION kitchen_control.is_name(name text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT length(name) <= 24 AND name ~ '^[a-z](_?[a-z0-9])*$'
       AND name !~ '^(pg_.*|pantry_v[0-9]+|pantry_types.*|r[0-9]+|c_[0-9a-f]{12})$'
       AND name <> ALL ('{kitchen,kitchen_control,kitchen_people,public,pantry,pantry_types,main,master,head,postgres,
           template0,template1,information_schema,all,none,default,this,user,help}'::text[])
$$;

-- --- rows -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION kitchen_control.may_add(new kitchen_control.kitchen) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    rules kitchen_control.setting;
    everybodys bigint;
    own bigint;
BEGIN
    SELECT * INTO STRICT rules FROM kitchen_control.setting;
    IF NOT rules.working OR new.kind <> 'working' OR new.state <> 'creating' OR new.environment <> rules.environment
       OR new.owner IS DISTINCT FROM kitchen_control.me() OR NOT kitchen_control.is_name(new.name)
       OR new.parent IS NULL THEN
        RETURN false;
    END IF;
    IF new.parent <> rules.environment AND NOT kitchen_control.may_use(new.parent) THEN
        RAISE EXCEPTION 'kitchen % is private', new.parent USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF new.pantry IS NOT NULL
       AND NOT EXISTS (SELECT FROM kitchen_control.pantry WHERE version = new.pantry AND state = 'ready') THEN
        RETURN false;
    END IF;
    PERFORM FROM kitchen_control.reception FOR UPDATE;
    SELECT count(*), count(*) FILTER (WHERE owner = new.owner) INTO everybodys, own
    FROM kitchen_control.kitchen WHERE kind = 'working';
    IF own >= rules.per_person OR everybodys >= rules.total THEN
        RAISE EXCEPTION 'there are % kitchens, % of them yours; the environment allows % and % each',
            everybodys, own, rules.total, rules.per_person USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN true;
END
$$;

CREATE FUNCTION kitchen_control.may_save(new kitchen_control.kitchen) RETURNS boolean
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
        AND (new.staff = old.staff OR old.owner = me)
        AND (new.state = old.state OR (old.state, new.state) IN (
            ('creating', 'ready'), ('creating', 'deleting'), ('ready', 'deleting'), ('broken', 'deleting')))
        AND (new.pantry IS NOT DISTINCT FROM old.pantry OR EXISTS (
            SELECT FROM kitchen_control.pantry WHERE version = new.pantry AND state = 'ready')), false);
END
$$;

-- a record goes last: what it names must be gone
CREATE FUNCTION kitchen_control.may_remove(old kitchen_control.kitchen) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT kitchen_control.may_use(old.name) AND old.state IN ('creating', 'deleting') AND NOT EXISTS (
        SELECT FROM pg_roles AS r WHERE r.rolname = format('kitchen__%s__%s__owner', old.environment, old.name)
           AND shobj_description(r.oid, 'pg_authid') = format('kitchen %s', old.id))
$$;

ALTER TABLE kitchen_control.kitchen ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON kitchen_control.kitchen FOR SELECT USING (true);
CREATE POLICY add ON kitchen_control.kitchen FOR INSERT WITH CHECK (kitchen_control.may_add(kitchen.*));
-- whoever adds a child holds its parent's row, so that all rows may be locked; changed are only one's own
CREATE POLICY save ON kitchen_control.kitchen FOR UPDATE USING (true)
    WITH CHECK (kitchen_control.may_save(kitchen.*));
CREATE POLICY remove ON kitchen_control.kitchen FOR DELETE USING (kitchen_control.may_remove(kitchen.*));

CREATE FUNCTION kitchen_control.may_lock(name text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT length(name) <= 200 AND (kitchen_control.may_use(k.name) OR (
        kitchen_control.is_name(k.name) AND NOT EXISTS (SELECT FROM kitchen_control.kitchen AS other
                                                        WHERE other.name = k.name)))
    FROM (SELECT CASE WHEN may_lock.name ~ '^run/' THEN split_part(may_lock.name, '/', 2) ELSE may_lock.name END) AS k (name)
$$;
ALTER TABLE kitchen_control.lock ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON kitchen_control.lock FOR SELECT USING (true);
CREATE POLICY add ON kitchen_control.lock FOR INSERT WITH CHECK (kitchen_control.may_lock(name));
CREATE POLICY hold ON kitchen_control.lock FOR UPDATE USING (kitchen_control.may_lock(name)) WITH CHECK (false);
ALTER TABLE kitchen_control.lock_holder ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON kitchen_control.lock_holder FOR SELECT USING (true);
CREATE POLICY add ON kitchen_control.lock_holder FOR INSERT
    WITH CHECK (kitchen_control.may_lock(name) AND person = kitchen_control.me());
CREATE POLICY change ON kitchen_control.lock_holder FOR UPDATE USING (kitchen_control.may_lock(name))
    WITH CHECK (kitchen_control.may_lock(name) AND person = kitchen_control.me());

-- What the journal says is carried out by whoever recovers it: an operation speaks of its own kitchen only.
CREATE FUNCTION kitchen_control.may_begin(new kitchen_control.operation) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT new."by" = kitchen_control.me() AND new.state = 'running' AND new.claim = 1
       AND new.kind IN ('create', 'delete', 'hydrate', 'update')
       AND kitchen_control.may_lock(new.subject) AND new.subject !~ '/'
       AND CASE jsonb_typeof(new.arguments -> 'kitchen')
               WHEN 'object' THEN new.arguments -> 'kitchen' ->> 'name' = new.subject
                   AND new.arguments -> 'kitchen' ->> 'kind' = 'working'
                   AND new.arguments -> 'kitchen' ->> 'environment' = (SELECT environment FROM kitchen_control.setting)
                   AND coalesce((SELECT k.id::text = new.arguments -> 'kitchen' ->> 'id'
                                 FROM kitchen_control.kitchen AS k WHERE k.name = new.subject), true)
               WHEN 'string' THEN new.arguments ->> 'kitchen' = new.subject
               ELSE new.kind = 'hydrate' END
$$;
CREATE FUNCTION kitchen_control.may_continue(kind text, subject text, by text) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT kind IN ('create', 'delete', 'hydrate', 'update')
       AND (by = kitchen_control.me() OR kitchen_control.may_use(subject))
$$;
ALTER TABLE kitchen_control.operation ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON kitchen_control.operation FOR SELECT USING (true);
CREATE POLICY add ON kitchen_control.operation FOR INSERT WITH CHECK (kitchen_control.may_begin(operation.*));
CREATE POLICY change ON kitchen_control.operation FOR UPDATE
    USING (kitchen_control.may_continue(kind, subject, by));
ALTER TABLE kitchen_control.step ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON kitchen_control.step FOR SELECT USING (true);
CREATE POLICY add ON kitchen_control.step FOR INSERT WITH CHECK (EXISTS (
    SELECT FROM kitchen_control.operation AS o
    WHERE o.id = operation AND kitchen_control.may_continue(o.kind, o.subject, o.by)));
CREATE POLICY change ON kitchen_control.step FOR UPDATE USING (EXISTS (
    SELECT FROM kitchen_control.operation AS o
    WHERE o.id = operation AND kitchen_control.may_continue(o.kind, o.subject, o.by)));

ALTER TABLE kitchen_control.run ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON kitchen_control.run FOR SELECT USING (true);
CREATE POLICY add ON kitchen_control.run FOR INSERT
    WITH CHECK (by = kitchen_control.me() AND kitchen_control.may_use(kitchen));
CREATE POLICY change ON kitchen_control.run FOR UPDATE USING (by = kitchen_control.me());
-- logs and failing rows of a private kitchen are as private as its tables
CREATE FUNCTION kitchen_control.may_see(run uuid) RETURNS boolean
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.by = kitchen_control.me() OR r.kitchen = s.environment OR r.kitchen ~ '^c_[0-9a-f]{12}$'
        OR kitchen_control.may_use(r.kitchen)
    FROM kitchen_control.run AS r, kitchen_control.setting AS s WHERE r.id = may_see.run
$$;
ALTER TABLE kitchen_control.node_run ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON kitchen_control.node_run FOR SELECT USING (kitchen_control.may_see(run));
CREATE POLICY add ON kitchen_control.node_run FOR INSERT
    WITH CHECK (EXISTS (SELECT FROM kitchen_control.run AS r WHERE r.id = run AND r.by = kitchen_control.me()));
CREATE POLICY change ON kitchen_control.node_run FOR UPDATE
    USING (EXISTS (SELECT FROM kitchen_control.run AS r WHERE r.id = run AND r.by = kitchen_control.me()));
ALTER TABLE kitchen_control.test_result ENABLE ROW LEVEL SECURITY;
CREATE POLICY see ON kitchen_control.test_result FOR SELECT USING (kitchen_control.may_see(run));
CREATE POLICY add ON kitchen_control.test_result FOR INSERT
    WITH CHECK (EXISTS (SELECT FROM kitchen_control.run AS r WHERE r.id = run AND r.by = kitchen_control.me()));

-- --- the audit and approvals: said by whoever is logged in ------------------------------------------------------------

CREATE OR REPLACE FUNCTION kitchen_control.audit_append(
    person text, host text, phase text, action text, subject text, result text, detail jsonb
) RETURNS bigint
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head kitchen_control.audit_head;
    entry kitchen_control.audit;
BEGIN
    IF kitchen_control.me() IS NULL AND NOT kitchen_control.is_trusted() THEN
        RAISE EXCEPTION '% is nobody here', session_user USING ERRCODE = 'insufficient_privilege';
    END IF;
    SELECT * INTO STRICT head FROM kitchen_control.audit_head FOR UPDATE;
    entry := ROW(
        head.position + 1, clock_timestamp(), session_user, coalesce(kitchen_control.me(), person), host, phase, action,
        subject, result, detail, head.hash, ''
    );
    entry.hash := encode(sha256(convert_to(kitchen_control.audit_text(entry), 'UTF8')), 'hex');
    INSERT INTO kitchen_control.audit SELECT entry.*;
    UPDATE kitchen_control.audit_head SET position = entry.position, hash = entry.hash;
    RETURN entry.position;
END
$$;

-- also for those who act as the provisioner: the person stays the person
CREATE FUNCTION kitchen_control.stamp_person() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW."by" := coalesce(kitchen_control.me(), NEW."by");
    RETURN NEW;
END
$$;
CREATE TRIGGER stamp_person BEFORE INSERT ON kitchen_control.operation
FOR EACH ROW EXECUTE FUNCTION kitchen_control.stamp_person();
CREATE TRIGGER stamp_person BEFORE INSERT ON kitchen_control.run
FOR EACH ROW EXECUTE FUNCTION kitchen_control.stamp_person();
CREATE TRIGGER stamp_person BEFORE INSERT ON kitchen_control.release
FOR EACH ROW EXECUTE FUNCTION kitchen_control.stamp_person();
CREATE TRIGGER stamp_person BEFORE INSERT ON kitchen_control.approval
FOR EACH ROW EXECUTE FUNCTION kitchen_control.stamp_person();

CREATE FUNCTION kitchen_control.approve(release integer) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    planned kitchen_control.release;
    me text := kitchen_control.me();
BEGIN
    SELECT * INTO planned FROM kitchen_control.release WHERE number = approve.release FOR UPDATE;
    IF planned.number IS NULL OR planned.state NOT IN ('planned', 'failed') THEN
        RETURN false;
    END IF;
    IF me IS NULL OR planned."by" = me THEN
        RAISE EXCEPTION 'a release is not approved by %, who planned it', coalesce(me, session_user)
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    INSERT INTO kitchen_control.approval (release, by, plan_hash, own)
    VALUES (planned.number, me, planned.plan_hash, false) ON CONFLICT DO NOTHING;
    RETURN true;
END
$$;


-- --- workspaces: everything follows from the kitchen's record; the caller names only which ----------------------------

CREATE FUNCTION kitchen_control.mine(identity uuid, VARIADIC states text[]) RETURNS kitchen_control.kitchen
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    k kitchen_control.kitchen;
BEGIN
    SELECT * INTO k FROM kitchen_control.kitchen WHERE id = identity;
    IF k.id IS NULL OR NOT (kitchen_control.may_use(k.name) OR kitchen_control.is_trusted()) THEN
        RAISE EXCEPTION 'kitchen % is not yours', coalesce(k.name, identity::text)
            USING ERRCODE = 'insufficient_privilege';
    END IF;
    IF NOT k.state = ANY (states) THEN
        RAISE EXCEPTION 'kitchen % is %', k.name, k.state USING ERRCODE = 'object_not_in_prerequisite_state';
    END IF;
    RETURN k;
END
$$;

CREATE FUNCTION kitchen_control.role_of(k kitchen_control.kitchen, part text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT format('kitchen__%s__%s__%s', k.environment, k.name, part)
$$;

-- a physical schema's name, as kitchen.domain.layout says it
CREATE FUNCTION kitchen_control.derived(head text, logical text, rules kitchen_control.setting) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
    SELECT CASE WHEN rules.holds_production AND head = rules.environment THEN logical
                WHEN cardinality(rules.logical) = 1 THEN head
                ELSE head || '__' || logical END
$$;

-- the kitchens that one reads through, nearest first
CREATE FUNCTION kitchen_control.parents(k kitchen_control.kitchen) RETURNS SETOF kitchen_control.kitchen
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH RECURSIVE above (name, depth) AS (
        SELECT k.parent, 1 WHERE NOT k.isolated
        UNION ALL
        SELECT p.parent, depth + 1 FROM above JOIN kitchen_control.kitchen AS p ON p.name = above.name
        WHERE depth < 100
    )
    SELECT p.* FROM above JOIN kitchen_control.kitchen AS p ON p.name = above.name ORDER BY depth
$$;

CREATE FUNCTION kitchen_control.reads(k kitchen_control.kitchen) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT kitchen_control.role_of(p, 'reader') FROM kitchen_control.parents(k) AS p
    UNION
    SELECT format('kitchen__%s__pantry_v%s', k.environment, k.pantry) WHERE k.pantry IS NOT NULL
    UNION
    SELECT format('kitchen__database_%s__connect', oid) FROM pg_database WHERE datname = current_database()
    ORDER BY 1 -- parallel creates lock in one order
$$;

-- the group roles that a kitchen is in
CREATE FUNCTION kitchen_control.held(k kitchen_control.kitchen) RETURNS SETOF text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT granted.rolname::text FROM pg_auth_members AS m
    JOIN pg_roles AS granted ON granted.oid = m.roleid JOIN pg_roles AS member ON member.oid = m.member
    WHERE member.rolname = kitchen_control.role_of(k, 'owner')
$$;

CREATE FUNCTION kitchen_control.path_of(k kitchen_control.kitchen) RETURNS text
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH rules AS (SELECT s FROM kitchen_control.setting AS s),
    logical AS (SELECT l.name, l.place FROM rules, unnest((rules.s).logical) WITH ORDINALITY AS l (name, place)),
    heads AS (
        SELECT k.name, 0 AS depth
        UNION ALL
        SELECT p.name, p.place::integer FROM kitchen_control.parents(k) WITH ORDINALITY AS p (
            id, name, environment, kind, state, branch, base_commit, parent, pantry, owner, created_at, expires_at,
            isolated, data, staff, ticket, place)
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

-- the environment's administrator made this role or schema for this very kitchen
CREATE FUNCTION kitchen_control.marked_roles(k kitchen_control.kitchen) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(r.rolname::text ORDER BY r.rolname), '{}') FROM pg_roles AS r
    WHERE starts_with(r.rolname, kitchen_control.role_of(k, ''))
      AND shobj_description(r.oid, 'pg_authid') = format('kitchen %s', k.id)
$$;
CREATE FUNCTION kitchen_control.marked_schemas(k kitchen_control.kitchen) RETURNS text[]
LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT coalesce(array_agg(n.nspname::text ORDER BY n.nspname), '{}') FROM pg_namespace AS n
    WHERE n.nspowner = (SELECT oid FROM pg_roles WHERE rolname = current_user)
      AND obj_description(n.oid, 'pg_namespace') = format('kitchen %s', k.id)
$$;

-- an acting member, as servers before 16 make every member
CREATE FUNCTION kitchen_control.join_role(role text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('GRANT %I TO CURRENT_USER', role)
        || CASE WHEN current_setting('server_version_num')::integer >= 160000 THEN ' WITH INHERIT TRUE, SET TRUE'
                ELSE '' END;
END
$$;

CREATE FUNCTION kitchen_control.make_workspace(identity uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    k kitchen_control.kitchen := kitchen_control.mine(identity, 'creating', 'ready');
    rules kitchen_control.setting;
    owner text := kitchen_control.role_of(k, 'owner');
    login text := kitchen_control.role_of(k, 'login');
    reader text := kitchen_control.role_of(k, 'reader');
    mark text := format('kitchen %s', k.id);
    door text;
    name text;
BEGIN
    IF login = ANY (kitchen_control.marked_roles(k)) THEN
        RETURN; -- made as a whole, or not at all
    END IF;
    SELECT * INTO STRICT rules FROM kitchen_control.setting;
    SELECT format('kitchen__database_%s__connect', oid) INTO STRICT door FROM pg_database
    WHERE datname = current_database();
    FOREACH name IN ARRAY ARRAY[owner, reader, login] LOOP
        EXECUTE format('CREATE ROLE %I NOLOGIN', name); -- a stranger of that name ends it here
        EXECUTE format('COMMENT ON ROLE %I IS %L', name, mark);
        PERFORM kitchen_control.join_role(name);
    END LOOP;
    EXECUTE format('GRANT %I TO %I', owner, login);
    FOR name IN SELECT kitchen_control.reads(k) LOOP
        EXECUTE format('GRANT %I TO %I', name, owner);
    END LOOP;
    FOR name IN SELECT kitchen_control.derived(k.name, logical, rules) FROM unnest(rules.logical) AS logical LOOP
        EXECUTE format('CREATE SCHEMA %I', name);
        EXECUTE format('COMMENT ON SCHEMA %I IS %L', name, mark);
        EXECUTE format('GRANT USAGE, CREATE ON SCHEMA %I TO %I', name, owner);
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO %I', name, reader);
        EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT ON TABLES TO %I',
                       owner, name, reader);
        EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT SELECT ON SEQUENCES TO %I',
                       owner, name, reader);
        EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I IN SCHEMA %I GRANT EXECUTE ON FUNCTIONS TO %I',
                       owner, name, reader);
    END LOOP;
    EXECUTE format('ALTER DEFAULT PRIVILEGES FOR ROLE %I REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC', owner);
    EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = %s', login, current_database(),
                   kitchen_control.path_of(k));
END
$$;

-- reads what its record says, and what it read before; its logins look there
CREATE FUNCTION kitchen_control.open_workspace(identity uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    k kitchen_control.kitchen := kitchen_control.mine(identity, 'creating', 'ready', 'publishing');
    name text;
BEGIN
    FOR name IN SELECT kitchen_control.reads(k) EXCEPT SELECT kitchen_control.held(k) ORDER BY 1 LOOP
        EXECUTE format('GRANT %I TO %I', name, kitchen_control.role_of(k, 'owner'));
    END LOOP;
    FOREACH name IN ARRAY kitchen_control.marked_roles(k) LOOP
        IF name ~ '__(login|l[0-9a-f]{6})$' THEN
            EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = %s', name, current_database(),
                           kitchen_control.path_of(k));
        END IF;
    END LOOP;
END
$$;

-- and nothing else
CREATE FUNCTION kitchen_control.rebind_workspace(identity uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    k kitchen_control.kitchen := kitchen_control.mine(identity, 'creating', 'ready', 'publishing');
    name text;
BEGIN
    PERFORM kitchen_control.open_workspace(identity);
    FOR name IN SELECT kitchen_control.held(k) EXCEPT SELECT kitchen_control.reads(k) ORDER BY 1 LOOP
        EXECUTE format('REVOKE %I FROM %I', name, kitchen_control.role_of(k, 'owner'));
    END LOOP;
END
$$;

-- A login into one kitchen for one clone of one person; the server sees the password's verifier only.
CREATE FUNCTION kitchen_control.lease_login(identity uuid, suffix text, verifier text) RETURNS text
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '5s' AS $$
DECLARE
    k kitchen_control.kitchen := kitchen_control.mine(identity, 'creating', 'ready', 'publishing');
    holder text := coalesce(kitchen_control.me(), session_user);
    owner text := kitchen_control.role_of(k, 'owner');
    login text;
BEGIN
    IF suffix !~ '^[0-9a-f]{6}$'
       OR verifier !~ '^SCRAM-SHA-256\$4096:[A-Za-z0-9+/=]{16,64}\$[A-Za-z0-9+/=]{44}:[A-Za-z0-9+/=]{44}$' THEN
        RAISE EXCEPTION 'neither a lease nor a verifier' USING ERRCODE = 'invalid_parameter_value';
    END IF;
    login := kitchen_control.role_of(k, 'l' || suffix);
    PERFORM FROM kitchen_control.kitchen WHERE id = k.id FOR UPDATE; -- one lease after the other
    IF login = ANY (kitchen_control.marked_roles(k)) THEN
        IF NOT EXISTS (SELECT FROM kitchen_control.lease AS l WHERE l.login = lease_login.login AND l.person = holder) THEN
            RAISE EXCEPTION '% is somebody else''s', login USING ERRCODE = 'insufficient_privilege';
        END IF;
    ELSE
        IF (SELECT count(*) FROM kitchen_control.lease AS l WHERE l.kitchen = k.id AND l.person = holder) >= 8 THEN
            RAISE EXCEPTION '% has logins for eight machines into %', holder, k.name
                USING ERRCODE = 'insufficient_privilege';
        END IF;
        EXECUTE format('CREATE ROLE %I NOLOGIN CONNECTION LIMIT 20', login);
        EXECUTE format('COMMENT ON ROLE %I IS %L', login, format('kitchen %s', k.id));
        PERFORM kitchen_control.join_role(login);
        EXECUTE format('GRANT %I TO %I', owner, login);
        EXECUTE format('ALTER ROLE %I IN DATABASE %I SET search_path = %s', login, current_database(),
                       kitchen_control.path_of(k));
        INSERT INTO kitchen_control.lease (login, kitchen, person) VALUES (login, k.id, holder);
    END IF;
    EXECUTE format('ALTER ROLE %I LOGIN PASSWORD %L', login, verifier);
    RETURN login;
END
$$;

-- What was made through a login stays with the kitchen.
CREATE FUNCTION kitchen_control.end_lease(login text, owner text) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM pg_roles WHERE rolname = login) THEN
        EXECUTE format('ALTER ROLE %I NOLOGIN', login);
        PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = login;
        EXECUTE format('REASSIGN OWNED BY %I TO %I', login, owner);
        EXECUTE format('DROP OWNED BY %I', login);
        EXECUTE format('DROP ROLE %I', login);
    END IF;
    DELETE FROM kitchen_control.lease AS l WHERE l.login = end_lease.login;
END
$$;

CREATE FUNCTION kitchen_control.close_leases() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM kitchen_control.end_lease(l.login, kitchen_control.role_of(NEW, 'owner')) FROM kitchen_control.lease AS l
    WHERE l.kitchen = NEW.id AND l.person = ANY (array_append(OLD.staff, OLD.owner))
      AND l.person <> ALL (array_append(NEW.staff, NEW.owner));
    RETURN NULL;
END
$$;
CREATE TRIGGER close_leases AFTER UPDATE ON kitchen_control.kitchen FOR EACH ROW
WHEN (OLD.staff IS DISTINCT FROM NEW.staff OR OLD.owner <> NEW.owner)
EXECUTE FUNCTION kitchen_control.close_leases();

-- From here on its credentials open nothing.
CREATE FUNCTION kitchen_control.close_workspace(identity uuid) RETURNS void
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    k kitchen_control.kitchen := kitchen_control.mine(identity, 'creating', 'deleting');
    name text;
BEGIN
    FOREACH name IN ARRAY kitchen_control.marked_roles(k) LOOP
        EXECUTE format('ALTER ROLE %I NOLOGIN', name);
    END LOOP;
END
$$;

-- Takes a batch that fits the server's lock table; returns whether there may be more.
CREATE FUNCTION kitchen_control.drop_some(identity uuid) RETURNS boolean
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '2s' AS $$
DECLARE
    k kitchen_control.kitchen := kitchen_control.mine(identity, 'creating', 'deleting');
    schemas text[] := kitchen_control.marked_schemas(k);
    roles text[] := kitchen_control.marked_roles(k);
    statement text;
    outsiders text;
BEGIN
    PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE usename = ANY (roles);
    SELECT string_agg(DISTINCT format('%I.%I', n.nspname, other.relname), ', ') INTO outsiders
    FROM pg_class AS ours
    JOIN pg_namespace AS mine ON mine.oid = ours.relnamespace AND mine.nspname = ANY (schemas)
    JOIN pg_depend AS d ON d.refobjid = ours.oid AND d.refclassid = 'pg_class'::regclass
    LEFT JOIN pg_rewrite AS r ON d.classid = 'pg_rewrite'::regclass AND r.oid = d.objid
    LEFT JOIN pg_constraint AS c ON d.classid = 'pg_constraint'::regclass AND c.oid = d.objid
    LEFT JOIN pg_inherits AS i ON i.inhparent = ours.oid
    JOIN pg_class AS other ON other.oid = coalesce(r.ev_class, c.conrelid, i.inhrelid)
    JOIN pg_namespace AS n ON n.oid = other.relnamespace WHERE n.nspname <> ALL (schemas);
    IF outsiders IS NOT NULL THEN
        RAISE EXCEPTION 'others depend on tables of % and would be dropped with it: %', k.name, outsiders
            USING ERRCODE = 'dependent_objects_still_exist';
    END IF;
    SELECT string_agg(drops.statement, '; ') INTO statement FROM (
        SELECT format('DROP %s IF EXISTS %I.%I CASCADE', CASE c.relkind WHEN 'v' THEN 'VIEW'
                   WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'f' THEN 'FOREIGN TABLE' WHEN 'S' THEN 'SEQUENCE'
                   ELSE 'TABLE' END, n.nspname, c.relname) AS statement
        FROM pg_class AS c JOIN pg_namespace AS n ON n.oid = c.relnamespace
        WHERE n.nspname = ANY (schemas) AND c.relkind IN ('r', 'p', 'v', 'm', 'f', 'S')
          AND NOT EXISTS (SELECT FROM pg_inherits AS below WHERE below.inhparent = c.oid)
          AND NOT EXISTS (SELECT FROM pg_depend AS needed
                          WHERE needed.classid = 'pg_class'::regclass AND needed.objid = c.oid
                            AND needed.deptype IN ('i', 'a', 'e') AND c.relkind = 'S')
        ORDER BY c.relkind NOT IN ('v', 'm'), c.oid LIMIT 100) AS drops;
    IF statement IS NOT NULL THEN
        EXECUTE statement;
        RETURN true;
    END IF;
    FOREACH statement IN ARRAY schemas LOOP
        EXECUTE format('DROP SCHEMA %I CASCADE', statement);
    END LOOP;
    FOREACH statement IN ARRAY roles LOOP
        EXECUTE format('DROP OWNED BY %I CASCADE', statement);
    END LOOP;
    FOREACH statement IN ARRAY roles LOOP
        EXECUTE format('DROP ROLE %I', statement);
    END LOOP;
    DELETE FROM kitchen_control.lease WHERE kitchen = k.id;
    RETURN false;
END
$$;

-- --- who is let in: grants to the group roles, where an administrator made them ---------------------------------------

CREATE FUNCTION kitchen_control.configure(rules kitchen_control.setting) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    head text := format('kitchen__%s__', rules.environment);
    viewer text := head || 'viewer';
    developer text := head || 'developer';
    registrar text := head || 'registrar';
    door text;
BEGIN
    DELETE FROM kitchen_control.setting;
    INSERT INTO kitchen_control.setting SELECT rules.*;
    IF (SELECT count(*) FROM pg_roles WHERE rolname IN (viewer, developer, registrar)) < 3 THEN
        RETURN false;
    END IF;
    SELECT format('kitchen__database_%s__connect', oid) INTO STRICT door FROM pg_database
    WHERE datname = current_database();
    EXECUTE format('GRANT %I TO %I', door, viewer);
    EXECUTE format('GRANT USAGE ON SCHEMA kitchen_control TO %I, %I', viewer, registrar);
    EXECUTE format('GRANT SELECT ON ALL TABLES IN SCHEMA kitchen_control TO %I', viewer);
    EXECUTE format('GRANT EXECUTE ON FUNCTION kitchen_control.me(), kitchen_control.is_trusted(),
        kitchen_control.may_use(text), kitchen_control.is_name(text), kitchen_control.may_see(uuid),
        kitchen_control.audit_text(kitchen_control.audit) TO %I', viewer);
    EXECUTE format('GRANT UPDATE ON kitchen_control.reception TO %I', developer);
    EXECUTE format('GRANT INSERT, UPDATE, DELETE ON kitchen_control.kitchen TO %I', developer);
    EXECUTE format('GRANT INSERT, UPDATE ON kitchen_control.lock, kitchen_control.lock_holder, kitchen_control.step,
        kitchen_control.node_run TO %I', developer);
    EXECUTE format('GRANT INSERT ON kitchen_control.operation, kitchen_control.run, kitchen_control.test_result
        TO %I', developer);
    EXECUTE format('GRANT UPDATE (claim, state, error, ended_at) ON kitchen_control.operation TO %I', developer);
    EXECUTE format('GRANT UPDATE (state, message, ended_at, backend_pid, backend_start) ON kitchen_control.run TO %I',
        developer);
    EXECUTE format('GRANT EXECUTE ON FUNCTION kitchen_control.may_add(kitchen_control.kitchen),
        kitchen_control.may_save(kitchen_control.kitchen), kitchen_control.may_remove(kitchen_control.kitchen),
        kitchen_control.may_lock(text), kitchen_control.may_begin(kitchen_control.operation),
        kitchen_control.may_continue(text, text, text),
        kitchen_control.audit_append(text, text, text, text, text, text, jsonb),
        kitchen_control.make_workspace(uuid), kitchen_control.open_workspace(uuid),
        kitchen_control.rebind_workspace(uuid),
        kitchen_control.lease_login(uuid, text, text), kitchen_control.close_workspace(uuid), kitchen_control.drop_some(uuid) TO %I', developer);
    EXECUTE format('GRANT EXECUTE ON FUNCTION kitchen_control.approve(integer) TO %I', head || 'releaser');
    EXECUTE format('GRANT SELECT, INSERT, UPDATE ON kitchen_control.person TO %I', registrar);
    EXECUTE format('GRANT EXECUTE ON FUNCTION
        kitchen_control.audit_append(text, text, text, text, text, text, jsonb),
        kitchen_control.me(), kitchen_control.forget_person(text) TO %I', registrar);
    RETURN true;
END
$$;

-- a leaver's logins into kitchens are closed, and nobody's staff names them; what they own is named
CREATE FUNCTION kitchen_control.forget_person(leaver text) RETURNS text[]
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    k kitchen_control.kitchen;
    l kitchen_control.lease;
BEGIN
    UPDATE kitchen_control.kitchen SET staff = array_remove(staff, leaver) WHERE leaver = ANY (staff);
    FOR l IN SELECT * FROM kitchen_control.lease WHERE person = leaver LOOP
        SELECT * INTO k FROM kitchen_control.kitchen WHERE id = l.kitchen;
        PERFORM kitchen_control.end_lease(l.login, kitchen_control.role_of(k, 'owner'));
    END LOOP;
    FOR k IN SELECT * FROM kitchen_control.kitchen WHERE owner = leaver AND kind = 'working' LOOP
        IF kitchen_control.role_of(k, 'login') = ANY (kitchen_control.marked_roles(k)) THEN
            EXECUTE format('ALTER ROLE %I NOLOGIN PASSWORD NULL', kitchen_control.role_of(k, 'login'));
            PERFORM pg_terminate_backend(pid, 5000) FROM pg_stat_activity
            WHERE usename = kitchen_control.role_of(k, 'login');
        END IF;
    END LOOP;
    RETURN ARRAY(SELECT name FROM kitchen_control.kitchen WHERE owner = leaver AND kind = 'working' ORDER BY 1);
END
$$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA kitchen_control FROM PUBLIC;
