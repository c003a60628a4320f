"""environments/*.yaml to the chain of environments, with every check that does not need a server."""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from zoneinfo import ZoneInfo

import msgspec

from kitchen.domain.cron import fault_of
from kitchen.domain.duration import parse_duration
from kitchen.domain.environment import Chain, DataSource, Environment, Gates, KitchenRules, Service, Toolchain
from kitchen.domain.names import LOGICAL_SCHEMA_BYTES, environment_name
from kitchen.domain.secret import SecretReference
from kitchen.errors import InvalidInput, NotFound
from kitchen.files.environment_model import DataFile, EnvironmentFile, RefreshFile
from kitchen.files.loader import Document, KeyPath, open_document
from kitchen.files.sample import sample_of

DEFAULT_SCHEMAS = ("public",)

_MASKING_FILE = re.compile(r"masking(_[a-z0-9_]{1,40})?\.yaml")
_BRANCH = re.compile(r"[A-Za-z0-9_](?:[A-Za-z0-9._-]|/(?=[A-Za-z0-9_])){0,99}")
_SCHEMA = re.compile(r"[a-z_][a-z0-9_]*")
_OWN_SCHEMAS = re.compile(r"pg_.*|information_schema|kitchen_control|pantry.*")
_SECRET_WORDS = re.compile(
    r"pass(word|wd|phrase)?|secret(_.*)?|token|(api|access|private|secret)_?key|credentials?|pwd"
)
_SECRET_ENDING = re.compile(r".*_(password|passwd|pwd|passphrase|secret|token|key)")
_LOGIN_IN_URL = re.compile(r"[a-z][a-z0-9+.-]*://[^/@\s]*:[^/@\s]+@", re.IGNORECASE)
_LOOPBACK = re.compile(r"http://(localhost|127\.0\.0\.1|\[::1\])(:\d+)?(/.*)?")


def read_environments(folder: Path) -> Chain:
    """Return the environments of a project's folder; raises NotFound or InvalidInput with file and line."""
    if not folder.is_dir():
        raise NotFound(f"there is no folder {folder.name} in this project", hint="kitchen init")
    wrong = sorted(folder.glob("*.yml"))
    if wrong:
        raise InvalidInput(f"{folder.name}/{wrong[0].name}: environment files end in .yaml: rename it")
    names = (path for path in sorted(folder.glob("*.yaml")) if not _MASKING_FILE.fullmatch(path.name))
    return _chain({path.stem: open_document(path, shown=f"{folder.name}/{path.name}") for path in names})


def environments_from(texts: Mapping[str, str]) -> Chain:
    """Return the environments of texts by path (as a commit holds them); raises InvalidInput with file and line."""
    names = {path.rsplit("/", maxsplit=1)[-1]: path for path in texts if path.endswith(".yaml")}
    files = {name: path for name, path in sorted(names.items()) if not _MASKING_FILE.fullmatch(name)}
    return _chain({name.removesuffix(".yaml"): Document(texts[path], shown=path) for name, path in files.items()})


def _chain(documents: Mapping[str, Document]) -> Chain:
    if not documents:
        raise NotFound("this project has no environments", hint="kitchen init")
    files = {name: document.to(EnvironmentFile) for name, document in documents.items()}
    for name, document in documents.items():
        document.check(lambda name=name: environment_name(name))  # type: ignore[misc]
        _check_place(name, files, document)
        _check_values(files[name], document, _above(name, files))
        _check_secrets(document)
    _check_apart(files, documents)
    top = next(file for file in files.values() if file.parent is None)
    schemas = top.warehouse.schemas or DEFAULT_SCHEMAS
    return Chain({name: _environment(name, files[name], documents[name], schemas) for name in files})


