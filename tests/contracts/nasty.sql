-- A database built to be hard to copy. Two schemas that name each other; names that are quoted, reserved, 63 bytes
-- long, or that look like the other schema's name; and every kind of object that a table can have or need.
CREATE SCHEMA nasty_raw;
CREATE SCHEMA nasty_marts;
SET check_function_bodies = off;  -- bodies that name tables without their schema, as a session's path finds them

-- types ------------------------------------------------------------------------------------------------------------
CREATE TYPE nasty_raw.mood AS ENUM ('sad', 'it''s ok', 'back\slash', 'ünïcode');
COMMENT ON TYPE nasty_raw.mood IS 'how it''s going: \ and ''quotes''';
CREATE FUNCTION nasty_raw.is_short(value text, "limit" integer DEFAULT 10) RETURNS boolean
    LANGUAGE sql IMMUTABLE STRICT PARALLEL SAFE AS $$ SELECT length(value) <= "limit" $$;
COMMENT ON FUNCTION nasty_raw.is_short(text, integer) IS 'used by a domain, a check, an index and a generated column';
CREATE DOMAIN nasty_raw.short_text AS text COLLATE "C" DEFAULT 'n/a' NOT NULL
    CONSTRAINT "is short" CHECK (nasty_raw.is_short(VALUE)) CHECK (VALUE <> 'nasty_raw.mood');
CREATE DOMAIN nasty_marts.shorter AS nasty_raw.short_text CHECK (length(VALUE) < 8);
COMMENT ON DOMAIN nasty_marts.shorter IS 'a domain over the other schema''s domain';
CREATE DOMAIN nasty_raw."bıgınt" AS bigint;
CREATE DOMAIN nasty_raw."select" AS integer CHECK (VALUE > 0);
CREATE TYPE nasty_raw.point3 AS (x numeric(10, 2), y numeric(10, 2), "Z" nasty_raw.mood[], label text COLLATE "C");
CREATE TYPE nasty_marts.two_points AS (one nasty_raw.point3, other nasty_raw.point3[]);
CREATE FUNCTION nasty_raw.time_gap(a time, b time) RETURNS double precision
    LANGUAGE sql IMMUTABLE STRICT AS $$ SELECT extract(epoch FROM (a - b))::double precision $$;
CREATE TYPE nasty_raw.time_range AS RANGE (SUBTYPE = time, SUBTYPE_DIFF = nasty_raw.time_gap,
    MULTIRANGE_TYPE_NAME = nasty_raw."many Times");

-- functions --------------------------------------------------------------------------------------------------------
CREATE FUNCTION nasty_raw.touch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $body$
BEGIN
    NEW.touched := coalesce(NEW.touched, 0) + 1;  -- 'SECURITY DEFINER' in here is only text: $$ nasty_raw.mood $$
    RETURN NEW;
END $body$;
CREATE FUNCTION nasty_marts.with_default(a text DEFAULT 'SECURITY DEFINER', VARIADIC b nasty_raw.mood[] DEFAULT '{}')
    RETURNS TABLE (one nasty_raw.point3, two nasty_marts.shorter) LANGUAGE plpgsql STABLE SECURITY DEFINER COST 7 ROWS 3
    AS $_$ BEGIN RETURN; END $_$;
CREATE FUNCTION nasty_raw.same(integer) RETURNS integer LANGUAGE sql IMMUTABLE RETURN $1;
CREATE FUNCTION nasty_raw.same(text) RETURNS text LANGUAGE sql IMMUTABLE RETURN $1;
CREATE FUNCTION nasty_marts.same(text) RETURNS text LANGUAGE sql IMMUTABLE RETURN nasty_raw.same($1) || '!';
CREATE FUNCTION nasty_raw.lower(text) RETURNS text LANGUAGE sql IMMUTABLE AS $$ SELECT pg_catalog.lower($1) || '?' $$;
CREATE PROCEDURE nasty_raw.do_nothing(INOUT n integer DEFAULT 1) LANGUAGE plpgsql AS $$ BEGIN n := n + 1; END $$;
CREATE FUNCTION nasty_raw.join_step(state text, value text) RETURNS text LANGUAGE sql IMMUTABLE
    AS $$ SELECT coalesce(state || ',', '') || value $$;
