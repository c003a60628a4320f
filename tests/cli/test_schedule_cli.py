"""``kitchen schedule`` as people and their systems' timers type it."""

from __future__ import annotations

import json
import signal
import socket
import subprocess
import sys
import time
from datetime import UTC, datetime, timedelta

import pytest

from kitchen.app import App
from kitchen.ports import ScheduleRecords
from tests.support import Project


def test_a_due_refresh_is_answered_listed_and_ended_by_sigterm(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert project.kitchen("schedule", "list", "--json").stdout.strip() == "[]"
    _refreshes(project, 'masking: masking.yaml, refresh: {cron: "0 3 * * *", timezone: Europe/Vienna}')
    sql = "CREATE TABLE public.town (id int PRIMARY KEY, flag boolean); INSERT INTO public.town VALUES (1, true)"
    project.kitchen("enter", "production", "--", "psql", "-q", "-c", sql)
    project.kitchen("pantry", "scan", "--write")
    records = _due(project, monkeypatch)
    assert "\tnever ran" in project.kitchen("schedule", "list").stdout
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
    assert "· ·" not in said
    assert json.loads(project.kitchen("pantry", "list", "--json").stdout)[0]["version"] == 1
    (done,) = json.loads(project.kitchen("schedule", "list", "--json").stdout)
    assert done["last"]["outcome"] == "done"
    assert done["due_since"] is None
    project.kitchen("schedule", "serve", "--once")


def test_a_failed_refresh_says_why_in_its_alert_and_in_the_list(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    _refreshes(project, "masking: masking.yaml, refresh: 0 3 * * *")
    sql = "CREATE TABLE public.town (id int PRIMARY KEY, mayor text); INSERT INTO public.town VALUES (1, 'Grimes')"
    project.kitchen("enter", "production", "--", "psql", "-q", "-c", sql)
    _due(project, monkeypatch)
    told = project.kitchen("schedule", "serve", "--once", expect=1).stderr
    (alert,) = [line for line in told.splitlines() if "ALERT" in line]
    assert "town.mayor" in alert, told
    assert ":;" not in alert
    assert "· ·" not in told
    assert "Grimes" not in told
    (last,) = json.loads(project.kitchen("schedule", "list", "--json").stdout)
    assert "town.mayor" in last["last"]["said"]


def test_a_schedule_that_nobody_can_ask_for_is_an_alert(project: Project) -> None:
    dev = project.root / "environments" / "dev.yaml"
    plain = dev.read_text()
    with socket.socket() as taken:  # it is bound, and nobody answers there
        taken.bind(("127.0.0.1", 0))
        server = {"kind": "postgres", "host": "127.0.0.1", "port": taken.getsockname()[1], "database": "shop",
                  "tls": "disable"}  # fmt: skip
        elsewhere = plain.replace("warehouse: {kind: embedded}", f"warehouse: {json.dumps(server)}")
        assert elsewhere != plain
        dev.write_text(elsewhere.replace("masking: masking.yaml", "masking: masking.yaml, refresh: 0 3 * * *"))
        project.commit("every night")
        project.git("branch", "-f", "dev", "main")
        dev.write_text(elsewhere)
        project.commit("another branch, which says nothing of it")
        project.kitchen("secret", "set", "provisioner", "user", "-e", "dev", typed="kitchen_provisioner")
        project.kitchen("secret", "set", "provisioner", "password", "-e", "dev", typed="secret")
        listed = project.kitchen("schedule", "list", expect=6)
        assert "dev could not be asked" in listed.stderr
        assert "nothing is scheduled" not in listed.stderr
        told = project.kitchen("schedule", "serve", "--once", expect=1).stderr
    assert "ALERT dev cannot be asked whether a refresh is due" in told
    project.kitchen("schedule", "list", "-e", "production")


def _refreshes(project: Project, data: str) -> None:
    dev = project.root / "environments" / "dev.yaml"
    text = dev.read_text()
    assert "masking: masking.yaml" in text
    dev.write_text(text.replace("masking: masking.yaml", data))
    project.kitchen("up")


def _due(project: Project, monkeypatch: pytest.MonkeyPatch) -> ScheduleRecords:
    for name in ("KITCHEN_HOME", "KITCHEN_KEY_HOME"):
        monkeypatch.setenv(name, project.environ[name])
    records = App(project.root).services("dev").control.schedules
    records.see("pantry refresh", datetime.now(UTC) - timedelta(days=2))
    return records
