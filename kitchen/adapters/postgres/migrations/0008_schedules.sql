-- What is due by a schedule: which due time was answered last, and how it ended. One row for each schedule.

CREATE TABLE kitchen_control.schedule (
    name text PRIMARY KEY,
    due_at timestamptz NOT NULL,
    started_at timestamptz,
    finished_at timestamptz,
    outcome text NOT NULL CHECK (outcome IN ('seen', 'running', 'done', 'failed', 'interrupted')),
    said text NOT NULL DEFAULT ''
);
REVOKE ALL ON kitchen_control.schedule FROM PUBLIC;
