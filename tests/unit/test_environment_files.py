"""Environment files: what becomes a chain, and what is refused with file, line and the way out."""

from __future__ import annotations

from datetime import timedelta
from pathlib import Path

import pytest

from kitchen.domain.environment import Chain, DataSource, Service
from kitchen.errors import InvalidInput, NotFound
from kitchen.files.environment import environments_from, read_environments

TOP = "branch: main\nwarehouse: {kind: embedded, schemas: [sales, marts]}\n"
DEV = "parent: production\nbranch: dev\n"


def chain(dev: str = DEV, top: str = TOP, **others: str) -> Chain:
    texts = {"production": top, "dev": dev, **others}
    return environments_from({f"environments/{name}.yaml": text for name, text in texts.items() if text})


def refused(dev: str = DEV, top: str = TOP, **others: str) -> str:
    with pytest.raises(InvalidInput) as caught:
        chain(dev, top, **others)
    return caught.value.message.removeprefix("environments/")


def test_the_example_is_read() -> None:
    found = read_environments(Path(__file__).resolve().parents[2] / "environments")
    assert set(found.environments) == {"dev", "production"}
    assert found.top().name == "production"
    assert found.workbench().name == "dev"


def test_defaults() -> None:
    found = chain()
    dev, production = found.get("dev"), found.get("production")
    assert dev.schemas == production.schemas == ("sales", "marts")
    assert dev.warehouse == Service("embedded", {})
    assert dev.kitchens.working
    assert not production.kitchens.working  # data there is not masked, and nothing says that it may be used
    assert dev.kitchens.ttl == timedelta(days=14)


def test_everything_that_may_be_said() -> None:
    dev = chain(
        DEV + "warehouse: {kind: postgres, host: db.example, database: dw, tls: verify-ca}\n"
        "vault: {kind: hashicorp, address: 'https://vault.example', prefix: kitchens/dev, auth: approle}\n"
        "storage: {kind: s3, bucket: b, endpoint: 'http://127.0.0.1:8333', secret_key: {secret: s#k}}\n"
        "containers: {kind: docker}\n"
        "connections: {landing: {kind: sftp, user: loader, password: {secret: sftp#password}}}\n"
        "variables: {currency: EUR, rate: 1.5}\n"
        "toolchain: {python: '>=3.11'}\n"
        "data: {from: production, refresh: '0 3 * * *'}\n"
        "alerts: {default: [{secret: alerts#slack}], kitchen: '#kitchen-{kitchen}'}\n"
        "kitchens: {ttl: 36h, on_create: [seed]}\n"
        "roles: {developer: [everyone]}\n"
        "gates: {approvals: 2, tests: all}\n"
    ).get("dev")
    assert dev.warehouse.settings == {"host": "db.example", "database": "dw", "tls": "verify-ca", "port": 5432}
    assert dev.vault.settings["auth"] == "approle"
    assert dev.storage.settings["secret_key"] == {"secret": "s#k"}
    assert dev.storage.settings["access_key"] == {"secret": "storage#access_key"}
    assert dev.connections["landing"]["password"] == {"secret": "sftp#password"}
    assert dev.data == DataSource("production", refresh="0 3 * * *")
    assert (dev.kitchens.ttl, dev.kitchens.on_create) == (timedelta(hours=36), ("seed",))
    assert dev.roles == {"developer": ("everyone",)}
    assert (dev.gates.approvals, dev.gates.tests) == (2, "all")


