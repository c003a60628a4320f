"""``kitchen up``, ``down`` and ``doctor`` as a user types them."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from kitchen.adapters.embedded.postgres import EmbeddedPostgres
from kitchen.adapters.postgres.connection import connect
from kitchen.adapters.secret_file import FileSecretStore
from tests.support import PasswordsInMemory, Project, Server


def servers(project: Project) -> dict[str, EmbeddedPostgres]:
    folders = project.home.glob("*/*/postgres")
    return {f.parent.name: EmbeddedPostgres(f, f.parent.name, PasswordsInMemory()) for f in folders}


def server_of(project: Project, environment: str) -> EmbeddedPostgres:
    """Return the server of an environment with the secrets that its project keeps."""
    (folder,) = project.home.glob(f"*/{environment}/postgres")
    (key,) = (project.home / "keys").glob("*.key")
    return EmbeddedPostgres(folder, environment, FileSecretStore(folder.parent / "secrets", key))


def running(project: Project) -> set[str]:
    return {name for name, server in servers(project).items() if server.is_running()}


def findings(project: Project, *, expect: int) -> dict[tuple[str | None, str], dict[str, str]]:
    report = json.loads(project.kitchen("doctor", "--json", expect=expect).stdout)
    assert report["exit_code"] == expect
    return {(found["environment"], found["part"]): found for found in report["findings"]}


def test_up_doctor_down_and_up_again(project: Project) -> None:
    project.git("branch", "-D", "dev")
    answer = project.kitchen("up", "--json")
    up = {each["environment"]: each for each in json.loads(answer.stdout)}
    assert list(up) == ["production", "dev"]
    assert up["production"]["port"] != up["dev"]["port"]
    assert project.git("rev-parse", "dev") == project.git("rev-parse", "main")
    assert running(project) == {"production", "dev"}

    well = findings(project, expect=0)
    for environment in ("production", "dev"):
        for part in (
            "server",
            "version",
            "transport",
            "provisioner",
            "control",
            "secrets",
            "storage",
            "branch",
            "disk",
        ):
            assert well[environment, part]["level"] == "ok", well[environment, part]
    assert well["dev", "pantry"]["level"] == "warn"
    assert ("production", "pantry") not in well

    project.kitchen("down")
    assert running(project) == set()
    down = findings(project, expect=6)
    assert down["dev", "server"]["level"] == "down"
    assert down["dev", "server"]["hint"] == "kitchen up dev"
    assert down["dev", "secrets"]["level"] == "ok"  # what does not hang on the server is still looked at
    assert running(project) == set(), "the doctor starts nothing"

    again = {each["environment"]: each for each in json.loads(project.kitchen("up", "--json").stdout)}
    assert again == up


def test_one_environment(project: Project) -> None:
    project.kitchen("up", "production")
    assert running(project) == {"production"}
    project.kitchen("up")
    project.kitchen("down", "dev")
    assert running(project) == {"production"}
    assert "was not running" in project.kitchen("down", "dev").stderr


def test_servers_of_a_project_that_is_gone(project: Project, tmp_path: Path) -> None:
    project.kitchen("up", "production")
    shutil.rmtree(project.root)
    assert "production" in project.kitchen("down", "--everywhere", "--dry-run", cwd=tmp_path).stdout
    assert running(project) == {"production"}
    project.kitchen("down", "--everywhere", cwd=tmp_path)
    assert running(project) == set()


def test_two_at_once(project: Project) -> None:
    command = [sys.executable, "-m", "kitchen", "up"]
    both = [
        subprocess.Popen(command, cwd=project.root, env=project.environ, stderr=subprocess.PIPE, stdout=subprocess.PIPE)
        for _ in range(2)
    ]
    for one in both:
        _, said = one.communicate(timeout=120)
        assert one.returncode == 0, said.decode()
    findings(project, expect=0)


def test_the_projects_own_folder_may_be_shut(project: Project) -> None:
    assert any(folder.stat().st_mode & 0o777 == 0o700 for folder in project.root.parents), "pytest's folders are shut"
    project.root.chmod(0o700)
    project.kitchen("up", "production")
    assert project.root.stat().st_mode & 0o777 == 0o700


def test_dry_run_starts_nothing(project: Project) -> None:
    said = project.kitchen("up", "--dry-run").stdout.splitlines()
    assert len(said) == 2
    assert "production" in said[0]
    assert not servers(project)


def test_an_environment_that_is_not_there(project: Project) -> None:
    for command in ("up", "down", "doctor"):
        said = project.kitchen(command, "nowhere", expect=3).stderr
        assert "nowhere" in said
        assert "dev, production" in said


def test_no_repository(tmp_path: Path, project: Project) -> None:
    elsewhere = tmp_path / "elsewhere"
    elsewhere.mkdir()
    assert "git" in project.kitchen("up", cwd=elsewhere, expect=3).stderr


def test_no_commit_yet(project: Project) -> None:
    project.git("update-ref", "-d", "refs/heads/main")
    said = project.kitchen("up", "production", expect=3).stderr
    assert "no commit" in said
    assert "git commit" in said


def test_the_doctor_names_a_toolchain_that_is_not_met(project: Project) -> None:
    file = project.root / "environments" / "production.yaml"
    file.write_text(file.read_text() + 'toolchain: {python: ">=4", postgres: ">=99"}\n')
    project.kitchen("up", "production")
    ill = json.loads(project.kitchen("doctor", "production", "--json", expect=1).stdout)["findings"]
    failed = {found["part"]: found for found in ill if found["level"] == "fail"}
    assert set(failed) == {"python", "version"}
    assert ">=99" in failed["version"]["says"]


def test_the_doctor_sees_a_loose_key(project: Project) -> None:
    project.kitchen("up", "production")
    (key,) = (project.home / "keys").glob("*.key")
    key.chmod(0o644)
    said = project.kitchen("doctor", "production", expect=1).stdout
    assert f"chmod 600 {key}" in said


def test_the_doctor_sees_a_provisioner_that_may_too_much(project: Project) -> None:
    project.kitchen("up", "production")
    with connect(server_of(project, "production").superuser(), application="tests") as session:
        session.execute("ALTER ROLE kitchen_provisioner SUPERUSER")
    found = findings(project, expect=6)
    assert found["production", "provisioner"]["level"] == "fail"
    assert "NOSUPERUSER" in found["production", "provisioner"]["hint"]


def test_an_external_warehouse_is_set_up_and_judged(project: Project, postgres15: Server) -> None:
    warehouse = postgres15.make()
    try:
        host, port = postgres15.embedded.tcp
        file = project.root / "environments" / "dev.yaml"
        external = (
            f"{{kind: postgres, host: {host}, port: {port}, database: {warehouse.superuser.database}, tls: disable}}"
        )
        file.write_text(file.read_text().replace("warehouse: {kind: embedded}", f"warehouse: {external}"))
        project.kitchen("up", "dev", expect=8)  # nobody has given us the provisioner's password
        password = warehouse.administrator.password.reveal()
        project.kitchen("secret", "set", "provisioner", "password", "-e", "dev", typed=password)

        said = project.kitchen("up").stderr
        assert running(project) == {"production"}
        assert "kitchen up dev" in said
        project.kitchen("up", "dev")
        found = findings(project, expect=0)
        assert found["dev", "control"]["level"] == "ok"
        assert found["dev", "provisioner"]["level"] == "warn"
        assert "nearly a superuser" in found["dev", "provisioner"]["says"]
        assert found["dev", "transport"]["says"] == "not encrypted, and of this machine only"

        assert "no embedded services" in project.kitchen("down", "dev", expect=2).stderr
        project.kitchen("down")
    finally:
        postgres15.drop(warehouse)


def test_the_doctor_names_columns_that_nobody_decided(project: Project) -> None:
    project.kitchen("up")
    assert findings(project, expect=0)["dev", "masking"]["level"] == "ok"
    with connect(server_of(project, "production").administrator(), application="tests") as session:
        session.execute("CREATE TABLE public.visitor (passport text)")
    found = findings(project, expect=0)["dev", "masking"]
    assert found["level"] == "warn"
    assert "public.visitor.passport" in found["says"]
    assert "kitchen pantry scan" in found["hint"]


@pytest.mark.skipif(os.geteuid() != 0, reason="only root starts servers as somebody else")
def test_a_home_that_the_servers_user_cannot_reach_is_named(project: Project) -> None:
    project.home.chmod(0o700)
    said = project.kitchen("up", "production", expect=6).stderr
    assert str(project.home) in said
    assert project.home.stat().st_mode & 0o777 == 0o700


def test_a_list_names_an_environment_that_is_not_set_up_and_goes_on(project: Project) -> None:
    starts = "import pathlib, kitchen.app; kitchen.app.App(pathlib.Path()).services('dev').embedded.start()"
    subprocess.run([sys.executable, "-c", starts], cwd=project.root, env=project.environ, check=True)
    assert "'dev' is not set up" in project.kitchen("create", "quick", expect=3).stderr
    for asked in (["list"], ["tree"], ["list", "--json"]):
        answer = project.kitchen(*asked)
        assert "dev: environment 'dev' is not set up (kitchen up dev)" in answer.stderr
    assert json.loads(answer.stdout) == []


def test_a_list_of_no_environment_that_answers_is_no_empty_list(project: Project) -> None:
    answer = project.kitchen("list", "--json", expect=6)
    assert answer.stdout == ""
    assert "dev is not running (kitchen up dev)" in answer.stderr
    assert "no environment answers" in answer.stderr
    assert "no environment answers" in project.kitchen("tree", expect=6).stderr


def test_nothing_is_made_or_started_before_up_is_typed(project: Project) -> None:
    for words in (["create", "quick"], ["status", "dev"], ["enter", "dev", "--", "true"], ["pantry", "check"]):
        answer = project.kitchen(*words, expect=3)
        assert "'dev' is not set up" in answer.stderr, words
        assert "kitchen up dev" in answer.stderr
        assert "starting" not in answer.stderr
    assert list(project.home.glob("*/*/postgres/data")) == []
    assert "no environment answers" in project.kitchen("prune", expect=6).stderr
