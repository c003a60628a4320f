"""A chain dev, stage, production: dev's data from a stage that is masked itself, or past it from production."""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.acceptance.external import MASKING, PRODUCTION, SHOP, Place, install, places, psql
from tests.support import SERVERS, Project, Server

STAGE = "parent: production\nbranch: stage\nwarehouse: {warehouse}\nkitchens: {{working: false}}\n{data}"
DEV = "parent: stage\nbranch: dev\nwarehouse: {warehouse}\ndata: {{from: {source}, masking: masking.yaml}}\n"
MORE = """
CREATE TYPE mood AS ENUM ('glad', 'cross');
ALTER TABLE customer ADD COLUMN mood mood NOT NULL DEFAULT 'glad', ADD COLUMN phone text;
UPDATE customer SET phone = '+43 660 ' || 1000000 + customer_id, mood = 'cross' WHERE customer_id % 3 = 0;
CREATE VIEW cross_ones AS SELECT customer_id, full_name FROM customer WHERE mood = 'cross';
CREATE VIEW paid_sums AS SELECT customer_id, sum(paid) AS paid FROM orders GROUP BY customer_id;
CREATE TABLE line (order_id int REFERENCES orders, position int, PRIMARY KEY (order_id, position));
INSERT INTO line SELECT order_id, 1 FROM orders;
"""
DECIDED = (
    MASKING.replace(
        "    segment: {mask: keep, why: two of them}\n",
        "    segment: {mask: keep, why: two of them}\n    mood: {mask: keep, why: two of them}\n"
        "    phone: {mask: phone, subject: customer_id}\n",
    )
    + """
  line:
    order_id: {mask: keep, why: surrogate key}
    position: {mask: keep, why: a number}
"""
)
RECIPE = """
description: What each segment pays, and orders without the small ones
nodes:
  large: {sql: large.sql}
  segment_paid: {sql: segment_paid.sql}
"""
LARGE = "DELETE FROM orders WHERE paid <= 1000;\n"
SEGMENTS = """
DROP TABLE IF EXISTS segment_paid;
CREATE TABLE segment_paid AS
SELECT segment, min(email) AS first, sum(paid) AS paid FROM orders JOIN customer USING (customer_id) GROUP BY segment;
"""


@pytest.fixture(params=SERVERS)
def chain(request: pytest.FixtureRequest, project: Project, tmp_path: Path) -> Iterator[tuple[Project, list[Place]]]:
    """Return a project with three environments on somebody else's server, and where they are."""
    server: Server = request.getfixturevalue(request.param)
    with places(server, server, server) as found:
        production, stage, dev = found
        folder = project.root / "environments"
        (folder / "production.yaml").write_text(PRODUCTION.format(warehouse=production.warehouse()))
        (folder / "stage.yaml").write_text(
            STAGE.format(warehouse=stage.warehouse(), data="data: {from: production, masking: masking_stage.yaml}\n")
        )
        (folder / "dev.yaml").write_text(DEV.format(warehouse=dev.warehouse(), source="stage"))
        (folder / "masking.yaml").write_text(DECIDED)
        (folder / "masking_stage.yaml").write_text(DECIDED)
        shutil.rmtree(project.root / "recipes")
        (project.root / "recipes").mkdir()
        agree(project, "three environments")
        for name, place in zip(("production", "stage", "dev"), found, strict=True):
            install(project, name, place, tmp_path)
        psql(project, "production", SHOP)
        psql(project, "production", MORE)
        yield project, found


def agree(project: Project, message: str) -> None:
    project.commit(message)
    for branch in ("stage", "dev"):
        project.git("branch", "-f", branch, "main")


def emails(project: Project, kitchen: str) -> set[str]:
    return set(psql(project, kitchen, "SELECT email FROM customer").splitlines())