CREATE AGGREGATE nasty_raw.joined(text) (SFUNC = nasty_raw.join_step, STYPE = text, PARALLEL = SAFE);
COMMENT ON AGGREGATE nasty_raw.joined(text) IS 'an aggregate';
CREATE AGGREGATE nasty_marts.total(nasty_raw."select") (SFUNC = int4pl, STYPE = integer, INITCOND = '0',
    COMBINEFUNC = int4pl, MSFUNC = int4pl, MINVFUNC = int4mi, MSTYPE = integer, MINITCOND = '0');

-- sequences --------------------------------------------------------------------------------------------------------
CREATE SEQUENCE nasty_raw.shared_seq AS bigint START 100 INCREMENT 5 MINVALUE 10 MAXVALUE 100000 CACHE 3 CYCLE;
COMMENT ON SEQUENCE nasty_raw.shared_seq IS 'two tables take from it';
CREATE SEQUENCE nasty_raw."Down Seq" INCREMENT -1 START -5;

-- tables -----------------------------------------------------------------------------------------------------------
CREATE TABLE nasty_raw.customers (
    customer_id integer GENERATED ALWAYS AS IDENTITY (START WITH 1000 INCREMENT BY 10),
    name nasty_raw.short_text,
    mood nasty_raw.mood DEFAULT 'sad',
    moods nasty_raw.mood[] DEFAULT ARRAY['sad', 'it''s ok']::nasty_raw.mood[],
    place nasty_raw.point3,
    places nasty_raw.point3[],
    big nasty_raw."bıgınt",
    picked nasty_raw."select" DEFAULT nasty_raw.same(7),
    hours nasty_raw.time_range,
    many_hours nasty_raw."many Times",
    note text COMPRESSION pglz COLLATE "C" DEFAULT 'nasty_raw.customers \ ''x''',
    touched integer DEFAULT 0,
    upper_name text GENERATED ALWAYS AS (upper((name)::text) || nasty_raw.same('x'::text)) STORED,
    parent_id integer,
    "primary" boolean NOT NULL DEFAULT true,
    CONSTRAINT "customers ""primary"" key" PRIMARY KEY (customer_id) INCLUDE (touched) WITH (fillfactor = 80),
    CONSTRAINT customers_self FOREIGN KEY (parent_id) REFERENCES nasty_raw.customers (customer_id) ON DELETE SET NULL
        DEFERRABLE INITIALLY DEFERRED,
    CONSTRAINT named_check CHECK (nasty_raw.is_short(note, 200) AND note <> 'nasty_marts.orders'),
    CONSTRAINT no_heirs CHECK (touched >= 0) NO INHERIT
) WITH (fillfactor = 75, autovacuum_enabled = off, toast.autovacuum_vacuum_threshold = 77);
ALTER TABLE nasty_raw.customers ALTER COLUMN note SET STORAGE EXTERNAL, ALTER COLUMN name SET STATISTICS 321,
    ALTER COLUMN mood SET (n_distinct = 4);
CREATE INDEX my_special_idx ON nasty_raw.customers USING btree (nasty_raw.lower((name)::text) DESC NULLS LAST, mood)
    INCLUDE (touched) WITH (fillfactor = 60) WHERE mood <> 'sad'::nasty_raw.mood AND note <> ' USING ';
CREATE UNIQUE INDEX "Mixed ON nasty_raw.x USING " ON nasty_raw.customers (big) NULLS NOT DISTINCT WHERE big IS NOT NULL;
CREATE INDEX expressions ON nasty_raw.customers ((touched + 1), (place IS NULL));
ALTER INDEX nasty_raw.expressions ALTER COLUMN 1 SET STATISTICS 55;
CREATE INDEX hours_idx ON nasty_raw.customers USING gist (hours);
COMMENT ON INDEX nasty_raw.my_special_idx IS 'partial, by expression';
COMMENT ON TABLE nasty_raw.customers IS 'with \ and ''';
COMMENT ON COLUMN nasty_raw.customers.name IS 'the name';
COMMENT ON CONSTRAINT named_check ON nasty_raw.customers IS 'calls a function';
COMMENT ON CONSTRAINT customers_self ON nasty_raw.customers IS 'to itself';
ALTER TABLE nasty_raw.customers CLUSTER ON expressions;
ALTER TABLE nasty_raw.customers REPLICA IDENTITY FULL;
CREATE STATISTICS nasty_raw.related (dependencies, mcv) ON mood, touched, (parent_id % 3) FROM nasty_raw.customers;
ALTER STATISTICS nasty_raw.related SET STATISTICS 99;
COMMENT ON STATISTICS nasty_raw.related IS 'extended';
CREATE STATISTICS nasty_marts.elsewhere ON (parent_id + 1) FROM nasty_raw.customers;
CREATE TRIGGER "touch It" BEFORE UPDATE OF name ON nasty_raw.customers FOR EACH ROW
    WHEN (old.mood IS DISTINCT FROM 'sad'::nasty_raw.mood) EXECUTE FUNCTION nasty_raw.touch();
