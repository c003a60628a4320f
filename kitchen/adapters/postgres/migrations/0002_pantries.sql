-- Versions of the pantry: the masked baseline of the parent environment's data. A number is never used twice.

CREATE TABLE kitchen_control.pantry (
    version integer PRIMARY KEY CHECK (version > 0),
    state text NOT NULL CHECK (state IN ('building', 'ready', 'dropped')),
    created_at timestamptz NOT NULL DEFAULT now(),
    published_at timestamptz,
    manifest jsonb NOT NULL
);
REVOKE ALL ON kitchen_control.pantry FROM PUBLIC;
