"""Lazy wiring: the only place that knows which adapter stands behind which port."""

from __future__ import annotations

import os
from collections.abc import Callable
from dataclasses import replace
from functools import cached_property
from hashlib import sha256
from pathlib import Path
from typing import TYPE_CHECKING

from kitchen.domain.connection import Credentials
from kitchen.domain.environment import Chain, Environment
from kitchen.domain.kitchen import Kitchen
from kitchen.domain.layout import Layer, Layout, layer_of
from kitchen.domain.people import Rights, lease_path
from kitchen.errors import InvalidInput, NotFound
from kitchen.operations.homes import key_home, state_home, worktrees_of

if TYPE_CHECKING:
    from kitchen.adapters.embedded.postgres import EmbeddedPostgres
    from kitchen.adapters.postgres.sessions import PgSessions
    from kitchen.operations.file_keys import FileKeys
    from kitchen.operations.governing import Governed
    from kitchen.operations.people import Kept
    from kitchen.ports import (
        Bucket,
        ContainerEngine,
        Control,
        Installer,
        ObjectStore,
        PantryStore,
        People,
        PolicyStore,
        Publisher,
        Repository,
        SecretStore,
        Session,
        Source,
        Tables,
        Workspaces,
    )

Say = Callable[[str], None]
About = Callable[["Services", Kitchen], None]


def prepare_repository(folder: Path, *, new: bool) -> Repository:
    """Return the folder's git repository, made where it is new, with the folder of worktrees ignored."""
    from kitchen.adapters.git import prepare_repository as prepare

    return prepare(folder, new=new)


def commit_project(repository: Repository, message: str) -> None:
    """Make the first commit of a new project."""
    from kitchen.adapters.git import first_commit

    first_commit(repository.root, message)


