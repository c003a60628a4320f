-- A trading house with names in quotes and capitals, types of extensions, domains over composites, rules.
CREATE EXTENSION IF NOT EXISTS citext; CREATE EXTENSION IF NOT EXISTS ltree; CREATE EXTENSION IF NOT EXISTS hstore;
CREATE DOMAIN "Phone Number" AS varchar(24) CHECK (VALUE ~ '^[0-9() .-]+$');
CREATE TYPE "Ship Address" AS ("Name" varchar(40), "Street" varchar(60), "City" varchar(15), "Point" point);
CREATE DOMAIN "Known Address" AS "Ship Address" CHECK ((VALUE)."City" IS NOT NULL);
CREATE TYPE "Status" AS ENUM ('new', 'shipped');
ALTER TYPE "Status" ADD VALUE 'packed' BEFORE 'shipped';
ALTER TYPE "Status" ADD VALUE 'back order';
-- in a transaction of its own
CREATE TABLE "Categories" ("CategoryID" smallint PRIMARY KEY, "CategoryName" citext UNIQUE, "Picture" bytea,
    "Path" ltree);
CREATE INDEX ON "Categories" USING gist ("Path");
CREATE TABLE "Customers" ("CustomerID" char(5) PRIMARY KEY, "Company Name" varchar(40) NOT NULL,
    "Phone" "Phone Number", "Guid" uuid DEFAULT gen_random_uuid(), "Extra" hstore, "Known" "Known Address",
    "All known" "Ship Address"[]);
CREATE INDEX ON "Customers" USING gin ("Extra");
CREATE TABLE "Employees" ("EmployeeID" smallint PRIMARY KEY,
    "ReportsTo" smallint REFERENCES "Employees" ON DELETE SET NULL, "Photo" bytea, "Notes" text,
    "Name" text GENERATED ALWAYS AS (upper("Notes")) STORED);
ALTER TABLE "Employees" ALTER "Photo" SET STORAGE EXTERNAL;
CREATE TABLE "Shippers" ("ShipperID" smallint PRIMARY KEY, "CompanyName" varchar(40) COLLATE "C" NOT NULL);
CREATE TABLE "Orders" ("OrderID" int PRIMARY KEY, "CustomerID" char(5) REFERENCES "Customers" ON UPDATE CASCADE,
    "EmployeeID" smallint REFERENCES "Employees", "OrderDate" date, "ShipVia" smallint REFERENCES "Shippers",
    "Freight" real DEFAULT 0, "Status" "Status" DEFAULT 'new', "Ship" "Ship Address", "During" tstzmultirange,
    "Tags" text[] DEFAULT '{}', "Doc" jsonb DEFAULT '{"a": [1, "x"]}');
CREATE TABLE "Products" ("ProductID" smallint PRIMARY KEY, "ProductName" varchar(40) NOT NULL,
    "CategoryID" smallint REFERENCES "Categories", "Discontinued" boolean NOT NULL DEFAULT false, "UnitPrice" money);
CREATE TABLE "Order Details" ("OrderID" int REFERENCES "Orders" ON DELETE CASCADE,
    "ProductID" smallint REFERENCES "Products", "Quantity" smallint NOT NULL CHECK ("Quantity" > 0),
    "Discount" real NOT NULL DEFAULT 0 CONSTRAINT "CK Discount" CHECK ("Discount" BETWEEN 0 AND 1),
    PRIMARY KEY ("OrderID", "ProductID"));
CREATE TABLE "CustomerDemographics" ("CustomerTypeID" char(10) PRIMARY KEY, "CustomerDesc" text);
CREATE TABLE "CustomerCustomerDemo" ("CustomerID" char(5) REFERENCES "Customers",
    "CustomerTypeID" char(10) REFERENCES "CustomerDemographics", PRIMARY KEY ("CustomerID", "CustomerTypeID"));
CREATE VIEW "Order Subtotals" WITH (security_barrier) AS SELECT "OrderID",
    sum("Quantity" * (1 - "Discount")) AS "Subtotal" FROM "Order Details" GROUP BY "OrderID";
CREATE VIEW "Current Product List" WITH (security_invoker = true) AS SELECT * FROM "Products" WHERE NOT "Discontinued"
    WITH LOCAL CHECK OPTION;
