-- What a tracking system collects: partitions of three levels, every kind of index, ranges, arrays of composites.
CREATE EXTENSION IF NOT EXISTS btree_gist; CREATE EXTENSION IF NOT EXISTS pg_trgm;
CREATE COLLATION german_phone (ORDER OF GERMANY);
CREATE COLLATION no_case (NO CASE);
CREATE TYPE device AS ENUM ('web', 'ios', 'android');
CREATE TYPE pos AS (lat float8, lon float8);
CREATE DOMAIN good_pos AS pos CHECK ((VALUE).lat BETWEEN -90 AND 90);
CREATE TYPE float_range AS RANGE (subtype = float8, subtype_diff = float8mi);
CREATE DOMAIN positives AS int[] CHECK (0 < ALL (VALUE));
CREATE FUNCTION plus_pos(pos, pos) RETURNS pos LANGUAGE sql IMMUTABLE AS $$ SELECT ROW(($1).lat + ($2).lat,
    ($1).lon + ($2).lon)::pos $$;
CREATE OPERATOR + (LEFTARG = pos, RIGHTARG = pos, FUNCTION = plus_pos, COMMUTATOR = +);
CREATE FUNCTION to_device(int) RETURNS device LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT (enum_range(NULL::device))[$1]
    $$;
CREATE CAST (int AS device) WITH FUNCTION to_device(int) AS ASSIGNMENT;
CREATE TABLE account (id uuid PRIMARY KEY DEFAULT gen_random_uuid(), name text COLLATE german_phone NOT NULL,
    login text COLLATE no_case UNIQUE, born date, at good_pos, trail pos[], speeds float_range, many float_multirange,
    nums positives, search tsvector GENERATED ALWAYS AS (to_tsvector('english', name)) STORED, mac macaddr8, net inet,
    bits bit varying(9), x xml, iv interval day to second(3), t timetz(2), big numeric(20, -2), pl path, tt tsquery,
    lsn pg_lsn, j json, jb jsonb);
CREATE INDEX account_name_trgm ON account USING gin (name gin_trgm_ops);
CREATE INDEX account_name_gist ON account USING gist (name gist_trgm_ops (siglen = 32));
CREATE INDEX account_search ON account USING gin (search) WITH (fastupdate = off, gin_pending_list_limit = 128);
CREATE INDEX account_net ON account USING spgist (net inet_ops);
CREATE INDEX account_jb ON account USING gin (jb jsonb_path_ops);
CREATE INDEX account_born ON account USING brin (born date_minmax_multi_ops (values_per_range = 16));
CREATE INDEX account_born2 ON account USING brin (born date_bloom_ops (n_distinct_per_range = 100,
    false_positive_rate = 0.05));
CREATE INDEX account_lower ON account (lower(name) COLLATE "C" text_pattern_ops DESC, born NULLS FIRST) INCLUDE (login);
CREATE INDEX account_expr ON account (((at).lat), (jb ->> 'a')) WHERE jb ? 'a' AND born > '2000-01-01'::date;
CREATE INDEX account_hash ON account USING hash (login);
CREATE TABLE event (id bigint GENERATED ALWAYS AS IDENTITY (SEQUENCE NAME event_numbers START 10 INCREMENT 10 CACHE
    20), at timestamptz NOT NULL, tenant int NOT NULL, kind device NOT NULL DEFAULT (to_device(2)),
    account uuid REFERENCES account ON DELETE SET NULL, payload jsonb COMPRESSION pglz,
    size int GENERATED ALWAYS AS (length(payload::text)) STORED, PRIMARY KEY (tenant, at, kind,
    id)) PARTITION BY RANGE (at);
CREATE TABLE event_2024 PARTITION OF event FOR VALUES FROM ('2024-01-01') TO ('2025-01-01') PARTITION BY HASH (tenant);
CREATE TABLE event_2024_0 PARTITION OF event_2024 FOR VALUES WITH (MODULUS 3, REMAINDER 0) PARTITION BY LIST (kind);
CREATE TABLE event_2024_0_web PARTITION OF event_2024_0 (payload DEFAULT '{"p": "web"}') FOR VALUES IN ('web') WITH
    (fillfactor = 60, parallel_workers = 2);