class Services:
    """The adapters of one environment, each made when it is first asked for."""

    def __init__(self, app: App, environment: Environment) -> None:
        self.app = app
        self.environment = environment
        self.governed: Governed | None = None  # by a commit (``operations.governing``), and not by this folder

    @property
    def state_dir(self) -> Path:
        """Return where this environment's embedded services keep their data."""
        return state_home() / self.app.project_id / self.environment.name

    @property
    def chain(self) -> Chain:
        """Return the project's environments: a hotfix goes back to one above the one that it lives in."""
        return self.app.environments

    @property
    def person(self) -> str:
        """Return who works here."""
        return self.own.identity.person if self.own is not None else self.app.person

    @cached_property
    def own(self) -> Kept | None:
        """Return the person's own login in an environment that many share, where ``kitchen login`` kept one here."""
        if self.environment.is_embedded:
            return None
        from kitchen.operations.people import kept_login

        return kept_login(self)

    @cached_property
    def people(self) -> People:
        """Return what lets people in and out."""
        from kitchen.adapters.postgres.people import PgPeople

        return PgPeople(self.sessions, self.person)

    @cached_property
    def layout(self) -> Layout:
        """Return how production's schemas lie in this environment."""
        return Layout(self.app.environments.top().schemas, holds_production=self.environment.parent is None)

    @cached_property
    def secrets(self) -> SecretStore:
        """Return the environment's secret store."""
        if self.environment.vault.kind == "embedded":
            from kitchen.adapters.secret_file import FileSecretStore

            return FileSecretStore(self.state_dir / "secrets", key_home() / f"{self.app.project_id}.key")
        from kitchen.adapters.vault import VaultSecretStore

        return VaultSecretStore.from_settings(self.environment.vault.settings)

    @property
    def policies(self) -> PolicyStore | None:
        """Return the vault whose policies say who reads which secret, or None where secrets are in a file."""
        from kitchen.adapters.vault import VaultSecretStore

        return self.secrets if isinstance(self.secrets, VaultSecretStore) else None

    @cached_property
    def storage(self) -> ObjectStore:
        """Return the environment's object store."""
        if self.environment.storage.kind == "embedded":
            from kitchen.adapters.storage_folder import FolderStore

            return FolderStore(self.state_dir / "storage")
        from kitchen.adapters.s3 import S3Store

        return S3Store.from_settings(self.environment.storage.settings, self.secrets)

    def bucket(self, *, as_administrator: bool) -> Bucket:
        """Return the bucket as the administrator whom KITCHEN_S3_… name sees it, or the environment's own key."""
        from kitchen.adapters.s3_bucket import S3Bucket

        return S3Bucket.of(self.environment.storage.settings, None if as_administrator else self.secrets)

    @cached_property
    def file_keys(self) -> FileKeys:
        """Return what lends keys to the files of one kitchen."""
        from kitchen.operations.file_keys import FileKeys

        return FileKeys(self.environment, lambda: self.bucket(as_administrator=False), self.app.tell)

    @cached_property
    def containers(self) -> ContainerEngine | None:
        """Return the environment's container engine, or None where it declares none."""
        if self.environment.containers.kind == "none":
            return None
        from kitchen.adapters.docker_engine import DockerEngine

        return DockerEngine.from_settings(self.environment.containers.settings)

    @cached_property
    def embedded(self) -> EmbeddedPostgres | None:
        """Return the embedded server, or None where the warehouse is somebody else's."""
        if not self.environment.is_embedded:
            return None
        from kitchen.adapters.embedded.postgres import EmbeddedPostgres

        return EmbeddedPostgres(self.state_dir / "postgres", self.environment.name, self.secrets, tell=self.app.tell)

    @cached_property
    def sessions(self) -> PgSessions:
        """Return what opens sessions on the warehouse."""
        from kitchen.adapters.postgres.sessions import PgSessions

        here = self.environment
        return PgSessions(self._administrator, self._recorder, discreet=here.parent is None, upgrades=here.is_embedded)

    def installer(self, administrator: Credentials | None) -> Installer:
        """Return what prepares the external server of this environment, seen as its administrator sees it."""
        from kitchen.adapters.postgres.install import PgInstaller

        here = self.environment
        return PgInstaller(
            administrator, environment=here.name, database=str(here.warehouse.settings["database"]),
            schemas=self.layout.logical if self.layout.holds_production else (), gated=here.gates.approvals > 0,
        )  # fmt: skip

    @cached_property
    def control(self) -> Control:
        """Return the environment's state, with the control schema in place."""
        from kitchen.adapters.postgres.control import PgControl

        return PgControl(self.sessions, environment=self.environment.name, person=self.person)

    @cached_property
    def workspaces(self) -> Workspaces:
        """Return what makes and drops kitchens' schemas and roles."""
        if self.own is not None and not self.own.identity.is_deputy:
            from kitchen.adapters.postgres.person_workspaces import PersonWorkspaces

            return PersonWorkspaces(self.sessions, self.clone_suffix)
        from kitchen.adapters.postgres.workspaces import PgWorkspaces

        return PgWorkspaces(self.sessions)

    @cached_property
    def tables(self) -> Tables:
        """Return what reads and copies tables."""
        from kitchen.adapters.postgres.tables import PgTables

        return PgTables()

    @cached_property
    def publisher(self) -> Publisher:
        """Return what swaps tables, on the control schema's own session: records and tables commit together."""
        from kitchen.adapters.postgres.control import PgControl
        from kitchen.adapters.postgres.publisher import PgPublisher

        control = self.control
        assert isinstance(control, PgControl)  # noqa: S101 - made three properties above
        return PgPublisher(control.session)

    @cached_property
    def pantry_store(self) -> PantryStore:
        """Return what makes and drops versions of the pantry."""
        from kitchen.adapters.postgres.pantry import PgPantryStore

        return PgPantryStore(self.sessions, self.layout, self.environment.name)

    @cached_property
    def source(self) -> Source:
        """Return where the environment's data comes from; raises InvalidInput where it receives none."""
        from kitchen.operations.governing import data_of

        return self.source_at(data_of(self.environment).source)

    def source_at(self, environment: str) -> Source:
        """Return what data is read from: production's schemas, or what another standing kitchen reads."""
        from kitchen.adapters.postgres.source import PgSource

        above = self.app.services(environment)
        if above.layout.holds_production:
            return PgSource(above.sessions, above.layout.logical)
        return PgSource.of_layers(above.sessions, above.layer(above.standing()))

    def _administrator(self) -> Credentials:
        if self.embedded is not None:
            if not self.embedded.is_made:  # what was stopped is started; what was never made is made by ``up`` alone
                raise self._not_set_up()
            return self.embedded.administrator()
        if self.own is not None and self.own.identity.is_deputy:
            return replace(self.own.credentials, role=self.own.provisioner)
        from kitchen.operations.external import administrator_of, no_deputy

        if self.own is not None:
            raise no_deputy(self.own.identity, self.environment.name)
        return administrator_of(self.environment, self.secrets)

    def _recorder(self) -> Credentials | None:
        if self.own is None or self.own.identity.is_deputy:
            return None
        return self.own.credentials

    @property
    def rights(self) -> Rights:
        """Return what whoever works here may do, as far as that can be said without asking the server."""
        return Rights(self.person, self.acts_for_all, self.own.identity.role if self.own is not None else None)

    @property
    def acts_for_all(self) -> bool:
        """Say whether commands here act as the provisioner, and not as one person among others."""
        return self._recorder() is None

    @property
    def clone_suffix(self) -> str:
        """Return what tells the logins of this clone and person from those of others."""
        return sha256(f"{self.app.project_id}/{self.person}".encode()).hexdigest()[:6]

    def login_path(self, kitchen: Kitchen) -> str:
        """Return where the login into a kitchen is kept: a person's is the person's."""
        return lease_path(self.own.identity.person, kitchen.name) if self.own is not None else kitchen.secret_path

    def layer(self, kitchen: Kitchen) -> Layer:
        """Return the layer of a kitchen of this environment."""
        return layer_of(self.layout, kitchen, self.control.kitchens.all())

    def credentials(self, kitchen: Kitchen) -> Credentials:
        """Return a kitchen's own login; raises NotFound where its secret is gone."""
        from kitchen.operations.leases import kept_credentials, leased

        if self.own is not None:
            return leased(self, kitchen)
        found = kept_credentials(self, kitchen)
        if self.embedded is None:
            from kitchen.operations.external import login_at

            return login_at(self.environment, found.user, found.password, role=found.role)
        now = self.embedded.administrator()  # starts it on demand; its port may have been taken while it was down
        return now.named(user=found.user, password=found.password, role=found.role)

    def binder(self, kitchen: Kitchen, *, application: str) -> Session:
        """Open what rebinds a kitchen's views: the provisioner, else the kitchen itself, which may see less."""
        if self._recorder() is None:
            return self.sessions.as_administrator(application=application)
        return self.sessions.open(self.credentials(kitchen), application=application)

    def standing(self) -> Kitchen:
        """Return the standing kitchen; raises NotFound before the environment is up."""
        found = self.control.kitchens.get(self.environment.name)
        if found is None:
            raise self._not_set_up()
        return found

    def _not_set_up(self) -> NotFound:
        name = self.environment.name
        return NotFound(f"environment {name!r} is not set up", hint=f"kitchen up {name}")