COMMENT ON TRIGGER "touch It" ON nasty_raw.customers IS 'counts';
CREATE TRIGGER sleeping BEFORE INSERT ON nasty_raw.customers FOR EACH ROW EXECUTE FUNCTION nasty_raw.touch('a', 'b''c');
ALTER TABLE nasty_raw.customers DISABLE TRIGGER sleeping;
CREATE FUNCTION nasty_raw.nothing() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NULL; END $$;
CREATE CONSTRAINT TRIGGER late AFTER INSERT ON nasty_raw.customers DEFERRABLE INITIALLY DEFERRED FOR EACH ROW
    EXECUTE FUNCTION nasty_raw.nothing();

-- the same names in both schemas, and an alias, a column and a table named like the schema
CREATE TABLE nasty_raw.orders (
    order_id bigint DEFAULT nextval('nasty_raw.shared_seq') PRIMARY KEY,
    customer_id integer NOT NULL,
    amount numeric(12, 2) DEFAULT 0,
    nasty_raw text DEFAULT 'nasty_raw.orders',
    CONSTRAINT orders_customer FOREIGN KEY (customer_id) REFERENCES nasty_raw.customers
);
CREATE TABLE nasty_marts.orders (
    id serial,
    raw_id bigint,
    number integer DEFAULT nextval('nasty_raw.shared_seq'::regclass),
    shape nasty_marts.two_points,
    label nasty_marts.shorter DEFAULT 'x',
    at timestamptz DEFAULT now(),
    UNIQUE (raw_id, number) DEFERRABLE,
    CONSTRAINT no_overlap EXCLUDE USING gist (int8range(raw_id, raw_id + 1) WITH &&, tsrange('-infinity', NULL) WITH &&)
        WHERE (raw_id > 1000000)
);
ALTER TABLE nasty_marts.orders ADD FOREIGN KEY (raw_id) REFERENCES nasty_raw.orders (order_id) ON UPDATE CASCADE NOT VALID;
COMMENT ON CONSTRAINT no_overlap ON nasty_marts.orders IS 'an exclusion';
CREATE TABLE nasty_raw.nasty_raw (nasty_raw integer PRIMARY KEY, nasty_marts integer);
CREATE TABLE nasty_raw.nasty_marts (orders integer);
CREATE UNLOGGED TABLE nasty_raw."Select" ("from" integer, "ORDER BY" text, "a""b" text, "per%cent" text DEFAULT '100%',
    "{brace}" text DEFAULT '{}');
CREATE INDEX ON nasty_raw."Select" ("ORDER BY" text_pattern_ops, "a""b" COLLATE "C");
CREATE TABLE nasty_raw.abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_012345678 (
    abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_012345678 serial UNIQUE);
CREATE TABLE nasty_raw.no_columns ();
CREATE TABLE nasty_raw.dropped (a integer, b text, c integer DEFAULT 3, d integer);
ALTER TABLE nasty_raw.dropped DROP COLUMN b, ADD COLUMN e text NOT NULL DEFAULT 'e', ADD CHECK (c > 0) NOT VALID;
CREATE TABLE nasty_raw.typed OF nasty_raw.point3 (PRIMARY KEY (label));
CREATE TABLE nasty_marts.of_rows (old nasty_raw.orders, many nasty_raw.orders[]);
CREATE TABLE nasty_raw.identified (a integer NOT NULL, b integer GENERATED BY DEFAULT AS IDENTITY (CYCLE MAXVALUE 9));
CREATE UNIQUE INDEX identified_a ON nasty_raw.identified (a);
ALTER TABLE nasty_raw.identified REPLICA IDENTITY USING INDEX identified_a;
CREATE TABLE nasty_raw.secret (owner_name name DEFAULT current_user, what text);
ALTER TABLE nasty_raw.secret ENABLE ROW LEVEL SECURITY;
CREATE POLICY own_rows ON nasty_raw.secret AS RESTRICTIVE FOR UPDATE TO PUBLIC USING (owner_name = CURRENT_USER)
    WITH CHECK (EXISTS (SELECT FROM nasty_raw.customers c WHERE c.note <> 'nasty_raw.secret'));
