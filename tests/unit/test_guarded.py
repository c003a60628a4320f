"""Which files of a merge are said, and not published unseen."""

from __future__ import annotations

import pytest

from kitchen.domain.guarded import is_guarded


@pytest.mark.parametrize(
    "path",
    [
        "environments/dev.yaml", "environments/schema/x.json", "environments", "Environments/dev.yaml",
        "ENVIRONMENTS/masking.yaml", "environment\u017f/dev.yaml", "environ\u200bments/dev.yaml",
        ".github/workflows/x.yml", ".GitHub/workflows/x.yml", ".gitlab-ci.yml", ".gitlab/ci.yml", "Jenkinsfile",
        "azure-pipelines.yaml", ".ci/run", ".gitattributes", "recipes/r/.gitattributes", ".gitmodules",
    ],
)  # fmt: skip
def test_guarded(path: str) -> None:
    assert is_guarded(path)


@pytest.mark.parametrize(
    "path",
    ["recipes/environments/recipe.yaml", "environments_old/x", "README.md", "recipes/r/.github/x", "docs/jenkinsfile"],
)
def test_not_guarded(path: str) -> None:
    assert not is_guarded(path)
