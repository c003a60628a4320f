"""Two developers, two machines and a host between them, over ssh and over https: the whole story of a change."""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest

from tests.acceptance.external import MASKING, SHOP, Place, install, places, psql
from tests.acceptance.test_two_machines import cook, folder
from tests.contracts.fake_vault import FakeVault
from tests.contracts.git_hosts import Host, HttpsHost, https_host, ssh_host
from tests.support import Project, Server

ENVIRONMENT = (
    "warehouse: {warehouse}\n"
    'vault: {{kind: hashicorp, address: "{vault}", mount: kv, prefix: kitchens/{name}, auth: approle, role_id: k}}\n'
)
DEV = "parent: production\nbranch: dev\ndata: {from: production, masking: masking.yaml}\n"


@dataclass
class Team:
    """Two clones of what a host serves."""

    host: Host
    shared: Path
    ann: Project
    bob: Project

    def there(self, name: str) -> str:
        """Return where a branch or tag of the shared repository stands, or nothing."""
        return self.ann.git("--git-dir", str(self.shared), "for-each-ref", "--format=%(objectname)", name)


@pytest.fixture(scope="module")
def hosts(tmp_path_factory: pytest.TempPathFactory) -> Iterator[dict[str, Host]]:
    base = tmp_path_factory.mktemp("hosts")
    with https_host(base / "https") as https, ssh_host(base / "ssh") as ssh:
        yield {"ssh": ssh, "https": https}


@pytest.fixture(scope="module", params=["ssh", "https"])
def team(
    request: pytest.FixtureRequest, hosts: dict[str, Host], postgres18: Server,
    tmp_path_factory: pytest.TempPathFactory,
) -> Iterator[Team]:  # fmt: skip
    """Return two people whose own settings let them in at the host, and two environments on one server."""
    base, host = tmp_path_factory.mktemp("team"), hosts[request.param]
    shared = base / "shared.git"
    with places(postgres18, postgres18) as (production, dev), FakeVault() as vault:
        vault.roles["k", "the-secret-id"] = ("kitchens/",)
        people = [_person(base, name, host) for name in ("ann", "bob")]
        ann, bob = people
        _begin(ann, {"production": production, "dev": dev}, vault.address)
        ann.git("init", "-q", "--bare", "-b", "main", str(shared))
        ann.git("--git-dir", str(shared), "config", "http.receivepack", "true")
        ann.git("remote", "add", "origin", host.address(shared))
        ann.git("push", "-q", "origin", "main", "main:dev")
        ann.git("clone", "-q", host.address(shared), str(bob.root))
        for name, place in (("production", production), ("dev", dev)):
            place.make()
            if name == "production":
                with place.look() as session:
                    session.execute(SHOP)
            install(ann, name, place, base)
            ann.kitchen("up", name)
        ann.kitchen("pantry", "refresh", "--yes")
        yield Team(host, shared, ann, bob)


def _person(base: Path, name: str, host: Host) -> Project:
    home = base / f"{name}-home"
    home.mkdir()
    made = Project(base / name, home)
    made.root.mkdir()
    config = host.person(home)
    config.write_text(f"{config.read_text()}[user]\n\tname = {name.title()}\n\temail = {name}@example.com\n")
    made.environ |= {"GIT_CONFIG_GLOBAL": str(config), "KITCHEN_VAULT_SECRET_ID": "the-secret-id"}
    return made


def _begin(ann: Project, found: dict[str, Place], vault: str) -> None:
    ann.git("init", "-q", "-b", "main")
    environments = ann.root / "environments"
    environments.mkdir()
    (environments / "masking.yaml").write_text(MASKING)
    for name, place in found.items():
        head = DEV if name == "dev" else "branch: main\ngates: {approvals: 0}\n"
        text = ENVIRONMENT.format(warehouse=place.warehouse(), vault=vault, name=name)
        (environments / f"{name}.yaml").write_text(head + text)
    ann.commit("start")