CREATE UNLOGGED TABLE event_2024_0_app PARTITION OF event_2024_0 FOR VALUES IN ('ios', 'android');
CREATE TABLE event_2024_1 PARTITION OF event_2024 FOR VALUES WITH (MODULUS 3, REMAINDER 1);
CREATE TABLE event_2024_2 PARTITION OF event_2024 FOR VALUES WITH (MODULUS 3, REMAINDER 2);
CREATE TABLE event_old (extra int, payload jsonb, account uuid, kind device NOT NULL,
    size int GENERATED ALWAYS AS (length(payload::text)) STORED, tenant int NOT NULL, at timestamptz NOT NULL,
    id bigint NOT NULL);
ALTER TABLE event_old DROP COLUMN extra;
ALTER TABLE event ATTACH PARTITION event_old DEFAULT;
CREATE INDEX event_account ON event (account) INCLUDE (kind);
CREATE INDEX event_at ON ONLY event USING brin (at);
CREATE INDEX event_2024_at ON ONLY event_2024 USING brin (at);
ALTER INDEX event_at ATTACH PARTITION event_2024_at;
CREATE INDEX only_here ON event_2024_1 ((payload ->> 'k')) WHERE size > 10;
ALTER TABLE event_2024_1 ADD CONSTRAINT small CHECK (size < 100000) NOT VALID, ALTER payload SET STATISTICS 7,
    SET (autovacuum_enabled = off);
ALTER TABLE event ADD CONSTRAINT tenant_ok CHECK (tenant > 0);
CREATE STATISTICS event_stats (mcv) ON tenant, kind FROM event;
CREATE STATISTICS event_1_stats ON (tenant % 7), kind FROM event_2024_1;
CREATE FUNCTION stamp() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER stamp BEFORE INSERT ON event FOR EACH ROW EXECUTE FUNCTION stamp();
CREATE TRIGGER stamp_1 AFTER INSERT ON event_2024_1 FOR EACH ROW EXECUTE FUNCTION stamp();
ALTER TABLE event_2024_2 DISABLE TRIGGER stamp;
CREATE TABLE event_tag (tenant int, at timestamptz, kind device, id bigint, tag text, FOREIGN KEY (tenant, at, kind,
    id) REFERENCES event ON UPDATE CASCADE);
CREATE TABLE to_one_part (n int, tenant int, at timestamptz, kind device, id bigint, FOREIGN KEY (tenant, at, kind,
    id) REFERENCES event_2024_1);
CREATE TABLE parted_parent (a int PRIMARY KEY) PARTITION BY HASH (a);
CREATE TABLE parted_parent_0 PARTITION OF parted_parent FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE parted_parent_1 PARTITION OF parted_parent FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE parted_child (id serial, a int REFERENCES parted_parent, b int, self int, PRIMARY KEY (id, a), UNIQUE (a,
    b), FOREIGN KEY (self, a) REFERENCES parted_child) PARTITION BY LIST (a);
CREATE TABLE parted_child_0 PARTITION OF parted_child FOR VALUES IN (0, 1, NULL);
CREATE TABLE parted_child_rest PARTITION OF parted_child DEFAULT;
CREATE TABLE no_parts (a int, b text) PARTITION BY LIST (lower(b));
CREATE TABLE expr_part (a int, b date) PARTITION BY RANGE (a, (extract(year FROM b)));
CREATE TABLE expr_part_1 PARTITION OF expr_part FOR VALUES FROM (MINVALUE, MINVALUE) TO (10, 2024);
CREATE TABLE coll_part (name text COLLATE "C") PARTITION BY RANGE (name COLLATE "POSIX" text_pattern_ops);
CREATE TABLE coll_part_1 PARTITION OF coll_part FOR VALUES FROM ('a') TO ('z');
CREATE TABLE booking (room int, during tstzrange, who text, EXCLUDE USING gist (room WITH =,
    during WITH &&) WHERE (who <> 'x') DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT who_key UNIQUE (who) INCLUDE (room) DEFERRABLE, CONSTRAINT ck CHECK (room > 0) NO INHERIT);
