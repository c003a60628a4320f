"""The tour as a value: what is typed, what is edited, and which answers are right."""

from __future__ import annotations

from dataclasses import dataclass

WORKTREE = ".kitchen/worktrees"


@dataclass(frozen=True, slots=True)
class Command:
    """A command that a user types. ``{…}`` in a word is filled in when it runs."""

    words: tuple[str, ...]
    folder: str = "."
    expect: tuple[int, ...] = (0,)
    then: str | None = None  # what to notice


@dataclass(frozen=True, slots=True)
class Edit:
    """A change that a user makes in an editor: a file written anew, or one passage replaced."""

    path: str
    new: str
    old: str | None = None


@dataclass(frozen=True, slots=True)
class Scene:
    """One part of the tour."""

    title: str
    why: str
    acts: tuple[Command | Edit, ...]


def _kitchen(*words: str, expect: tuple[int, ...] = (0,), then: str | None = None) -> Command:
    return Command(("kitchen", *words), expect=expect, then=then)


def _sql(kitchen: str, statement: str, *, expect: tuple[int, ...] = (0,), then: str | None = None) -> Command:
    return _kitchen("enter", kitchen, "--", "psql", "-c", statement, expect=expect, then=then)


def _git(kitchen: str, *words: str) -> Command:
    return Command(("git", *words), folder=f"{WORKTREE}/{kitchen}")


_PEOPLE = (
    "SELECT first_name, last_name, email, phone, notes FROM customers WHERE customer_id IN (5, 7) ORDER BY customer_id"
)
_PROFIT = "SELECT * FROM segment_profit ORDER BY profit DESC"

_KNOCK = """PGPASSWORD=$(cut -d: -f5 "$PGPASSFILE") psql -w "host=127.0.0.1 port={production_port}" -c "SELECT 1\""""

_RETURNS_TEST = """\
-- Passes when it returns no row: what was sent back has brought nothing.
SELECT o.order_id FROM orders AS o JOIN order_profit AS p ON p.order_id = o.order_id WHERE o.status = 'returned';
"""

TOUR: tuple[Scene, ...] = (
    Scene(
        "A project",
        "A project is a git repository with environments/ and recipes/ at its root.",
        (
            Command(("git", "init", "--quiet", "-b", "main")),
            _kitchen("init", "--example"),
            Command(("git", "add", "--all")),
            Command(("git", "commit", "--quiet", "-m", "Begin the project")),
        ),
    ),
    Scene(
        "Two environments",
        "Each has a PostgreSQL server, an encrypted secret store and a storage folder of its own.",
        (_kitchen("up"), _kitchen("environment", "show")),
    ),
    Scene(
        "Production",
        "A shop: 12,000 people, 72,000 orders, 216,000 order lines; and the report that runs on them.",
        (
            _kitchen("enter", "production", "--", "psql", "-q", "-f", ".kitchen/retail.sql"),
            _kitchen("run", "profitability", "-k", "production"),
            _sql("production", _PROFIT),
        ),
    ),
    Scene(
        "The pantry",
        "Production is masked once, on its way out. Every column has a decision, or nothing leaves.",
        (_kitchen("pantry", "check"), _kitchen("pantry", "refresh")),
    ),
    Scene(
        "A kitchen of your own",
        "A branch in its own folder, a schema over the masked data, credentials that open nothing else.",
        (
            _kitchen("create", "profit"),
            _sql("production", _PEOPLE, then="These are production's people (generated, so they may be shown)."),
            _sql("profit", _PEOPLE, then="The developer sees the same rows, and nobody that exists."),
        ),
    ),
    Scene(
        "A change",
        "Orders that were sent back still count as profit. Mend the recipe, and add a test that says so.",
        (
            Edit(
                f"{WORKTREE}/profit/recipes/profitability/order_profit.sql",
                "WHERE o.status NOT IN ('cancelled', 'returned')",
                old="WHERE o.status <> 'cancelled'",
            ),
            Edit(f"{WORKTREE}/profit/recipes/profitability/tests/returns_are_out.sql", _RETURNS_TEST),
            Edit(
                f"{WORKTREE}/profit/recipes/profitability/recipe.yaml",
                "      - sql: {file: tests/returns_are_out.sql}\n  customer_value:\n    after:",
                old="  customer_value:\n    after:",
            ),
            _git("profit", "add", "--all"),
            _git("profit", "commit", "--quiet", "-m", "Leave out what was sent back"),
            _git("profit", "show", "--stat", "--format=%h %s"),
        ),
    ),
    Scene(
        "Run it, with its tests",
        "Tables are written in the kitchen only; what it does not write it reads through.",
        (
            _kitchen("run", "profitability", "-k", "profit"),
            _kitchen("diff", "profit"),
            _sql("profit", _PROFIT, then="Production is as it was; these are the kitchen's own tables."),
        ),
    ),
    Scene(
        "Merge",
        "The merge result is built and tested in a throwaway kitchen; then branch and tables move together.",
        (_kitchen("merge", "profit", "--yes"), _sql("dev", _PROFIT)),
    ),
    Scene(
        "Promote",
        "Into production by the same way, with a plan and somebody's approval.",
        (
            _kitchen("release", "plan", "production"),
            _kitchen("release", "approve", "{release}"),
            _kitchen("release", "apply", "{release}", "--yes"),
            _sql("production", _PROFIT),
        ),
    ),
    Scene(
        "What is wrong stays out",
        "A join that counts an order once for each of its lines; a write to what is below; the wrong server.",
        (
            _kitchen("create", "oops"),
            Edit(
                f"{WORKTREE}/oops/recipes/profitability/segment_profit.sql",
                "JOIN order_profit AS o ON o.customer_id = v.customer_id\nJOIN order_lines AS l USING (order_id)",
                old="JOIN order_profit AS o ON o.customer_id = v.customer_id",
            ),
            _git("oops", "commit", "--quiet", "--all", "-m", "Look at order lines too"),
            _kitchen("merge", "oops", "--yes", expect=(5,), then="Refused by its own test; dev is as it was."),
            _kitchen(
                "enter", "oops", "--", "psql", "-v", "VERBOSITY=verbose", "-c", "UPDATE customers SET notes = NULL",
                expect=(1,), then="Refused by the server (42501): masked data is read only.",
            ),
            _kitchen("enter", "oops", "--", "sh", "-c", _KNOCK, expect=(2,), then="Refused: it opens nothing there."),
            _kitchen("delete", "oops", "--force", "--yes"),
        ),
    ),
    Scene(
        "Back, and forward again",
        "What a release replaced is kept: going back takes a moment, and so does returning.",
        (
            _kitchen("release", "rollback", "{release}", "--yes"),
            _sql("production", _PROFIT, then="As before the release."),
            _kitchen("release", "rollback", "--to", "{release}", "--yes"),
            _sql("production", _PROFIT, then="And as after it."),
        ),
    ),
    Scene(
        "What is there now",
        "Everything is recorded.",
        (_kitchen("list"), _kitchen("audit", "verify", "-e", "production")),
    ),
)  # fmt: skip

NEXT = (
    ("kitchen list", "kitchens of every environment"),
    ("kitchen create NAME", "a kitchen of your own"),
    ("kitchen enter profit", "a shell inside a kitchen; psql just works there"),
    ("kitchen down", "stop the servers; kitchen up brings them back with everything in place"),
)