CREATE VIEW "Sales" AS SELECT o."OrderID", s."Subtotal",
    c."Company Name" FROM "Orders" o JOIN "Order Subtotals" s USING ("OrderID") JOIN "Customers" c USING ("CustomerID");
CREATE VIEW "Nested""Quote" AS SELECT 1 AS "a ""b"" c", 'don''t "Orders".x' AS "Orders";
CREATE FUNCTION "Raise"("Status") RETURNS "Status" LANGUAGE sql IMMUTABLE AS $$ SELECT CASE $1 WHEN 'new' THEN
    'packed'::"Status" ELSE 'shipped' END $$;
CREATE FUNCTION order_value(id int) RETURNS numeric LANGUAGE sql STABLE BEGIN ATOMIC SELECT sum("Quantity") FROM
    "Order Details" WHERE "OrderID" = id; END;
CREATE PROCEDURE ship(id int) LANGUAGE sql BEGIN ATOMIC UPDATE "Orders" SET "Status" = 'shipped' WHERE "OrderID" = id;
    INSERT INTO "Shippers" VALUES (id % 30000, 'x'); END;
CREATE FUNCTION note() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW."Freight" := coalesce(NEW."Freight",
    1); RETURN NEW; END $$;
CREATE TRIGGER "On ""Orders""" BEFORE INSERT OR UPDATE OF "Freight" ON "Orders" FOR EACH ROW WHEN (NEW."Freight" IS
    NULL) EXECUTE FUNCTION note('a ''b''');
CREATE RULE protect AS ON DELETE TO "Categories" DO INSTEAD NOTHING;
CREATE VIEW "Updatable" AS SELECT "ShipperID" FROM "Shippers";
CREATE RULE ins AS ON INSERT TO "Updatable" DO INSTEAD INSERT INTO "Shippers" VALUES (NEW."ShipperID", 'from view');
CREATE SEQUENCE "Invoice Numbers" INCREMENT 10 START 1000 MAXVALUE 9999 CYCLE OWNED BY "Orders"."OrderID";
ALTER TABLE "Orders" ADD COLUMN "Code" text DEFAULT (('O-')::text || nextval('"Invoice Numbers"'::regclass));
INSERT INTO "Categories" SELECT n, 'cat ' || n, '\xdeadbeef', ('top.c' || n)::ltree FROM generate_series(1, 8) n;
INSERT INTO "Customers" ("CustomerID", "Company Name", "Phone", "Extra", "Known", "All known") SELECT lpad(n::text, 5,
    'A'), 'Comp, "' || n, '030-00', 'a=>b', ROW('n', 's"', 'City', '(1,2)')::"Ship Address", ARRAY[ROW('x,y', 'z',
    NULL, NULL)::"Ship Address"] FROM generate_series(1, 1100) n;
INSERT INTO "Employees" ("EmployeeID", "ReportsTo", "Notes") SELECT n, nullif(n - 1, 0), 'note' FROM generate_series(1,
    9) n;
INSERT INTO "Shippers" SELECT n, 's' || n FROM generate_series(1, 3) n;
INSERT INTO "Orders" ("OrderID", "CustomerID", "EmployeeID", "ShipVia", "During") SELECT n, lpad((n % 1100 + 1)::text,
    5, 'A'), n % 9 + 1, n % 3 + 1, '{[2024-01-01,2024-02-01),[2024-03-01,)}' FROM generate_series(1, 900) n;
INSERT INTO "Products" SELECT n, 'p' || n, n % 8 + 1, n % 5 = 0, n::numeric::money FROM generate_series(1, 1300) n;
INSERT INTO "Order Details" SELECT n % 900 + 1, n % 1300 + 1, n % 9 + 1, 0.1 FROM generate_series(1,
    3000) n ON CONFLICT DO NOTHING;
INSERT INTO "CustomerDemographics" SELECT 'T' || n, 'd' FROM generate_series(1, 4) n;
INSERT INTO "CustomerCustomerDemo" SELECT lpad(n::text, 5, 'A'), 'T' || n % 4 + 1 FROM generate_series(1, 1100) n;
