"""What a file environments/<name>.yaml may say."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Annotated, Any, Literal

from msgspec import Meta, field

from kitchen.domain.sample import WHOLE_BELOW
from kitchen.files.loader import Model

Scalar = str | int | float | bool | None
Port = Annotated[int, Meta(ge=1, le=65535)]
Role = Literal["viewer", "developer", "releaser", "admin", "runner"]


class SecretRef(Model, frozen=True):
    """A secret of the environment's store, named path#key."""

    secret: str


class EmbeddedWarehouse(Model, frozen=True, tag_field="kind", tag="embedded"):
    """A PostgreSQL server of its own, on this machine."""

    schemas: tuple[str, ...] = ()


class PostgresWarehouse(Model, frozen=True, tag_field="kind", tag="postgres"):
    """A PostgreSQL server that is already there."""

    host: str
    database: str
    port: Port = 5432
    tls: Literal["verify-full", "verify-ca", "require", "prefer", "disable"] = "verify-full"
    authorities: str | None = None  # file of certificates; default: those that this machine trusts
    schemas: tuple[str, ...] = ()


class EmbeddedVault(Model, frozen=True, tag_field="kind", tag="embedded"):
    """An encrypted file store on this machine; its key is outside the project."""


class HashicorpVault(Model, frozen=True, tag_field="kind", tag="hashicorp"):
    """HashiCorp Vault or OpenBao: a KV version 2 engine."""

    address: str
    mount: str = "kv"
    prefix: str = ""
    namespace: str | None = None
    auth: Literal["token", "approle", "userpass"] = "token"
    auth_mount: str | None = None
    role_id: str | None = None
    ca: str | None = None


class EmbeddedStorage(Model, frozen=True, tag_field="kind", tag="embedded"):
    """A folder on this machine."""


class S3Storage(Model, frozen=True, tag_field="kind", tag="s3"):
    """A bucket of S3, or of anything that speaks its protocol."""

    bucket: str
    prefix: str = ""
    endpoint: str | None = None
    region: str = "us-east-1"
    principal: str | None = None  # ARN of whom the key belongs to; default: what the server says of it
    role: str | None = (
        None  # ARN of a role that the key may assume: tools get its keys, for their kitchen's files alone
    )
    access_key: SecretRef = SecretRef(secret="storage#access_key")  # noqa: S106 - the name of a secret, not one
    secret_key: SecretRef = SecretRef(secret="storage#secret_key")  # noqa: S106
    ca: str | None = None


class NoContainers(Model, frozen=True, tag_field="kind", tag="none"):
    """Container nodes cannot run in this environment."""


class DockerContainers(Model, frozen=True, tag_field="kind", tag="docker"):
    """The Docker engine of the machine that runs recipes, and what containers may use of it."""

    network: Annotated[str, Meta(pattern=r"^(?!host$)[a-z0-9][a-z0-9_.-]{0,62}$")] = "none"
    memory: Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}[mg]$")] = "1g"
    cpus: Annotated[float, Meta(gt=0, le=512)] = 1.0
    processes: Annotated[int, Meta(ge=1, le=100_000)] = 256
    scratch: Annotated[str, Meta(pattern=r"^[1-9][0-9]{0,5}[mg]$")] = "256m"


class ToolchainFile(Model, frozen=True):
    """Versions the environment asks for, such as ">=3.11"."""

    python: str | None = None
    postgres: str | None = None
    image: str | None = None


class SeedFile(Model, frozen=True):
    """Rows to begin with: those of one table that meet an SQL condition."""

    where: str


class SampleFile(Model, frozen=True):
    """Which part of the parent's data comes: rows to begin with, what depends on them, and all that they refer to."""

    share: str | None = None  # 10%: of every table that nothing else leads to
    seeds: dict[str, str | SeedFile] = field(default_factory=dict)
    whole: tuple[str, ...] = ()
    whole_below: Annotated[int, Meta(ge=0)] = WHOLE_BELOW
    max_children: Annotated[int, Meta(ge=0)] | dict[str, Annotated[int, Meta(ge=0)]] | None = None
    max_rows: Annotated[int, Meta(ge=1)] | None = None


class RefreshFile(Model, frozen=True):
    """When the pantry is refreshed, where that is not said in UTC."""

    cron: str
    timezone: str = "UTC"


class DataFile(Model, frozen=True):
    """Where the environment's pantry comes from."""

    source: str = field(name="from")
    masking: str = "masking.yaml"
    sample: str | SampleFile | None = None
    refresh: str | RefreshFile | None = None


class KitchensFile(Model, frozen=True):
    """What kitchens may exist in the environment."""

    working: bool | None = None
    ttl: str | None = "14d"
    max: Annotated[int, Meta(ge=0)] = 50
    per_person: Annotated[int, Meta(ge=0)] = 5
    on_create: tuple[str, ...] = ()
    on_delete: tuple[str, ...] = ()


class GatesFile(Model, frozen=True):
    """What guards entering the environment."""

    approvals: Annotated[int, Meta(ge=0, le=20)] = 0
    tests: Literal["affected", "all"] = "affected"
    window: str | None = None
    self_approval: bool = True
    review: bool = True


class EnvironmentFile(Model, frozen=True):
    """A release environment: services behind one name, and where it stands in the chain."""

    branch: str
    parent: str | None = None
    warehouse: EmbeddedWarehouse | PostgresWarehouse = EmbeddedWarehouse()
    vault: EmbeddedVault | HashicorpVault = EmbeddedVault()
    storage: EmbeddedStorage | S3Storage = EmbeddedStorage()
    containers: NoContainers | DockerContainers = NoContainers()
    connections: Mapping[str, dict[str, Any]] = field(default_factory=dict)
    variables: Mapping[str, Scalar] = field(default_factory=dict)
    toolchain: ToolchainFile = ToolchainFile()
    data: DataFile | None = None
    alerts: Mapping[str, Any] = field(default_factory=dict)
    kitchens: KitchensFile = KitchensFile()
    roles: Mapping[Role, tuple[str, ...]] = field(default_factory=dict)
    gates: GatesFile = GatesFile()