CREATE TABLE ring_a (id int PRIMARY KEY, b int); CREATE TABLE ring_b (id int PRIMARY KEY,
    c int); CREATE TABLE ring_c (id int PRIMARY KEY, a int REFERENCES ring_a);
ALTER TABLE ring_a ADD FOREIGN KEY (b) REFERENCES ring_b DEFERRABLE INITIALLY DEFERRED; ALTER TABLE ring_b ADD FOREIGN
    KEY (c) REFERENCES ring_c NOT VALID;
CREATE TABLE typed OF pos (lon WITH OPTIONS NOT NULL DEFAULT 1, CHECK (lat > -91));
CREATE SEQUENCE odd_cycle AS smallint INCREMENT -3 MINVALUE -100 MAXVALUE 100 START 50 CYCLE;
CREATE UNLOGGED SEQUENCE fast_seq;
CREATE TABLE uses_seqs (a int DEFAULT nextval('odd_cycle'), b int DEFAULT nextval('fast_seq'),
    c int DEFAULT nextval('event_numbers'), d text DEFAULT to_device(1)::text, e pos DEFAULT plus_pos(ROW(1,2),
    ROW(3,4)), f bigint DEFAULT currval('odd_cycle'));
ALTER SEQUENCE odd_cycle OWNED BY booking.room;
CREATE TABLE parent_1 (a int NOT NULL, b text DEFAULT 'b',
    CONSTRAINT a_ok CHECK (a > 0)); CREATE TABLE parent_2 (a int, c int CHECK (c < 9) NO INHERIT);
CREATE TABLE heir (d int) INHERITS (parent_1,
    parent_2); ALTER TABLE heir ALTER b DROP DEFAULT; ALTER TABLE heir ADD CONSTRAINT own CHECK (d > 1);
CREATE TABLE heir_2 () INHERITS (heir); CREATE INDEX ON heir_2 (a);
CREATE TABLE loose (z int, c int, a int); ALTER TABLE loose INHERIT parent_2;
CREATE VIEW recent WITH (security_barrier, security_invoker = off, check_option = local) AS SELECT id, at, tenant,
    kind, payload FROM event WHERE at > now() - interval '1 year';
CREATE VIEW recent_of_1 AS SELECT * FROM recent WHERE tenant = 1 WITH CASCADED CHECK OPTION;
CREATE RECURSIVE VIEW counting (n) AS VALUES (1) UNION ALL SELECT n + 1 FROM counting WHERE n < (SELECT count(*) FROM
    account);
CREATE MATERIALIZED VIEW daily TABLESPACE pg_default AS SELECT at::date AS day, kind,
    count(*) AS n FROM event GROUP BY 1, 2;
CREATE UNIQUE INDEX daily_key ON daily (day, kind);
CREATE MATERIALIZED VIEW weekly WITH (autovacuum_enabled = off) AS SELECT date_trunc('week', day) AS week,
    sum(n) AS n FROM daily GROUP BY 1;
CREATE INDEX weekly_brin ON weekly USING brin (week);
CREATE STATISTICS weekly_stats ON week, n FROM weekly;
ALTER MATERIALIZED VIEW weekly ALTER n SET STATISTICS 33;
CREATE VIEW lateral_view AS SELECT a.name, x.tag, row_number() OVER w AS rn, a.name COLLATE german_phone AS g,
    GROUPING(a.name) FROM account a LEFT JOIN LATERAL (SELECT t.tag FROM event_tag t WHERE t.tenant = 1 LIMIT 1) x ON
    true GROUP BY ROLLUP (a.name), x.tag, a.name WINDOW w AS (ORDER BY a.name);
CREATE VIEW some_of_them AS SELECT upper(a.name) AS xx, a.trail[1].lat AS lat, (a.at).lon,
    a.* FROM account a TABLESAMPLE system (50) REPEATABLE (1);
CREATE VIEW json_view AS SELECT j.k, j.v FROM account, jsonb_each(jb) WITH ORDINALITY AS j (k, v, n);
CREATE VIEW rows_from AS SELECT * FROM ROWS FROM (generate_series(1, 3), unnest(ARRAY['a', 'b'])) AS f (n, t);
CREATE FUNCTION f_poly(anyelement, VARIADIC anyarray) RETURNS anyelement LANGUAGE sql IMMUTABLE AS $$ SELECT $1 $$;
CREATE FUNCTION f_out(a int, OUT b int, OUT c device,
    INOUT d text DEFAULT 'x''y') LANGUAGE plpgsql STABLE COST 3 SET work_mem = '8MB' SET search_path TO public AS $$
    BEGIN b := 1; END $$;