CREATE POLICY everybody ON nasty_raw.secret USING (true);
COMMENT ON POLICY own_rows ON nasty_raw.secret IS 'a policy';

-- inheritance ------------------------------------------------------------------------------------------------------
CREATE TABLE nasty_raw.animals (id serial PRIMARY KEY, legs integer DEFAULT 4 CHECK (legs >= 0), name text NOT NULL);
CREATE TABLE nasty_raw.wings (span integer, CONSTRAINT span_positive CHECK (span > 0));
CREATE TABLE nasty_raw.birds (song text, legs integer DEFAULT 2, CONSTRAINT two_legs CHECK (legs <= 2))
    INHERITS (nasty_raw.animals, nasty_raw.wings);
ALTER TABLE nasty_raw.birds ALTER COLUMN name SET DEFAULT 'bird', ALTER COLUMN span SET NOT NULL;
CREATE TABLE nasty_marts.parrots (words text[]) INHERITS (nasty_raw.birds);
CREATE INDEX parrot_words ON nasty_marts.parrots USING gin (words);

-- partitions, of two levels, in both schemas, with names of their own ------------------------------------------------
CREATE TABLE nasty_raw.events (
    id bigint GENERATED BY DEFAULT AS IDENTITY, at date NOT NULL, kind nasty_raw.mood NOT NULL,
    customer_id integer CONSTRAINT events_customer REFERENCES nasty_raw.customers, payload text DEFAULT 'p',
    doubled bigint GENERATED ALWAYS AS (length(payload) * 2) STORED,
    CONSTRAINT events_key PRIMARY KEY (id, at, kind), CONSTRAINT payload_short CHECK (nasty_raw.is_short(payload, 99))
) PARTITION BY RANGE (at);
CREATE TABLE nasty_raw."events 2024" PARTITION OF nasty_raw.events (payload DEFAULT 'old', CHECK (id > 0))
    FOR VALUES FROM (MINVALUE) TO ('2025-01-01') WITH (fillfactor = 50);
CREATE TABLE nasty_marts.events_2025 PARTITION OF nasty_raw.events FOR VALUES FROM ('2025-01-01') TO ('2026-01-01')
    PARTITION BY LIST (kind);
CREATE TABLE nasty_raw.events_2025_sad (payload text, kind nasty_raw.mood NOT NULL, id bigint NOT NULL,
    customer_id integer, doubled bigint GENERATED ALWAYS AS (length(payload) * 2) STORED, at date NOT NULL,
    extra_dropped integer, CONSTRAINT sad_key PRIMARY KEY (id, at, kind),
    CONSTRAINT sad_customer FOREIGN KEY (customer_id) REFERENCES nasty_raw.customers);
ALTER TABLE nasty_raw.events_2025_sad DROP COLUMN extra_dropped, ADD CONSTRAINT payload_short
    CHECK (nasty_raw.is_short(payload, 99));
ALTER TABLE nasty_marts.events_2025 ATTACH PARTITION nasty_raw.events_2025_sad FOR VALUES IN ('sad');
CREATE TABLE nasty_raw.events_rest PARTITION OF nasty_marts.events_2025 DEFAULT;
CREATE TABLE nasty_raw.events_default PARTITION OF nasty_raw.events DEFAULT;
CREATE INDEX events_by_customer ON nasty_raw.events (customer_id, (lower(payload)));
ALTER INDEX nasty_raw."events 2024_customer_id_lower_idx" RENAME TO "a name of its own";
CREATE INDEX only_here ON nasty_raw.events_rest (payload);
COMMENT ON INDEX nasty_raw.events_by_customer IS 'on all of them';
CREATE TRIGGER on_all AFTER INSERT ON nasty_raw.events FOR EACH ROW EXECUTE FUNCTION nasty_raw.nothing();
CREATE TABLE nasty_raw.hashed (k text, v integer) PARTITION BY HASH (k, nasty_raw.same(v));
CREATE TABLE nasty_raw.hashed_0 PARTITION OF nasty_raw.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 0);
CREATE TABLE nasty_raw.hashed_1 PARTITION OF nasty_raw.hashed FOR VALUES WITH (MODULUS 2, REMAINDER 1);
CREATE TABLE nasty_marts.refers (id bigint, at date, kind nasty_raw.mood,
    CONSTRAINT to_partitioned FOREIGN KEY (id, at, kind) REFERENCES nasty_raw.events ON DELETE CASCADE);

