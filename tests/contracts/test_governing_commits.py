"""What the commits of a branch say of an environment, read out of a real repository."""

from __future__ import annotations

import subprocess
from pathlib import Path

import pytest

from kitchen.adapters.git import GitRepository, create_repository
from kitchen.errors import InvalidInput, NotFound
from kitchen.files.environment import environments_from
from kitchen.operations.governing import agreed_policy, at_commit, rules_of
from kitchen.operations.review import loosening

PRODUCTION = "branch: main\n"
STAGE = "parent: production\nbranch: stage\nkitchens: {working: false}\n"
DEV = "parent: stage\nbranch: dev\ndata: {from: stage, masking: masking.yaml}\n"
MASKING = "tables:\n  person:\n    email: {mask: email}\n"
FOLDER = environments_from(
    {f"environments/{n}.yaml": t for n, t in (("production", PRODUCTION), ("stage", STAGE), ("dev", DEV))}
)


@pytest.fixture
def repository(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> GitRepository:
    monkeypatch.setenv("GIT_CONFIG_GLOBAL", "/dev/null")
    made = create_repository(tmp_path / "project")
    for name, value in (("user.name", "Ann Tester"), ("user.email", "ann@example.com")):
        subprocess.run(["git", "-C", str(made.root), "config", name, value], check=True)
    return made


def commit(repository: GitRepository, **files: str | None) -> str:
    folder = repository.root / "environments"
    folder.mkdir(exist_ok=True)
    texts: dict[str, str | None] = {"production": PRODUCTION, "stage": STAGE, "dev": DEV, "masking": MASKING, **files}
    for name, text in texts.items():
        path = folder / f"{name}.yaml"
        path.unlink(missing_ok=True)
        if text is not None:
            path.write_text(text)
    git = ["git", "-C", str(repository.root)]
    subprocess.run([*git, "add", "-A"], check=True)
    subprocess.run([*git, "commit", "-q", "--allow-empty", "-m", "change"], check=True)
    found = repository.head("main")
    assert found is not None
    return found


def test_the_commit_decides_and_the_folder_only_says_where(repository: GitRepository) -> None:
    agreed = commit(repository, dev=DEV + "kitchens: {ttl: 3d, max: 2}\ngates: {approvals: 2}\n")
    commit(repository)
    found = at_commit(FOLDER.get("dev"), repository, "dev", agreed)
    assert (found.environment.kitchens.max, found.environment.gates.approvals) == (2, 2)
    assert found.environment.warehouse == FOLDER.get("dev").warehouse
    assert agreed_policy(found).tables.keys() == {"person"}
    assert at_commit(FOLDER.get("dev"), repository, "dev", str(repository.head("main"))).environment == FOLDER.get(
        "dev"
    )


def test_what_is_missing_or_wrong_there_is_said_with_branch_and_file(repository: GitRepository) -> None:
    dev = FOLDER.get("dev")
    with pytest.raises(NotFound, match="the branch 'dev'"):
        rules_of(dev, repository, "dev")
    with pytest.raises(NotFound, match=r"environments/dev.yaml is not in branch dev"):
        at_commit(dev, repository, "dev", commit(repository, dev=None))
    with pytest.raises(InvalidInput, match=r"branch dev \([0-9a-f]{12}\): environments/dev.yaml:4: tll"):
        at_commit(dev, repository, "dev", commit(repository, dev=DEV + "tll: 3d\n"))
    with pytest.raises(NotFound, match=r"environments/masking.yaml is not in branch dev"):
        agreed_policy(at_commit(dev, repository, "dev", commit(repository, masking=None)))
    with pytest.raises(InvalidInput, match=r"branch dev \([0-9a-f]{12}\): environments/masking.yaml:3: .*emial"):
        agreed_policy(
            at_commit(dev, repository, "dev", commit(repository, masking=MASKING.replace(": email", ": emial")))
        )


@pytest.mark.parametrize(
    ("files", "said"),
    [
        ({}, ()),
        ({"masking": MASKING.replace("mask: email", "mask: keep, why: x")}, ("person.email: email, now keep",)),
        ({"masking": MASKING + "  log: {id: {mask: keep, why: x}}\n"}, ("log.id: new, now keep",)),
        ({"masking": None}, ()),
        ({"dev": DEV.replace("masking.yaml", "masking_free.yaml"),
          "masking_free": MASKING.replace("email}", "shuffle}")}, ("person.email: email, now shuffle",)),
        ({"dev": DEV + "roles: {admin: [everyone]}\n"}, ("environments/dev.yaml: other roles",)),
        ({"dev": DEV + "gates: {tests: all}\n"}, ("environments/dev.yaml: other gates",)),
        ({"dev": DEV.replace("from: stage", "from: production")},
         ("environments/dev.yaml: data from production, and no more from stage",)),
        ({"dev": DEV.replace("parent: stage", "parent: production").replace("from: stage", "from: production"),
          "stage": None}, ("environments/dev.yaml: data from production, and no more from stage",)),
        ({"dev": None}, ("environments/dev.yaml is gone",)),
        ({"dev": DEV + "kitchens: {max: 99}\n"}, ()),
    ],
)  # fmt: skip
def test_what_is_looser_is_named(
    repository: GitRepository, files: dict[str, str | None], said: tuple[str, ...]
) -> None:
    base, proposed = commit(repository), commit(repository, **files)
    assert tuple(loosening(FOLDER.get("dev"), repository, "dev", base, proposed)) == said


def test_working_kitchens_where_there_were_none_are_named(repository: GitRepository) -> None:
    base = commit(repository)
    proposed = commit(repository, stage=STAGE.replace("false", "true"))
    found = tuple(loosening(FOLDER.get("stage"), repository, "stage", base, proposed))
    assert found == ("environments/stage.yaml: working kitchens, where there were none",)