def test_dev_receives_what_stage_reads_masked_once_more(chain: tuple[Project, list[Place]]) -> None:
    project, _ = chain
    project.kitchen("pantry", "refresh", "-e", "stage", "--yes")
    project.kitchen("pantry", "check", "-e", "dev")
    project.kitchen("pantry", "refresh", "-e", "dev", "--yes")
    shown = json.loads(project.kitchen("pantry", "show", "-e", "dev", "--json").stdout)
    assert (shown["source"], shown["source_is_masked"]) == ("stage", True)
    assert shown["rows"] == {"public.customer": 200, "public.line": 2000, "public.orders": 2000}
    production, stage, dev = (emails(project, name) for name in ("production", "stage", "dev"))
    assert len(production | stage | dev) == 600, "what is masked already is masked once more"
    assert all(email.endswith("@example.invalid") for email in stage | dev)
    for name in ("stage", "dev"):
        assert psql(project, name, "SELECT count(*) FROM cross_ones") == "66"
        assert psql(project, name, "SELECT enum_range(NULL::mood)") == "{glad,cross}"
    assert json.loads(project.kitchen("pantry", "verify", "-e", "dev", "--json").stdout)["passed"] is True

    project.kitchen("create", "work")
    worktree = project.root / ".kitchen" / "worktrees" / "work"
    recipe = worktree / "recipes" / "payments"
    recipe.mkdir(parents=True)
    (recipe / "recipe.yaml").write_text(RECIPE)
    (recipe / "large.sql").write_text(LARGE)
    (recipe / "segment_paid.sql").write_text(SEGMENTS)
    project.kitchen("run", "payments", cwd=worktree)
    project.git("-C", str(worktree), "add", "-A")
    project.git("-C", str(worktree), "commit", "-q", "-m", "payments")
    project.kitchen("merge", "work", "--yes")
    project.kitchen("promote", "stage", "--yes")
    kept = psql(project, "stage", "SELECT count(*) FROM orders")
    assert kept == "1000"

    refused = project.kitchen("pantry", "refresh", "-e", "dev", "--yes", expect=5)
    assert "public.segment_paid.first: text is undecided" in refused.stderr
    policy = project.root / "environments" / "masking.yaml"
    policy.write_text(DECIDED + "  segment_paid:\n    segment: {mask: keep, why: two of them}\n"
                      "    first: {mask: email}\n    paid: {mask: keep, why: sums}\n")  # fmt: skip
    project.git("add", "-A")
    project.git("commit", "-q", "-m", "decided")
    project.git("checkout", "-q", "dev")
    project.git("merge", "-q", "main")
    project.git("checkout", "-q", "main")
    refreshed = project.kitchen("pantry", "refresh", "-e", "dev", "--yes")
    assert "foreign key line_order_id_fkey" in refreshed.stderr, "orders are stage's own now, and lines the pantry's"
    made = json.loads(project.kitchen("pantry", "show", "-e", "dev", "--json").stdout)
    assert made["rows"] == {
        "public.customer": 200, "public.line": 2000, "public.orders": 1000, "public.segment_paid": 2,
    }  # fmt: skip
    assert psql(project, "dev", f"SELECT count(*) FROM pantry_v{made['version']}.orders") == "1000"
    assert json.loads(project.kitchen("pantry", "verify", "1", "-e", "dev", "--json").stdout)["passed"] is True


def test_past_a_stage_the_data_comes_from_production(chain: tuple[Project, list[Place]]) -> None:
    project, (_, stage, dev) = chain
    folder = project.root / "environments"
    (folder / "stage.yaml").write_text(STAGE.format(warehouse=stage.warehouse(), data=""))
    (folder / "dev.yaml").write_text(DEV.format(warehouse=dev.warehouse(), source="production"))
    agree(project, "past stage")
    project.kitchen("pantry", "refresh", "-e", "dev", "--yes")
    shown = json.loads(project.kitchen("pantry", "show", "-e", "dev", "--json").stdout)
    assert (shown["source"], shown["source_is_masked"]) == ("production", False)
    assert not emails(project, "dev") & emails(project, "production")
