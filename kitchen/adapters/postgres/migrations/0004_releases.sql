-- What was published into the kitchens of this environment, by which plan, and what it replaced.

CREATE TABLE kitchen_control.release (
    number integer PRIMARY KEY GENERATED ALWAYS AS IDENTITY,
    kind text NOT NULL CHECK (kind IN ('merge', 'promotion', 'rollback')),
    environment text NOT NULL,
    kitchen text NOT NULL,
    plan jsonb NOT NULL,
    plan_hash text NOT NULL,
    state text NOT NULL CHECK (state IN ('planned', 'applying', 'released', 'failed', 'rolled back')),
    by text NOT NULL,
    planned_at timestamptz NOT NULL DEFAULT now(),
    commit text,
    tag text,
    released_at timestamptz,
    message text
);
CREATE INDEX release_kitchen ON kitchen_control.release (kitchen, number);

-- A person agrees to a plan, which the hash names; a release that is planned anew needs new approvals.
CREATE TABLE kitchen_control.approval (
    release integer NOT NULL REFERENCES kitchen_control.release (number),
    by text NOT NULL,
    plan_hash text NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    own boolean NOT NULL,
    PRIMARY KEY (release, by, plan_hash)
);

-- Relations by number: they keep it wherever they are moved.
CREATE TABLE kitchen_control.swapped (
    release integer NOT NULL REFERENCES kitchen_control.release (number),
    schema text NOT NULL,
    name text NOT NULL,
    before bigint,
    after bigint,
    PRIMARY KEY (release, schema, name)
);

CREATE TABLE kitchen_control.deployed (
    kitchen text PRIMARY KEY,
    commit text NOT NULL,
    release integer NOT NULL REFERENCES kitchen_control.release (number),
    at timestamptz NOT NULL DEFAULT now()
);

REVOKE ALL ON kitchen_control.release, kitchen_control.approval, kitchen_control.swapped, kitchen_control.deployed
FROM PUBLIC;