-- two tables that refer to each other
CREATE TABLE nasty_raw.chicken (id integer PRIMARY KEY, egg integer);
CREATE TABLE nasty_raw.egg (id integer PRIMARY KEY, chicken integer REFERENCES nasty_raw.chicken);
ALTER TABLE nasty_raw.chicken ADD CONSTRAINT came_from FOREIGN KEY (egg) REFERENCES nasty_raw.egg;

-- views and what is bound to tables ----------------------------------------------------------------------------------
CREATE VIEW nasty_marts.orders_view WITH (security_barrier = true, check_option = cascaded) AS
    SELECT nasty_raw.order_id AS "Order Id", nasty_raw.amount, nasty_raw.nasty_raw
    FROM nasty_raw.orders nasty_raw WHERE nasty_raw.nasty_raw <> 'nasty_raw.orders';
ALTER VIEW nasty_marts.orders_view ALTER COLUMN amount SET DEFAULT 12.5;
COMMENT ON VIEW nasty_marts.orders_view IS 'an alias named like a schema';
COMMENT ON COLUMN nasty_marts.orders_view."Order Id" IS 'quoted';
CREATE VIEW nasty_raw.both_orders AS
    SELECT r.order_id, m.id, nasty_raw.same('x'::text) AS raw_same, nasty_marts.same('x'::text) AS marts_same,
        lower('A') AS system_lower, nasty_raw.lower('A') AS own_lower, 'nasty_raw.orders'::regclass::oid > 0 AS named,
        'nasty_raw.mood'::regtype::oid > 0 AS typed, c.mood = 'sad'::nasty_raw.mood AS is_sad
    FROM nasty_raw.orders r LEFT JOIN nasty_marts.orders m ON m.raw_id = r.order_id
    JOIN nasty_raw.customers c USING (customer_id);
CREATE VIEW nasty_raw.tables_named_so AS SELECT nasty_raw.nasty_raw, nasty_marts.orders
    FROM nasty_raw.nasty_raw, nasty_raw.nasty_marts;
CREATE RECURSIVE VIEW nasty_raw.family (id, depth) AS
    SELECT customer_id, 0 FROM nasty_raw.customers WHERE parent_id IS NULL
    UNION ALL SELECT c.customer_id, f.depth + 1 FROM nasty_raw.customers c JOIN family f ON c.parent_id = f.id;
CREATE VIEW nasty_raw.by_key AS SELECT c.customer_id, c.name, count(*) AS n
    FROM nasty_raw.customers c LEFT JOIN nasty_raw.orders o USING (customer_id) GROUP BY c.customer_id;
CREATE MATERIALIZED VIEW nasty_marts.order_totals WITH (fillfactor = 66) AS
    SELECT "Order Id" AS "Key", sum(amount) AS total, nasty_raw.joined('x') AS list FROM nasty_marts.orders_view GROUP BY 1;
CREATE UNIQUE INDEX "totals Key" ON nasty_marts.order_totals ("Key");
COMMENT ON MATERIALIZED VIEW nasty_marts.order_totals IS 'over a view';
CREATE MATERIALIZED VIEW nasty_marts.not_filled AS SELECT * FROM nasty_marts.order_totals WITH NO DATA;
CREATE FUNCTION nasty_raw.count_orders("least" numeric DEFAULT 0) RETURNS bigint LANGUAGE sql STABLE
    BEGIN ATOMIC SELECT count(*) FROM nasty_raw.orders WHERE amount >= "least" AND nasty_raw <> 'nasty_raw.orders'; END;
CREATE FUNCTION nasty_raw.best(o nasty_raw.orders) RETURNS SETOF nasty_raw.customers LANGUAGE sql STABLE
    AS $$ SELECT * FROM customers WHERE customer_id = o.customer_id $$;
