"""A small recipe over a small table, for tests of what is delivered: fast, and easy to see through."""

from __future__ import annotations

from pathlib import Path

from tests.bench import Bench

RECIPE = """\
description: What customers bring
nodes:
  totals: {sql: totals.sql}
  best: {sql: best.sql}
tests:
  totals:
    after:
      - unique: {table: totals, columns: [customer]}
  best:
    after:
      - row_count: {table: best, min: 1}
"""
TOTALS = """\
DROP TABLE IF EXISTS totals;
CREATE TABLE totals AS SELECT customer, sum(amount) AS total FROM orders GROUP BY customer;
"""
BEST = """\
DROP TABLE IF EXISTS best;
CREATE TABLE best AS SELECT customer, total FROM totals ORDER BY total DESC LIMIT 3;
"""
ORDERS = "CREATE TABLE orders AS SELECT n AS id, n % 10 AS customer, n AS amount FROM generate_series(1, 1000) AS n"


def write(root: Path, *, recipe: str = RECIPE, totals: str = TOTALS, best: str = BEST) -> None:
    """Write the recipe below a folder."""
    folder = root / "recipes" / "report"
    folder.mkdir(parents=True, exist_ok=True)
    (folder / "recipe.yaml").write_text(recipe)
    (folder / "totals.sql").write_text(totals)
    (folder / "best.sql").write_text(best)


def ground(bench: Bench, *standing: str) -> None:
    """Commit the recipe on main and dev, make the table in standing kitchens, and run the recipe there."""
    project = bench.project
    write(project.root)
    project.commit("a report")
    project.git("branch", "-f", "dev", "main")
    for kitchen in standing:
        psql(bench, kitchen, ORDERS)
        project.kitchen("run", "report", "-k", kitchen)


def psql(bench: Bench, kitchen: str, statement: str) -> str:
    """Run SQL in a kitchen and return what it gives, without decoration."""
    words = ("enter", kitchen, "--", "psql", "-X", "-q", "-A", "-t", "-v", "ON_ERROR_STOP=1", "-c", statement)
    return bench.project.kitchen(*words).stdout.strip()


def create(bench: Bench, name: str, *more: str) -> Path:
    """Make a kitchen and return its worktree."""
    return Path(bench.project.kitchen("create", name, *more).stdout.strip())


def commit(bench: Bench, worktree: Path, message: str = "change") -> str:
    """Commit everything in a worktree."""
    bench.project.git("-C", str(worktree), "add", "-A")
    bench.project.git("-C", str(worktree), "commit", "-q", "-m", message)
    return bench.project.git("-C", str(worktree), "rev-parse", "HEAD")
