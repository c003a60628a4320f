"""Inside a kitchen, on real servers: what tools and shells find there, and what they must not."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
import yaml

from tests.bench import Bench, opened
from tests.cli.kitchens import document, leaving_nothing, worktree_of
from tests.support import Project, missing


@pytest.fixture(scope="module")
def bench() -> Iterator[Bench]:
    with opened("production", "dev") as made:
        yield made


@pytest.fixture
def shop(bench: Bench) -> Iterator[Project]:
    """Return the project; whatever a test leaves in it fails the test."""
    with leaving_nothing(bench) as project:
        yield project


def test_inside_a_worktree_the_kitchen_is_known(shop: Project) -> None:
    shop.kitchen("create", "profit")
    inside = worktree_of(shop, "profit") / "environments"
    told = json.loads(shop.kitchen("status", "--json", cwd=inside).stdout)
    assert told["overview"]["name"] == "profit"
    assert shop.kitchen("enter", "--", "pwd", cwd=inside).stdout.strip() == str(inside)
    assert shop.kitchen("enter", "profit", "--", "pwd").stdout.strip() == str(worktree_of(shop, "profit"))


def test_tools_find_the_kitchen_and_leave_no_password(shop: Project) -> None:
    shop.kitchen("create", "profit")
    query = "SELECT current_user, session_user, current_setting('search_path'), current_setting('application_name')"
    found = shop.kitchen("enter", "profit", "--", "psql", "-X", "-A", "-t", "-c", query).stdout.strip()
    assert found == "kitchen__dev__profit__owner|kitchen__dev__profit__login|profit, dev|kitchen profit"
    inside = dict(
        line.split("=", 1) for line in shop.kitchen("enter", "profit", "--", "env").stdout.splitlines() if "=" in line
    )
    assert (inside["KITCHEN"], inside["KITCHEN_ENVIRONMENT"], inside["KITCHEN_SCHEMA"]) == ("profit", "dev", "profit")
    assert not Path(inside["PGPASSFILE"]).exists(), "the password file lives as long as the command"
    assert "PGPASSWORD" not in inside
    assert shop.kitchen("enter", "profit", "--", "which", "pg_dump").stdout.startswith(inside["PATH"].split(":")[0])
    listed = shop.kitchen("enter", "profit", "--", "sh", "-c", 'stat -c "%a" "$PGPASSFILE" "$(dirname "$PGPASSFILE")"')
    assert listed.stdout.split() == ["600", "700"]
    secret = shop.kitchen("env", "profit", "--format", "url").stdout
    password = secret.split(":")[2].split("@")[0]
    assert password not in json.dumps(inside)


def test_a_poisoned_environment_does_not_lead_elsewhere(shop: Project) -> None:
    shop.kitchen("create", "profit")
    poison = {
        "PGHOST": "nowhere.invalid",
        "PGSERVICE": "x",
        "PGPASSWORD": "x",
        "PGHOSTADDR": "192.0.2.1",
        "KITCHEN": "x",
    }
    shop.environ.update(poison)
    try:
        assert shop.kitchen("enter", "profit", "--", "psql", "-X", "-A", "-t", "-c", "SELECT 7").stdout.strip() == "7"
    finally:
        for name in poison:
            del shop.environ[name]


def test_a_command_gives_its_own_exit_code(shop: Project) -> None:
    shop.kitchen("enter", "dev", "--", "sh", "-c", "exit 42", expect=42)
    shop.kitchen("enter", "dev", "--", "sh", "-c", "kill -9 $$", expect=137)
    assert "no program" in shop.kitchen("enter", "dev", "--", "no-such-program", expect=3).stderr
    shop.kitchen("enter", "dev", "--", "psql", "-X", "-c", "SELECT nonsense", expect=1)
    typed = shop.kitchen("enter", "dev", "--", "psql", "-X", "-A", "-t", typed="SELECT 6 * 7;\n")
    assert typed.stdout.strip() == "42"


def test_the_standing_kitchens_are_entered_where_one_is(shop: Project) -> None:
    (shop.root / "made.sql").write_text("CREATE TABLE public.made (id int); INSERT INTO public.made VALUES (1);")
    try:
        shop.kitchen("enter", "production", "--", "psql", "-X", "-q", "-v", "ON_ERROR_STOP=1", "-f", "made.sql")
        told = shop.kitchen("enter", "production", "--", "psql", "-X", "-A", "-t", "-c", "TABLE made").stdout
        assert told.strip() == "1"
        shop.kitchen("enter", "dev", "--", "psql", "-X", "-c", "TABLE made", expect=1)
    finally:
        (shop.root / "made.sql").unlink()
        shop.kitchen("enter", "production", "--", "psql", "-X", "-q", "-c", "DROP TABLE made")


def test_every_format_of_env_can_be_used(shop: Project, tmp_path: Path) -> None:
    shop.kitchen("create", "profit")
    psql = shop.kitchen("enter", "profit", "--", "which", "psql").stdout.strip()
    query = [psql, "-X", "-A", "-t", "-c", "SELECT current_user"]

    def ask(command: list[str], **environment: str) -> str:
        clean = {"PATH": os.environ["PATH"], "HOME": str(tmp_path), **environment}
        return subprocess.run(command, env=clean, check=True, capture_output=True, text=True, timeout=30).stdout.strip()

    owner = "kitchen__dev__profit__owner"
    url = shop.kitchen("env", "profit", "--format", "url").stdout.strip()
    assert ask([psql, url, *query[1:]]) == owner
    (tmp_path / "service").write_text(shop.kitchen("env", "profit", "--format", "pgservice").stdout)
    assert ask(query, PGSERVICEFILE=str(tmp_path / "service"), PGSERVICE="profit") == owner
    shell = shop.kitchen("env", "profit").stdout
    assert ask(["sh", "-c", f"{shell}\n{psql} -X -A -t -c 'SELECT current_user'"]) == owner
    dotenv = dict(
        line.split("=", 1) for line in shop.kitchen("env", "profit", "--format", "dotenv").stdout.splitlines()
    )
    assert dotenv["KITCHEN"] == "profit"
    profile = yaml.safe_load(shop.kitchen("env", "profit", "--format", "dbt").stdout)
    output = profile["kitchen"]["outputs"]["profit"]
    assert (output["schema"], output["role"], output["type"]) == ("profit", owner, "postgres")


def test_a_worktree_that_is_missing_is_made_by_enter(shop: Project) -> None:
    shop.kitchen("create", "profit")
    subprocess.run(["rm", "-r", str(worktree_of(shop, "profit"))], check=True)
    told = document(shop, "status", "profit")
    assert isinstance(told, dict)
    assert told["overview"]["worktree"] is None
    shop.kitchen("enter", "profit", "--", "test", "-f", "environments/dev.yaml")


_STARTS = {  # where a person's own settings stand, which may lead elsewhere
    "bash": (".bashrc", 'export PGHOST=elsewhere PGSERVICE=other; PS1="mine> "\n'),
    "zsh": (".zshrc", 'export PGHOST=elsewhere PGSERVICE=other; PROMPT="mine> "\n'),
    "fish": (".config/fish/config.fish", "set -gx PGHOST elsewhere; set -gx PGSERVICE other\n"),
    "sh": (".shrc", 'export PGHOST=elsewhere PGSERVICE=other; PS1="mine> "\n'),
}


@pytest.mark.parametrize("shell", list(_STARTS))
def test_a_shell_knows_where_it_is(shop: Project, tmp_path: Path, shell: str) -> None:
    if shutil.which(shell) is None:
        missing(shell, "it is not installed")
    file, text = _STARTS[shell]
    (tmp_path / file).parent.mkdir(parents=True, exist_ok=True)
    (tmp_path / file).write_text(text)
    told = {"SHELL": str(shutil.which(shell)), "HOME": str(tmp_path), "ENV": str(tmp_path / ".shrc"), "TERM": "dumb"}
    before = dict(shop.environ)
    shop.environ.update(told)
    try:
        inside = shop.kitchen(
            "enter", "dev", typed='psql -X -A -t -c "SELECT 3 * 3, current_user"\npsql --version\nexit 3\n', expect=3
        )
    finally:
        shop.environ.clear()
        shop.environ.update(before)
    assert "9|kitchen__dev__dev__owner" in inside.stdout
    assert "(PostgreSQL) 18" in inside.stdout, "the clients are the server's own"
    assert "kitchen dev in dev, branch dev" in inside.stderr
    if shell != "fish":  # it shows a prompt to terminals only
        assert "(dev) " in inside.stderr


def test_the_greeting_says_what_the_layers_are(shop: Project) -> None:
    shop.kitchen("create", "profit")
    shop.kitchen("create", "loss", "--parent", "profit")
    shop.environ["SHELL"] = "/usr/sbin/nologin"
    try:
        greeted = shop.kitchen("enter", "loss", typed="exit\n").stderr
    finally:
        del shop.environ["SHELL"]
    assert "your own tables (loss), then what profit has, then what dev has" in greeted
    assert "kitchen hydrate TABLE" in greeted
    assert "(dev/loss) " in greeted


def test_no_password_is_in_any_argument(shop: Project) -> None:
    shop.kitchen("create", "profit")
    url = shop.kitchen("env", "profit", "--format", "url").stdout
    password = url.split(":")[2].split("@")[0]
    script = "import pathlib,sys;print([p.read_bytes() for p in pathlib.Path('/proc').glob('[0-9]*/cmdline')])"
    seen = shop.kitchen("enter", "profit", "--", sys.executable, "-c", script).stdout
    assert "kitchen" in seen
    assert password not in seen


def test_a_shell_completes_real_names(shop: Project) -> None:
    shop.kitchen("create", "profit")
    script = "from kitchen.cli import cli; cli.main(prog_name='kitchen')"

    def complete(words: str) -> list[str]:
        asked = {
            "_KITCHEN_COMPLETE": "bash_complete",
            "COMP_WORDS": words,
            "COMP_CWORD": str(len(words.split(" ")) - 1),
        }
        answer = subprocess.run(
            [sys.executable, "-c", script], cwd=shop.root, env={**shop.environ, **asked}, capture_output=True,
            text=True, check=False, timeout=30,
        )  # fmt: skip
        return [line.split(",")[1] for line in answer.stdout.splitlines()]

    assert sorted(complete("kitchen enter pro")) == ["production", "profit"]
    assert complete("kitchen status -e d") == ["dev"]
    assert "create" in complete("kitchen cre")
    (shop.root / "recipes" / "best_days").mkdir(parents=True)
    (shop.root / "recipes" / "best_days" / "recipe.yaml").write_text("nodes: {}\n")
    assert complete("kitchen run ") == ["best_days"]
    assert complete("kitchen up p") == ["production"]
