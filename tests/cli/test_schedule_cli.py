"""``kitchen schedule`` as people and their systems' timers type it."""

from __future__ import annotations

import json
import signal
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from kitchen.app import App
from tests.support import Project


def test_a_due_refresh_is_answered_listed_and_ended_by_sigterm(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project.kitchen("schedule", "list", "--json").stdout.strip() == "[]"
    dev = project.root / "environments" / "dev.yaml"
    text = dev.read_text()
    assert "masking: masking.yaml" in text
    refresh = 'masking: masking.yaml, refresh: {cron: "0 3 * * *", timezone: Europe/Vienna}'
    dev.write_text(text.replace("masking: masking.yaml", refresh))
    project.kitchen("up")
    sql = "CREATE TABLE public.town (id int PRIMARY KEY, flag boolean); INSERT INTO public.town VALUES (1, true)"
    project.kitchen("enter", "production", "--", "psql", "-q", "-c", sql)
    project.kitchen("pantry", "scan", "--write")
    for name in ("KITCHEN_HOME", "KITCHEN_KEY_HOME"):
        monkeypatch.setenv(name, project.environ[name])
    records = App(project.root).services("dev").control.schedules
    records.see("pantry refresh", datetime.now(UTC) - timedelta(days=2))
    (due,) = json.loads(project.kitchen("schedule", "list", "--json").stdout)
    assert due["timezone"] == "Europe/Vienna"
    assert due["due_since"] is not None

    server = subprocess.Popen(
        [sys.executable, "-m", "kitchen", "schedule", "serve"], cwd=project.root, env=project.environ,
        stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True,
    )  # fmt: skip
    give_up = time.monotonic() + 90
    while (kept := records.get("pantry refresh")) is None or kept.outcome in ("seen", "running"):
        assert time.monotonic() < give_up, server.poll()
        time.sleep(0.3)
    server.send_signal(signal.SIGTERM)
    _, said = server.communicate(timeout=30)
    assert server.returncode == 0, said
    assert kept.outcome == "done", (kept.said, said)
    assert "pantry v1 of dev is published" in said
    assert json.loads(project.kitchen("pantry", "list", "--json").stdout)[0]["version"] == 1
    (done,) = json.loads(project.kitchen("schedule", "list", "--json").stdout)
    assert done["last"]["outcome"] == "done"
    assert done["due_since"] is None
    project.kitchen("schedule", "serve", "--once")
