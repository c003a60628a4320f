-- Runs of recipes, attempts at their nodes, and what tests gave. A run is recorded before its first node starts.

CREATE TABLE kitchen_control.run (
    id uuid PRIMARY KEY,
    kitchen text NOT NULL, -- no reference: what ran outlives the kitchen it ran in
    recipe text NOT NULL,
    variation text,
    commit text,
    state text NOT NULL CHECK (state IN ('running', 'passed', 'failed', 'errored', 'cancelled', 'skipped')),
    by text NOT NULL,
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    parameters jsonb NOT NULL,
    message text,
    -- the session that reports: a run whose session is gone was killed
    backend_pid integer NOT NULL,
    backend_start timestamptz
);
CREATE INDEX run_started ON kitchen_control.run (started_at DESC);
CREATE INDEX run_kitchen ON kitchen_control.run (kitchen, started_at DESC);

CREATE TABLE kitchen_control.node_run (
    run uuid NOT NULL REFERENCES kitchen_control.run (id) ON DELETE CASCADE,
    node text NOT NULL,
    attempt integer NOT NULL,
    position bigint GENERATED ALWAYS AS IDENTITY,
    state text NOT NULL CHECK (state IN ('running', 'passed', 'failed', 'errored', 'cancelled', 'skipped')),
    started_at timestamptz NOT NULL,
    ended_at timestamptz,
    rows bigint,
    message text,
    log text NOT NULL,
    PRIMARY KEY (run, node, attempt)
);

CREATE TABLE kitchen_control.test_result (
    run uuid NOT NULL REFERENCES kitchen_control.run (id) ON DELETE CASCADE,
    position bigint GENERATED ALWAYS AS IDENTITY,
    node text NOT NULL,
    phase text NOT NULL,
    test text NOT NULL,
    kind text NOT NULL,
    severity text NOT NULL CHECK (severity IN ('stop', 'warn', 'log')),
    passed boolean NOT NULL,
    measured text NOT NULL,
    expected text NOT NULL,
    error text,
    sample jsonb NOT NULL,
    PRIMARY KEY (run, position)
);

-- Migrations that ran in a standing kitchen, and must not run there again.
CREATE TABLE kitchen_control.once_done (
    kitchen text NOT NULL,
    node text NOT NULL, -- recipe/node
    run uuid NOT NULL,
    at timestamptz NOT NULL DEFAULT now(),
    PRIMARY KEY (kitchen, node)
);

REVOKE ALL ON kitchen_control.run, kitchen_control.node_run, kitchen_control.test_result, kitchen_control.once_done
    FROM PUBLIC;