def _check_place(name: str, files: Mapping[str, EnvironmentFile], document: Document) -> None:
    """Every parent is there, no circle, one top."""
    seen, above = [name], files[name].parent
    while above is not None:
        if above not in files:
            from kitchen.files.explain import did_you_mean  # noqa: PLC0415 - needed only where something is wrong

            raise document.error(f"there is no environment {above!r}{did_you_mean(above, files)}", "parent")
        if above == name:
            raise document.error(f"the parents form a circle: {' -> '.join([*seen, above])}", "parent")
        if above in seen:
            return  # a circle further up: told at the file that is part of it
        seen.append(above)
        above = files[above].parent
    others = sorted(other for other, file in files.items() if file.parent is None and other != name)
    if files[name].parent is None and others:
        raise document.error(
            f"only the top of the chain has no parent, and {others[0]!r} has none either", "parent",
            hint="write parent: … in one of the two",
        )  # fmt: skip


def _above(name: str, files: Mapping[str, EnvironmentFile]) -> list[str]:
    """Return the environments above one, nearest first, as far as they are there."""
    found: list[str] = []
    above = files[name].parent
    while above is not None and above in files and above not in (name, *found):
        found.append(above)
        above = files[above].parent
    return found


def _check_values(file: EnvironmentFile, document: Document, above: Sequence[str]) -> None:
    if not _BRANCH.fullmatch(file.branch) or ".." in file.branch or file.branch.endswith((".lock", ".")):
        raise document.error("this cannot name a branch: use letters, digits, . _ - and single /", "branch")
    for number, schema in enumerate(file.warehouse.schemas):
        _check_schema(schema, document, number)
    if len(set(file.warehouse.schemas)) != len(file.warehouse.schemas):
        raise document.error("a schema is named twice", "warehouse", "schemas")
    if file.kitchens.ttl is not None:
        ttl = file.kitchens.ttl
        if not document.check(lambda: parse_duration(ttl), "kitchens", "ttl"):
            raise document.error(
                "kitchens would expire at once: leave ttl out, or write null for ever", "kitchens", "ttl"
            )
    if file.data is not None:
        _check_data(file, document, above)
    for section in ("vault", "storage"):
        for key in ("address", "endpoint"):
            _check_url(getattr(getattr(file, section), key, None), document, (section, key))


def _check_schema(schema: str, document: Document, number: int) -> None:
    where: KeyPath = ("warehouse", "schemas", number)
    if not _SCHEMA.fullmatch(schema):
        raise document.error("schemas are named with a to z, 0 to 9 and _ here", *where)
    if "__" in schema or _OWN_SCHEMAS.fullmatch(schema):
        raise document.error(f"the schema name {schema!r} is reserved", *where)
    if len(schema) > LOGICAL_SCHEMA_BYTES:
        raise document.error(f"the schema name is longer than {LOGICAL_SCHEMA_BYTES} characters", *where)


def _check_data(file: EnvironmentFile, document: Document, above: Sequence[str]) -> None:
    data = file.data
    assert data is not None  # noqa: S101 - asked by the caller
    if file.parent is None:
        raise document.error("the top of the chain holds production itself: it has no pantry", "data")
    if data.source not in above:
        named = " or ".join(repr(name) for name in above)
        raise document.error(f"the pantry comes from above, {named}, not from {data.source!r}", "data", "from")
    if not _MASKING_FILE.fullmatch(data.masking):
        raise document.error("name a file of this folder: masking.yaml or masking_….yaml", "data", "masking")
    cron, timezone = _refresh(data)
    if cron is not None and (fault := fault_of(cron)) is not None:
        raise document.error(fault, "data", "refresh", *(["cron"] if isinstance(data.refresh, RefreshFile) else []))
    try:
        ZoneInfo(timezone)
    except (ValueError, OSError, LookupError):
        raise document.error("name a timezone like UTC or Europe/Vienna", "data", "refresh", "timezone") from None


def _refresh(data: DataFile) -> tuple[str | None, str]:
    said = data.refresh
    return (said.cron, said.timezone) if isinstance(said, RefreshFile) else (said, "UTC")


def _check_url(url: str | None, document: Document, where: KeyPath) -> None:
    if url is None or url.startswith("https://") or _LOOPBACK.fullmatch(url):
        return
    raise document.error("secrets do not travel without TLS: use https:// (http:// for this machine only)", *where)


def _check_secrets(document: Document) -> None:
    """No secret stands in a committed file: what looks like one must be a reference."""
    for section in ("warehouse", "vault", "storage", "connections", "variables", "alerts"):
        for path, value in _walk((section,), document.data.get(section)):
            _check_setting(path, value, document)