@pytest.mark.parametrize(
    ("dev", "message"),
    [
        (DEV + "tll: 3\n", "dev.yaml:3: tll: unknown key"),
        (DEV + "kitchens:\n  tll: 14d\n", "dev.yaml:4: kitchens.tll: unknown key; did you mean 'ttl'?"),
        (DEV + "kitchens: {ttl: soon}\n", "dev.yaml:3: kitchens.ttl: 'soon' is no duration: write it like 2w, 14d"),
        (DEV + "kitchens: {ttl: 0d}\n", "dev.yaml:3: kitchens.ttl: kitchens would expire at once"),
        (DEV + "kitchens: {max: -1}\n", "dev.yaml:3: kitchens.max: expected a whole number >= 0"),
        (DEV + "vault: {kind: hashicrop}\n", "dev.yaml:3: vault.kind: 'hashicrop' is not one of embedded, hash"),
        (DEV + "vault: {address: x}\n", "dev.yaml:3: vault: 'kind' is missing (one of embedded, hashicorp)"),
        (DEV + "vault: {kind: embedded, mount: x}\n", "dev.yaml:3: vault.mount: unknown key"),
        (DEV + "vault: {kind: hashicorp, address: 'http://v.example'}\n", "dev.yaml:3: vault.address"),
        (DEV + "vault: {kind: hashicorp, address: 'http://localhost.evil.example'}\n", "dev.yaml:3: vault.address"),
        (DEV + "vault: {kind: hashicorp, address: 'http://127.0.0.1@evil.example'}\n", "dev.yaml:3: vault.address"),
        (DEV + "warehouse: {kind: postgres, host: h}\n", "dev.yaml:3: warehouse: 'database' is missing"),
        (DEV + "warehouse: {kind: postgres, host: h, database: d, password: hunter22}\n", "dev.yaml:3: warehouse.pass"),
        (DEV + "warehouse: {kind: embedded, schemas: [public]}\n", "dev.yaml:3: warehouse.schemas: the schemas"),
        (DEV + "gates: {tests: most}\n", "dev.yaml:3: gates.tests: 'most' is not one of affected, all"),
        (DEV + "gates: {self_approval: no}\n", "dev.yaml:3: gates.self_approval: expected true or false"),
        (DEV + "roles: {admim: [a]}\n", "dev.yaml:3: roles.admim: 'admim' is not one of viewer"),
        (DEV + "data: {from: dev}\n", "dev.yaml:3: data.from: the pantry comes from above, 'production'"),
        (DEV + "data: {from: production, masking: ../m.yaml}\n", "dev.yaml:3: data.masking: name a file"),
        (DEV + "data: {from: production, refresh: daily}\n", "dev.yaml:3: data.refresh: a schedule has five fields"),
        (DEV + "data: {from: production, refresh: '0 25 * * *'}\n", "dev.yaml:3: data.refresh: '25' is no hour"),
        (
            DEV + "data: {from: production, refresh: {cron: '61 * * * *'}}\n",
            "dev.yaml:3: data.refresh.cron: '61' is no minute",
        ),
        ("parent: prod\nbranch: dev\n", "dev.yaml:1: parent: there is no environment 'prod'; did you mean"),
        ("parent: dev\nbranch: dev\n", "dev.yaml:1: parent: the parents form a circle: dev -> dev"),
        ("branch: dev\n", "dev.yaml:1: parent: only the top of the chain has no parent, and 'production' has none"),
        ("parent: production\nbranch: main\n", "dev.yaml:2: branch: 'production' already stands"),
        ("parent: production\nbranch: --force\n", "dev.yaml:2: branch: this cannot name a branch"),
        ("parent: production\nbranch: a..b\n", "dev.yaml:2: branch: this cannot name a branch"),
        ("parent: production\nbranch: a/.b\n", "dev.yaml:2: branch: this cannot name a branch"),
    ],
)  # fmt: skip
def test_what_is_refused(dev: str, message: str) -> None:
    assert refused(dev).startswith(message)


@pytest.mark.parametrize(
    "setting",
    [
        "connections: {landing: {password: hunter22}}",
        "connections: {landing: {Password: hunter22}}",
        "connections: {landing: {sftp_password: hunter22}}",
        "connections: {landing: {nested: {api_key: hunter22}}}",
        "connections: {landing: {token: 12345678}}",
        "connections: {landing: {url: 'postgres://u:hunter22@h/d'}}",
        "variables: {api_token: hunter22}",
        "alerts: {default: ['slack://hunter22/b/c']}",
        "connections: {landing: {password: {secret: 'sftp#password', default: hunter22}}}",
        "connections: {landing: {password: {secret: hunter22}}}",
        "storage: {kind: s3, bucket: b, secret_key: {secret: hunter22}}",
    ],
)
def test_no_secret_stands_in_a_file_and_none_is_repeated(setting: str) -> None:
    message = refused(DEV + setting + "\n")
    assert message.startswith("dev.yaml:3: ")
    assert "hunter22" not in message


@pytest.mark.parametrize("schema", ["pg_x", "Sales", "a b", "pantry_v1", "kitchen_control", "a__b", "s" * 40])
def test_schemas_that_cannot_be_layered_are_refused(schema: str) -> None:
    message = refused(top=f"branch: main\nwarehouse:\n  kind: embedded\n  schemas: [public, {schema!r}]\n")
    assert message.startswith("production.yaml:4: warehouse.schemas[1]: ")


def test_environments_keep_apart() -> None:
    same = "warehouse: {kind: postgres, host: h, database: d}\n"
    assert "'dev' already uses this database" in refused(DEV + same, stage=DEV.replace("dev", "stage") + same)
    circle = refused(DEV.replace("production", "stage"), stage="parent: dev\nbranch: stage\n")
    assert circle == "dev.yaml:1: parent: the parents form a circle: dev -> stage -> dev"
    assert refused(Dev="branch: x\nparent: production\n").startswith(
        "Dev.yaml:1: 'Dev' cannot be the name of an environment"
    )


def test_files_of_other_kinds(tmp_path: Path) -> None:
    folder = tmp_path / "environments"
    with pytest.raises(NotFound) as caught:
        read_environments(folder)
    assert caught.value.hint == "kitchen init"
    folder.mkdir()
    with pytest.raises(NotFound):
        read_environments(folder)
    (folder / "production.yaml").write_text(TOP)
    (folder / "masking.yaml").write_text("tables: {}\n")
    (folder / "masking_small.yaml").write_text("tables: {}\n")
    (folder / "README.md").write_text("x")
    assert set(read_environments(folder).environments) == {"production"}
    (folder / "dev.yml").write_text(DEV)
    with pytest.raises(InvalidInput, match=r"environments/dev\.yml: environment files end in \.yaml"):
        read_environments(folder)


def test_data_may_come_from_any_environment_above() -> None:
    files = {
        "environments/production.yaml": "branch: main\n",
        "environments/stage.yaml": "parent: production\nbranch: stage\n",
        "environments/dev.yaml": "parent: stage\nbranch: dev\ndata: {from: production}\n",
    }
    assert environments_from(files).get("dev").data == DataSource("production")
    files["environments/stage.yaml"] += "data: {from: dev}\n"
    with pytest.raises(InvalidInput, match="comes from above, 'production', not from 'dev'"):
        environments_from(files)