CREATE FUNCTION f_table() RETURNS TABLE (a account, b event[]) LANGUAGE sql STABLE ROWS 7 AS $$ SELECT NULL::account,
    NULL::event[] $$;
CREATE FUNCTION f_set() RETURNS SETOF event LANGUAGE sql STABLE AS $$ SELECT * FROM event $$;
CREATE FUNCTION f_atomic(d device DEFAULT to_device(1)) RETURNS bigint LANGUAGE sql STABLE BEGIN ATOMIC SELECT count(*)
    FROM event e JOIN daily USING (kind) WHERE e.kind = d; SELECT 1; END;
CREATE PROCEDURE p_add(n int) LANGUAGE sql BEGIN ATOMIC INSERT INTO ring_a VALUES (n,
    NULL); DELETE FROM ring_a WHERE id = n; END;
CREATE AGGREGATE sum_pos(pos) (SFUNC = plus_pos, STYPE = pos, PARALLEL = safe, COMBINEFUNC = plus_pos);
ALTER TABLE booking ENABLE ROW LEVEL SECURITY;
CREATE POLICY p1 ON booking FOR ALL TO public USING (who = current_user) WITH CHECK (room < 100);
ALTER TABLE event REPLICA IDENTITY FULL;
CREATE FUNCTION watch_ddl() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN END $$;
CREATE EVENT TRIGGER watch ON ddl_command_end EXECUTE FUNCTION watch_ddl();
INSERT INTO account (name, login, born, at, trail, speeds, many, nums, mac, net, jb) SELECT 'N' || n, 'L' || n,
    date '1990-01-01' + n, ROW(n % 90, 1)::pos, ARRAY[ROW(1,2)::pos, NULL], '[1,2]', '{[1,2),[4,5)}', '{1,2}',
    '08:00:2b:01:02:03:04:05', '10.0.0.1/24', '{"a": 1}' FROM generate_series(1, 1500) n;
INSERT INTO event (at, tenant, kind, account, payload) SELECT timestamptz '2023-10-01' + n * interval '2 hours',
    n % 20 + 1, (enum_range(NULL::device))[n % 3 + 1], (SELECT id FROM account WHERE name = 'N' || (n % 1500 + 1)),
    jsonb_build_object('k', n) FROM generate_series(1, 3000) n;
INSERT INTO event_tag SELECT tenant, at, kind, id, 't' FROM event LIMIT 500;
INSERT INTO to_one_part SELECT 1, tenant, at, kind, id FROM event_2024_1 LIMIT 50;
INSERT INTO parted_parent SELECT n FROM generate_series(0, 1200) n;
INSERT INTO parted_child (a, b) SELECT n % 1200, n FROM generate_series(1, 2000) n;
UPDATE parted_child SET self = id WHERE id % 10 = 0;
INSERT INTO booking VALUES (1, '[2024-01-01,2024-01-02)', 'a'), (1, '[2024-01-02,2024-01-03)', 'b');
INSERT INTO ring_a VALUES (1, NULL); INSERT INTO ring_b VALUES (1, NULL); INSERT INTO ring_c VALUES (1, 1);
UPDATE ring_a SET b = 1; UPDATE ring_b SET c = 1;
INSERT INTO typed VALUES (1, 2); INSERT INTO uses_seqs (f) VALUES (1);
INSERT INTO heir (a, c, d) VALUES (1, 2, 3); INSERT INTO heir_2 (a, d) VALUES (1, 3); INSERT INTO loose VALUES (1, 2,
    3);
INSERT INTO expr_part VALUES (1, '2020-01-01'); INSERT INTO coll_part VALUES ('hello');
SELECT nextval('odd_cycle') FROM generate_series(1, 60);
REFRESH MATERIALIZED VIEW daily; REFRESH MATERIALIZED VIEW weekly;