def _check_setting(path: KeyPath, value: object, document: Document) -> None:
    key = next((part for part in reversed(path) if isinstance(part, str)), "")
    if isinstance(value, dict) and "secret" in value:
        document.check(lambda: _reference(value), *path)
    elif isinstance(value, str | int | float) and not isinstance(value, bool) and key != "secret":
        looks = _SECRET_WORDS.fullmatch(key.lower()) or _SECRET_ENDING.fullmatch(key.lower())
        address = isinstance(value, str) and (_LOGIN_IN_URL.match(value) or (path[0] == "alerts" and "://" in value))
        if looks or address:
            raise document.error(
                "a secret does not stand in a file: write {secret: path#key}", *path,
                hint="kitchen secret set PATH KEY",
            )  # fmt: skip


def _reference(value: object) -> SecretReference:
    found = SecretReference.of(value)
    if found is None:
        raise InvalidInput("a reference to a secret has nothing beside it: {secret: path#key}")
    return found


def _walk(path: KeyPath, value: object) -> Iterator[tuple[KeyPath, object]]:
    yield path, value
    if isinstance(value, dict) and "secret" not in value:
        for key, inner in value.items():
            yield from _walk((*path, key), inner)
    elif isinstance(value, list):
        for number, inner in enumerate(value):
            yield from _walk((*path, number), inner)


def _check_apart(files: Mapping[str, EnvironmentFile], documents: Mapping[str, Document]) -> None:
    """No two environments share a branch or a database."""
    branches: dict[str, str] = {}
    databases: dict[object, str] = {}
    top = next((file for file in files.values() if file.parent is None), None)
    for name, file in sorted(files.items(), key=lambda item: item[1].parent is not None):  # told at the lower one
        if (other := branches.setdefault(file.branch, name)) != name:
            raise documents[name].error(f"{other!r} already stands on the branch {file.branch!r}", "branch")
        told = msgspec.structs.asdict(file.warehouse)
        place = (told["host"], told["port"], told["database"]) if "host" in told else name
        if (other := databases.setdefault(place, name)) != name:
            raise documents[name].error(f"{other!r} already uses this database", "warehouse")
        if (
            file.warehouse.schemas
            and top is not None
            and file.warehouse.schemas != (top.warehouse.schemas or DEFAULT_SCHEMAS)
        ):
            raise documents[name].error(
                "the schemas are those of the top of the chain: leave them out", "warehouse", "schemas"
            )


def _environment(name: str, file: EnvironmentFile, document: Document, schemas: tuple[str, ...]) -> Environment:
    rules = file.kitchens
    return Environment(
        name=name,
        branch=file.branch,
        parent=file.parent,
        warehouse=_service(file.warehouse),
        vault=_service(file.vault),
        storage=_service(file.storage),
        containers=_service(file.containers),
        schemas=schemas,
        connections=file.connections,
        variables=file.variables,
        toolchain=Toolchain(**msgspec.structs.asdict(file.toolchain)),
        data=_data(file, document),
        alerts=file.alerts,
        kitchens=KitchenRules(
            # no working kitchen lives where the data is not masked unless that environment says so
            working=file.parent is not None if rules.working is None else rules.working,
            ttl=None if rules.ttl is None else parse_duration(rules.ttl),
            max=rules.max,
            per_person=rules.per_person,
            on_create=rules.on_create,
            on_delete=rules.on_delete,
        ),
        roles={str(role): names for role, names in file.roles.items()},
        gates=Gates(**msgspec.structs.asdict(file.gates)),
    )  # fmt: skip


def _data(file: EnvironmentFile, document: Document) -> DataSource | None:
    data = file.data
    if data is None:
        return None
    return DataSource(data.source, data.masking, sample_of(data.sample, document), *_refresh(data))


def _service(file: msgspec.Struct) -> Service:
    settings = msgspec.to_builtins(file)
    kind = settings.pop("kind")
    settings.pop("schemas", None)
    return Service(kind, {key: value for key, value in settings.items() if value is not None})