CREATE VIEW nasty_marts.uses_functions AS SELECT nasty_raw.count_orders(5) AS n, t."Key" FROM nasty_marts.order_totals t;
CREATE FUNCTION nasty_marts.over_view() RETURNS numeric LANGUAGE sql STABLE
    BEGIN ATOMIC SELECT sum(n) FROM nasty_marts.uses_functions; END;
CREATE FUNCTION nasty_raw.set_amount() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$;
CREATE TRIGGER instead INSTEAD OF UPDATE ON nasty_marts.orders_view FOR EACH ROW
    EXECUTE FUNCTION nasty_raw.set_amount();
ALTER TABLE nasty_raw.dropped ALTER COLUMN d SET DEFAULT nasty_raw.count_orders(3)::integer;

-- rows ---------------------------------------------------------------------------------------------------------------
INSERT INTO nasty_raw.customers (name, mood, place, places, big, hours, many_hours, note)
    SELECT 'c' || i, (ARRAY['sad', 'it''s ok', 'ünïcode'])[1 + i % 3]::nasty_raw.mood,
        ROW(i, i / 2.0, ARRAY['sad']::nasty_raw.mood[], 'l\' || i)::nasty_raw.point3,
        ARRAY[ROW(1, 2, NULL, 'a,b"c')::nasty_raw.point3], i, nasty_raw.time_range('10:00', '11:00'),
        NULL, repeat('note ', i % 7) FROM generate_series(1, 200) i;
UPDATE nasty_raw.customers SET parent_id = 1000 WHERE customer_id > 2000;
INSERT INTO nasty_raw.orders (customer_id, amount) SELECT 1000 + 10 * (i % 200), i FROM generate_series(1, 500) i;
INSERT INTO nasty_marts.orders (raw_id) SELECT order_id FROM nasty_raw.orders LIMIT 100;
INSERT INTO nasty_raw.nasty_raw SELECT i, i FROM generate_series(1, 9) i;
INSERT INTO nasty_raw."Select" VALUES (1, 'x', 'tab	newline
backslash \ quote '' " end');
INSERT INTO nasty_raw.abcdefghijklmnopqrstuvwxyz_abcdefghijklmnopqrstuvwxyz_012345678 DEFAULT VALUES;
INSERT INTO nasty_raw.no_columns DEFAULT VALUES;
INSERT INTO nasty_raw.dropped (a) VALUES (1), (2);
INSERT INTO nasty_raw.identified (a) VALUES (1), (2), (3);
INSERT INTO nasty_raw.secret (what) VALUES ('mine');
INSERT INTO nasty_marts.of_rows SELECT o, ARRAY[o] FROM nasty_raw.orders o LIMIT 3;
INSERT INTO nasty_raw.animals (name) VALUES ('cat'), ('dog');
INSERT INTO nasty_raw.birds (span, song) VALUES (20, 'la');
INSERT INTO nasty_marts.parrots (name, span, words) VALUES ('polly', 30, ARRAY['hello', 'nasty_raw.birds']);
INSERT INTO nasty_raw.events (at, kind, customer_id)
    SELECT date '2024-06-01' + i * 5, (ARRAY['sad', 'it''s ok'])[1 + i % 2]::nasty_raw.mood, 1000 FROM generate_series(1, 200) i;
INSERT INTO nasty_marts.refers SELECT id, at, kind FROM nasty_raw.events LIMIT 5;
INSERT INTO nasty_raw.hashed SELECT 'k' || i, i FROM generate_series(1, 50) i;
INSERT INTO nasty_raw.chicken VALUES (1, NULL);
INSERT INTO nasty_raw.egg VALUES (1, 1);
UPDATE nasty_raw.chicken SET egg = 1;
SELECT nextval('nasty_raw."Down Seq"'), setval('nasty_raw.identified_b_seq', 7, false);
REFRESH MATERIALIZED VIEW nasty_marts.order_totals;
ALTER MATERIALIZED VIEW nasty_marts.order_totals ALTER COLUMN total SET STATISTICS 33;
CREATE TRIGGER everywhere BEFORE INSERT ON nasty_raw.events FOR EACH ROW EXECUTE FUNCTION nasty_raw.nothing();
ALTER TABLE ONLY nasty_raw."events 2024" DISABLE TRIGGER everywhere;
CREATE TABLE nasty_raw.a_taker (n integer DEFAULT nextval('nasty_raw.customers_customer_id_seq'));  -- another's identity