def test_a_change_from_its_first_command_to_its_last(team: Team) -> None:
    ann, bob = team.ann, team.bob
    ann.kitchen("create", "profit")
    assert team.there("refs/heads/profit") == ann.git("rev-parse", "profit")
    first = cook(ann, "profit", 1)
    ann.kitchen("run", "counting", cwd=folder(ann, "profit"))
    ann.git("-C", str(folder(ann, "profit")), "push", "-q")

    assert "profit" in {each["name"] for each in json.loads(bob.kitchen("list", "--json").stdout)}
    assert psql(bob, "profit", "SELECT number FROM counted") == "1"
    assert bob.git("rev-parse", "profit") == first, "entering fetched the branch"
    second = cook(bob, "profit", 2)
    bob.kitchen("update", "profit")
    assert team.there("refs/heads/profit") == second
    assert "kitchen update profit" in ann.kitchen("merge", "profit", "--yes", expect=4).stderr
    ann.kitchen("update", "profit")
    ann.kitchen("merge", "profit", "--yes")
    assert psql(bob, "dev", "SELECT number FROM counted") == "2"
    assert team.there("refs/heads/dev") == ann.git("rev-parse", "origin/dev")

    before = team.there("refs/heads/main")
    bob.kitchen("promote", "production", "--yes")
    (released,) = json.loads(bob.kitchen("release", "list", "-e", "production", "--json").stdout)
    assert psql(ann, "production", "SELECT number FROM counted") == "2"
    assert team.there(f"refs/tags/{released['tag']}"), "the tag is there, too"
    assert team.there("refs/heads/main") != before
    ann.kitchen("release", "rollback", "-e", "production", "--yes")
    assert psql(bob, "production", "SELECT to_regclass('counted') IS NULL") == "t"
    bob.git("fetch", "-q")
    assert "recipes" not in bob.git("ls-tree", "--name-only", "origin/main")

    bob.kitchen("delete", "profit", "--yes")
    assert team.there("refs/heads/profit") == ""
    if isinstance(team.host, HttpsHost):
        assert {path.rsplit("/", 1)[-1] for path in team.host.asked} == {"refs", "git-upload-pack", "git-receive-pack"}


def test_a_host_that_takes_no_push_leaves_everything_whole(team: Team) -> None:
    ann = team.ann
    ann.kitchen("create", "guarded")
    cook(ann, "guarded", 3)
    ann.kitchen("update", "guarded")
    hook = team.shared / "hooks" / "pre-receive"
    hook.write_text('#!/bin/sh\nwhile read old new ref; do [ "$ref" = refs/heads/guarded ] || exit 1; done\n')
    hook.chmod(0o755)
    before = team.there("refs/heads")
    try:
        refused = ann.kitchen("merge", "guarded", "--yes", expect=5)
        assert "does not let you push to dev" in refused.stderr
        assert "nothing has moved" in refused.stderr
        hook.write_text("#!/bin/sh\necho no branches today >&2\nexit 1\n")
        refused = ann.kitchen("create", "unborn", expect=5)
        assert "no branches today" in refused.stderr
    finally:
        hook.unlink()
    assert team.there("refs/heads") == before
    listed = {each["name"]: each for each in json.loads(ann.kitchen("list", "--json").stdout)}
    assert listed["dev"]["state"] == "ready"
    assert not listed["dev"]["unfinished"]
    assert "unborn" not in listed
    assert not ann.git("branch", "--list", "unborn")
    assert not folder(ann, "unborn").exists()
    ann.kitchen("merge", "guarded", "--yes")
    ann.kitchen("delete", "guarded", "--yes")


def test_who_is_not_let_in_any_more_works_on_and_is_told(team: Team) -> None:
    bob = team.bob
    bob.kitchen("create", "island")
    config = Path(bob.environ["GIT_CONFIG_GLOBAL"])
    kept = config.read_text()
    try:
        config.write_text("[user]\n\tname = Bob\n\temail = bob@example.com\n")
        bob.environ |= {"SSH_AUTH_SOCK": ""}
        commit = cook(bob, "island", 5)
        bob.kitchen("run", "counting", cwd=folder(bob, "island"))
        said = bob.kitchen("update", "island").stderr
        assert "going on with what was last fetched" in said
        refused = bob.kitchen("merge", "island", "--yes", expect=None)
        assert refused.returncode in (6, 8)
        assert "git ls-remote origin" in refused.stderr or "http.sslCAInfo" in refused.stderr
    finally:
        config.write_text(kept)
    bob.kitchen("update", "island")
    assert team.there("refs/heads/island") == commit
    bob.kitchen("delete", "island", "--yes", "--force")
