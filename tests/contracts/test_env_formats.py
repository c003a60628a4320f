"""What `kitchen env` prints leads real clients to the kitchen, whatever characters names and passwords are made of."""

from __future__ import annotations

import os
import subprocess
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from uuid import uuid4

import pytest
import yaml
from psycopg2 import sql

from kitchen.adapters.postgres.connection import connect
from kitchen.domain.connection import Credentials
from kitchen.domain.environment import Environment
from kitchen.domain.kitchen import Kind, Kitchen, State
from kitchen.domain.layout import Layout
from kitchen.domain.secret import Secret
from kitchen.errors import InvalidInput
from kitchen.files.environment import read_environments
from kitchen.operations.enter import rendered
from tests.support import REPOSITORY, Server

DEV = read_environments(REPOSITORY / "environments").get("dev")
LAYOUT = Layout(("public",), holds_production=False)
ODD = ["it's", 'a "b"', "$HOME `id` \\n", "a#b = c ; d", "%20 @/?&:[é]", "{{ 7 * 7 }} {% x %}"]
KITCHEN = Kitchen(
    uuid4(), "profit", "dev", Kind.WORKING, State.READY, "profit", None, "dev", 1, "ann", datetime.now(UTC)
)


@dataclass
class Inside:
    """An environment whose server is somebody else's, as far as its addresses are concerned."""

    login: Credentials
    environment: Environment = DEV
    layout: Layout = LAYOUT
    state_dir: Path = Path("/nowhere")
    embedded: None = None

    def credentials(self, kitchen: Kitchen) -> Credentials:
        return self.login


@pytest.fixture(params=ODD)
def login(postgres18: Server, request: pytest.FixtureRequest) -> Iterator[Credentials]:
    """Return a login whose password, user and database have odd names."""
    odd = request.param
    with connect(postgres18.credentials, application="tests") as session:
        name = sql.Identifier(odd).as_string(session.connection)
        secret = sql.Literal(odd).as_string(session.connection)
        session.execute(f"CREATE ROLE {name} LOGIN PASSWORD {secret}")
        session.execute(f"CREATE DATABASE {name} OWNER {name}")
        session.execute("CREATE ROLE env_owner")
        session.execute(f"GRANT env_owner TO {name}")
        host, port = postgres18.embedded.tcp
        yield Credentials(host, port, odd, odd, Secret(odd), role="env_owner", tls="disable")
        session.execute(f"DROP DATABASE {name}")
        session.execute(f"DROP ROLE {name}, env_owner")


def _asked(server: Server, words: list[str], environment: dict[str, str], folder: Path) -> str:
    path = f"{server.bin_dir}:{os.environ['PATH']}"
    answer = subprocess.run(
        words, env={"PATH": path, "HOME": str(folder), **environment}, capture_output=True, text=True, check=False
    )
    assert answer.returncode == 0, answer.stderr
    return answer.stdout.strip()


def test_clients_arrive(postgres18: Server, login: Credentials, tmp_path: Path) -> None:
    inside = Inside(login)
    ask = ["psql", "-X", "-A", "-t", "-c", "SELECT current_database() || '|' || session_user || '|' || current_user"]
    expected = f"{login.database}|{login.user}|env_owner"
    shell = tmp_path / "shell"
    shell.write_text(rendered(inside, KITCHEN, "shell"))
    assert _asked(postgres18, ["sh", "-c", '. "$0"; exec "$@"', str(shell), *ask], {}, tmp_path) == expected
    dotenv = tmp_path / "dotenv"  # of the readers, the shell itself: their common ground is what it understands
    dotenv.write_text(rendered(inside, KITCHEN, "dotenv"))
    assert _asked(postgres18, ["sh", "-ac", '. "$0"; exec "$@"', str(dotenv), *ask], {}, tmp_path) == expected
    url = rendered(inside, KITCHEN, "url")
    assert _asked(postgres18, [*ask, url], {}, tmp_path) == expected
    service = tmp_path / "service"
    service.write_text(rendered(inside, KITCHEN, "pgservice") + "\n")
    found = _asked(postgres18, ask, {"PGSERVICEFILE": str(service), "PGSERVICE": "profit"}, tmp_path)
    assert found == expected
    profile = yaml.safe_load(rendered(inside, KITCHEN, "dbt"))["kitchen"]
    output = profile["outputs"][profile["target"]]
    plain = login.database
    if "{" in plain:  # dbt takes it for a template: one that gives the very text
        plain = '{{ "' + plain + '" }}'
    assert (output["dbname"], output["user"], output["password"]) == (plain,) * 3
    assert (output["port"], output["role"], output["schema"]) == (login.port, "env_owner", "profit")


def test_a_service_file_that_cannot_say_it_is_refused() -> None:
    login = Credentials("db.example", 5432, "x", "x", Secret("ends in a space "), role="r")
    with pytest.raises(InvalidInput, match="cannot hold this password"):
        rendered(Inside(login), KITCHEN, "pgservice")


def test_an_address_of_ipv6_stands_in_brackets() -> None:
    login = Credentials("::1", 5432, "x", "x", Secret("x"), role="r")
    assert "@[::1]:5432/x?" in rendered(Inside(login), KITCHEN, "url")
    assert "@db.example:5432/x?" in rendered(Inside(replace(login, host="db.example")), KITCHEN, "url")