class App:
    """One project as seen from one folder."""

    def __init__(self, start: Path, *, tell: Say = lambda _: None, about: About = lambda *_: None) -> None:
        self.start = start
        self.tell = tell  # what happens behind a command's back
        self.about = about  # hears which kitchen a command is about
        self._services: dict[str, Services] = {}

    @cached_property
    def repository(self) -> Repository:
        """Return the git project around the folder; raises NotFound."""
        from kitchen.adapters.git import open_repository

        found = open_repository(self.start)
        for worktree in found.bring_along(worktrees_of(found.root)):
            self.tell(f"the project has moved: its worktree {worktree.name} is known to git again")
        return found

    @property
    def root(self) -> Path:
        """Return the project's main folder."""
        return self.repository.root

    @cached_property
    def project_id(self) -> str:
        """Return the id of this clone, made on first use, by which its embedded services are found."""
        from kitchen.operations.project import project_id

        return project_id(self.repository)

    @cached_property
    def environments(self) -> Chain:
        """Return the project's environments; raises InvalidInput with file and line."""
        from kitchen.files.environment import read_environments

        return read_environments(self.root / "environments")

    @cached_property
    def person(self) -> str:
        """Return who works here."""
        return os.environ.get("KITCHEN_PERSON") or self.repository.user()

    def services(self, environment: str) -> Services:
        """Return the adapters of one environment; raises NotFound."""
        if environment not in self._services:
            self._services[environment] = Services(self, self.environments.get(environment))
        return self._services[environment]

    @property
    def worktrees(self) -> Path:
        """Return the folder of the kitchens' worktrees."""
        return worktrees_of(self.root)

    def inferred_kitchen(self) -> str | None:
        """Return the kitchen whose worktree we are in, else the one that ``kitchen enter`` named, else None."""
        here, worktrees = self.start.resolve(), self.worktrees.resolve()
        if here.is_relative_to(worktrees) and here != worktrees:
            return here.relative_to(worktrees).parts[0]
        return os.environ.get("KITCHEN") or None

    def workbench(self, environment: str | None = None) -> Services:
        """Return the named environment's services, else those of the environment where working kitchens are made."""
        return self.services(environment or os.environ.get("KITCHEN_ENVIRONMENT") or self.environments.workbench().name)

    def find(self, kitchen: str | None, environment: str | None = None) -> tuple[Services, Kitchen]:
        """Return a kitchen, named or inferred from the folder, with its environment's services; raises NotFound."""
        if (name := kitchen or self.inferred_kitchen()) is None:
            raise InvalidInput("which kitchen? none is named and this folder belongs to none", hint="kitchen list")
        for services in (places := self._places(name, environment)):
            found = services.control.kitchens.get(name)
            if found is not None:
                self.about(services, found)
                return services, found
        from kitchen.operations.known_kitchens import no_kitchen

        raise no_kitchen(name, places, [] if environment is None else self._places(name, None))

    def _places(self, kitchen: str, environment: str | None) -> list[Services]:
        if environment is not None:
            return [self.services(environment)]
        if kitchen in self.environments.environments:
            return [self.services(kitchen)]
        working = [e.name for e in self.environments.environments.values() if e.kitchens.working]
        return [self.services(name) for name in dict.fromkeys([self.workbench().environment.name, *working])]
