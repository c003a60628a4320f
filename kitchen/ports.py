"""What the core asks of the world. Adapters fit by shape; each docstring is the contract they are tested against."""

from __future__ import annotations

from collections.abc import Callable, Collection, Mapping, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any, Protocol
from uuid import UUID

from kitchen.domain.catalogue import Catalogue, Evidences
from kitchen.domain.connection import Credentials
from kitchen.domain.installation import Installation
from kitchen.domain.journal import Operation, OperationState, StepState
from kitchen.domain.kitchen import Kitchen, State
from kitchen.domain.layout import Layer, TableName
from kitchen.domain.release import Release, ReleaseKind, ReleasePlan, ReleaseState
from kitchen.domain.run import NodeRun, Run, RunState, TestResult
from kitchen.domain.secret import Secret

Row = tuple[Any, ...]


# --- git ------------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class RefUpdate:
    """Move one ref from ``old`` (None: it must not exist) to ``new`` (None: delete it)."""

    ref: str
    new: str | None
    old: str | None


@dataclass(frozen=True, slots=True)
class MergePreview:
    """The tree that merging source into target gives, or the paths that conflict. Nothing has moved."""

    target: str
    source: str
    base: str
    tree: str | None
    conflicts: tuple[str, ...]

    @property
    def is_up_to_date(self) -> bool:
        """The target already contains the source."""
        return self.base == self.source


class Repository(Protocol):
    """One git project. Commit ids are full hashes; branches are short names; refs are full names."""

    @property
    def root(self) -> Path:
        """Return the main worktree."""
        ...

    @property
    def common_dir(self) -> Path:
        """Return the .git folder that all worktrees share."""
        ...

    def head(self, branch: str) -> str | None:
        """Return the commit of a local branch, or None."""
        ...

    def resolve(self, revision: str) -> str | None:
        """Return the commit that a branch, tag or hash names, or None."""
        ...

    def update_refs(self, updates: Sequence[RefUpdate], *, reason: str) -> None:
        """Move all refs or none; raises Conflict where one is not at its old value."""
        ...

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the best common ancestor."""
        ...

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Say whether descendant contains ancestor."""
        ...

    def ahead_behind(self, one: str, other: str) -> tuple[int, int]:
        """Return how many commits one has that other has not, and the reverse."""
        ...

    def preview_merge(self, target: str, source: str) -> MergePreview:
        """Merge two commits in memory."""
        ...

    def commit_tree(self, tree: str, parents: Sequence[str], message: str) -> str:
        """Write a commit object; no ref moves."""
        ...

    def tree_of(self, commit: str) -> str:
        """Return the tree of a commit."""
        ...

    def changed_paths(self, base: str, commit: str) -> tuple[str, ...]:
        """Return the paths that differ between two commits."""
        ...

    def log(self, base: str | None, commit: str) -> tuple[Mapping[str, str], ...]:
        """Return commits in base..commit, newest first, each with id, author, time (ISO 8601) and subject."""
        ...

    def read(self, commit: str, path: str) -> str | None:
        """Return the text of a file in a commit, or None."""
        ...

    def files(self, commit: str, folder: str) -> tuple[str, ...]:
        """Return the paths below a folder in a commit."""
        ...

    def export(self, commit: str, to: Path) -> None:
        """Write the files of a commit below a new folder, without any .git."""
        ...

    def worktrees(self) -> Mapping[Path, str | None]:
        """Return every worktree with its branch (None: detached)."""
        ...

    def add_worktree(self, path: Path, branch: str) -> None:
        """Check a branch out in a new folder; a worktree of that branch already there is success."""
        ...

    def remove_worktree(self, path: Path) -> None:
        """Remove a worktree and what git knows of it, whatever is in it; absent is success."""
        ...

    def changes(self, worktree: Path) -> tuple[str, ...]:
        """Return changed and untracked (not ignored) paths of a worktree."""
        ...

    def follow(self, worktree: Path, old: str, new: str) -> None:
        """Bring a clean worktree's files from commit old to new after its branch moved; done already is success."""
        ...

    def tag(self, name: str, commit: str, message: str) -> None:
        """Make an annotated tag; the same tag there is success, another is Conflict."""
        ...

    def delete_tag(self, name: str) -> None:
        """Delete a tag; absent is success."""
        ...

    def user(self) -> str:
        """Return the name under which people work here: git's user.email, else the login name."""
        ...


# --- secrets, objects, containers -------------------------------------------------------------------------------------


class SecretStore(Protocol):
    """Small dictionaries of text by path. Path segments are ``[a-z0-9_-]{1,64}``; anything else is InvalidInput."""

    def read(self, path: str) -> dict[str, str] | None:
        """Return a secret, or None where there is none."""
        ...

    def write(self, path: str, secret: Mapping[str, str], *, create_only: bool = False) -> None:
        """Write a secret; with create_only, one already there is Conflict."""
        ...

    def delete(self, path: str) -> None:
        """Delete a secret with all its versions; absent is success."""
        ...

    def list(self, prefix: str) -> tuple[str, ...]:
        """Return the full paths below a prefix, sorted."""
        ...


class ObjectStore(Protocol):
    """Files by key. Keys are relative, ``/`` separated, without ``..``; anything else is InvalidInput."""

    def put(self, key: str, data: bytes, *, create_only: bool = False) -> None:
        """Store an object whole; with create_only, one already there is Conflict."""
        ...

    def get(self, key: str) -> bytes:
        """Return an object; raises NotFound."""
        ...

    def list(self, prefix: str) -> tuple[str, ...]:
        """Return the keys below a prefix, sorted."""
        ...

    def delete(self, key: str) -> None:
        """Delete an object; absent is success."""
        ...


class ContainerEngine(Protocol):
    """Runs one image to its end, confined."""

    def run(
        self, image: str, command: Sequence[str], *, environment: Mapping[str, str], labels: Mapping[str, str],
        timeout: float | None, files: Mapping[str, bytes] | None = None,
    ) -> tuple[int, str]:  # fmt: skip
        """Return exit status (124: ended by timeout) and output; ``files`` (secrets) are in /run/kitchen, read only.

        Raises Unavailable where no engine answers, NotFound where there is no such image.
        """
        ...

    def remove_all(self, labels: Mapping[str, str]) -> None:
        """Stop and remove every container with these labels; none is success."""
        ...


# --- the warehouse ----------------------------------------------------------------------------------------------------


class Session(Protocol):
    """One open database session. Outside ``transaction`` every statement commits by itself."""

    def query(self, statement: str, parameters: Sequence[object] | None = None) -> list[Row]:
        """Return the rows of a statement; without parameters the text is sent as it stands."""
        ...

    def execute(self, statement: str, parameters: Sequence[object] | None = None) -> int:
        """Run a statement (or several) and return the last count of rows."""
        ...

    def transaction(self) -> AbstractContextManager[None]:
        """Commit at the end of the block, roll back where it raises."""
        ...

    def cancel(self) -> None:
        """Ask the server to end the statement that another thread runs in this session; none is success."""
        ...

    def close(self) -> None:
        """End the session; twice is success."""
        ...


class Installer(Protocol):
    """Prepares somebody else's server for one environment."""

    def plan(self, provisioner: str, password: Secret, *, takes_over: bool) -> Installation:
        """Return what an administrator has to do; nothing is changed.

        Raises Conflict for a role of another purpose, and unless ``takes_over`` for one that is installed already.
        """
        ...

    def carry_out(self, installation: Installation) -> None:
        """Do it as the administrator; every action may be repeated. Raises NotPermitted where that one may not."""
        ...


class Sessions(Protocol):
    """Opens sessions on one environment's warehouse."""

    def open(self, credentials: Credentials, *, application: str) -> Session:
        """Connect; raises Unavailable (no answer) or NotPermitted (login refused)."""
        ...

    def administrator(self) -> Credentials:
        """Return the provisioner's credentials; raises NotPermitted for whoever may not read them."""
        ...


@dataclass(frozen=True, slots=True)
class MarkedWorkspace:
    """A workspace as its own marks describe it, without any record."""

    name: str
    id: UUID
    parents: frozenset[str]  # kitchens that it reads; empty where isolated or standing
    pantry: int | None


class Workspaces(Protocol):
    """Schemas and roles of kitchens. Everything made carries the kitchen's mark; nothing without it is dropped."""

    def create(self, layer: Layer, password: str) -> Credentials:
        """Make roles and schemas of a kitchen in one transaction and return its login; its own is success."""
        ...

    def exists(self, kitchen: Kitchen) -> bool:
        """Say whether the kitchen's login role is there and bears its mark."""
        ...

    def marked(self, environment: str) -> tuple[MarkedWorkspace, ...]:
        """Return every workspace of this database that bears a kitchen's mark, by name."""
        ...

    def sizes(self, schemas: Sequence[str]) -> Mapping[str, tuple[int, int]]:
        """Return how many tables and bytes are in each of the schemas that are there."""
        ...

    def rebind(self, layer: Layer) -> None:
        """Open the layer's parents and pantry to a kitchen, close others, and set its search path anew."""
        ...

    def open_production(self, layer: Layer) -> None:
        """Let the top's standing kitchen, and its candidates, read what other roles made in production's schemas."""
        ...

    def drop(self, kitchen: Kitchen, schemas: Sequence[str]) -> None:
        """Close the login, end its sessions, drop schemas in batches and then the roles; absent is success."""
        ...


@dataclass(frozen=True, slots=True)
class Relation:
    """One relation that a kitchen sees."""

    logical: TableName
    physical: TableName
    kind: str  # table | view | materialized view | partitioned table | foreign table | sequence
    rows: int  # planner's estimate; -1 unknown
    size: int  # bytes
    over: TableName | None = None  # of the kitchen's own: what it hides in the layers below, where it was copied from


@dataclass(frozen=True, slots=True)
class Hydrated:
    """What hydrating one table did: the objects made, and what could not be carried, said in words."""

    table: TableName
    source: TableName
    made: tuple[str, ...]
    left_out: tuple[str, ...]


class Tables(Protocol):
    """Reads and copies tables of a kitchen's layer, with that kitchen's own rights."""

    def visible(self, session: Session, layer: Layer) -> tuple[Relation, ...]:
        """Return what the kitchen sees, nearest layer first hit."""
        ...

    def own(self, session: Session, layer: Layer) -> tuple[Relation, ...]:
        """Return the relations in the kitchen's own schemas."""
        ...

    def rebind(self, session: Session, layer: Layer) -> tuple[str, ...]:
        """Bind the kitchen's own views and functions to what its layer holds now; return what could not be, in words.

        The session is the administrator's: a kitchen may no longer look into what its views still stand on.
        """
        ...

    def hydrate(self, session: Session, layer: Layer, table: TableName, *, with_rows: bool = True) -> Hydrated | None:
        """Copy the first hit of a logical table into the kitchen, faithfully; None where it is the kitchen's already.

        Runs in one transaction. Raises NotFound where nobody in the layer has the table.
        """
        ...


# --- publishing -------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Arrival:
    """One relation that is published: where it is, and the schema that it moves into."""

    source: TableName  # physical
    to: str


@dataclass(frozen=True, slots=True)
class Publication:
    """What moves in one transaction. What is replaced or dropped moves into the archive of its schema."""

    arrivals: tuple[Arrival, ...]
    drops: tuple[TableName, ...]  # physical, in the target: they leave and nothing replaces them
    archives: Mapping[str, str]  # schema written to -> schema that keeps what was there
    owner: str  # role that owns what is new in the target
    strangers: frozenset[str] = frozenset()  # roles whose grants do not move along
    untouched: frozenset[str] = frozenset()  # schemas whose views stay on the replaced tables
    mark: str = "kitchen"  # comment by which the archives are known to be ours


@dataclass(frozen=True, slots=True)
class Exchanged:
    """One name of the target and the relations that it stood for before and after, by the server's number."""

    name: TableName  # physical
    before: int | None  # None: it is new
    after: int | None  # None: it is gone


@dataclass(frozen=True, slots=True)
class Published:
    """What a publication did; ``left_out`` says in words what could not be carried."""

    exchanged: tuple[Exchanged, ...]
    left_out: tuple[str, ...] = ()
    attempts: int = 1
    seconds: float = 0.0  # how long the transaction held its locks


class Publisher(Protocol):
    """Swaps relations between schemas of one database, so that readers see all of it or nothing."""

    def contents(self, schemas: Sequence[str]) -> tuple[TableName, ...]:
        """Return the relations that would be published from these schemas."""
        ...

    def find(self, numbers: Sequence[int]) -> Mapping[int, TableName]:
        """Return where relations are now, by the server's number; what is gone is not among them."""
        ...

    def publish(
        self, publication: Publication, *, wait: float, record: Callable[[Published], None], rehearse: bool = False,
    ) -> Published:  # fmt: skip
        """Exchange everything in one transaction; what ``record`` writes through the same control commits with it.

        A rehearsal does all of it and rolls back. Raises Refused where something cannot be carried, and Conflict,
        naming who blocks, where the locks cannot be had within ``wait`` seconds.
        """
        ...

    def validate(self, tables: Sequence[TableName]) -> tuple[str, ...]:
        """Validate the foreign keys of and to tables that a swap left unvalidated; returns what does not hold."""
        ...

    def watch(self, tables: Sequence[TableName]) -> Mapping[str, object]:
        """Return, as JSON can hold it, how tables are now, for ``changed``."""
        ...

    def changed(self, watched: Mapping[str, object]) -> tuple[str, ...]:
        """Return the tables whose rows are no longer those that were watched, wherever the tables are now."""
        ...

    def drop_archive(self, schema: str, *, mark: str) -> tuple[str, ...]:
        """Drop what a swap kept, if it bears the mark; returns what still needs it, and then it stays."""
        ...


# --- masked data ------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class CopyJob:
    """One masked SELECT over a table or a range of it; ``settings`` start its session and hold sub-keys."""

    table: TableName  # logical
    source: TableName  # physical, on the source
    select: str
    columns: tuple[str, ...]
    settings: tuple[Secret, ...]
    weight: int  # about how much it is, for the order


class Snapshot(Protocol):
    """One read-only moment of a source; ends with the block that it was opened for."""

    @property
    def schemas(self) -> tuple[str, ...]: ...
    @property
    def id(self) -> str: ...
    @property
    def taken_at(self) -> datetime: ...
    @property
    def server(self) -> str: ...

    def catalogue(self) -> Catalogue:
        """Return the tables with their columns and keys; raises NotFound or NotPermitted."""
        ...

    def evidence(self, catalogue: Catalogue, tables: Collection[TableName] | None = None) -> Evidences:
        """Return what samples of columns look like: counts only."""
        ...

    def query(self, statement: str, settings: Sequence[Secret] = ()) -> list[Row]:
        """Return the rows of a statement at this moment, in a session that starts with the settings."""
        ...

    def refuse_changes(self) -> None:
        """Raise Conflict where a table was rewritten or replaced since: to this moment it looks empty."""
        ...


class Source(Protocol):
    """An environment whose data other environments receive masked."""

    def snapshot(self) -> AbstractContextManager[Snapshot]:
        """Hold one moment for the block; rows hidden by row security are an error."""
        ...


class PantryStore(Protocol):
    """Schemas and the reader role of pantry versions, on the server that receives them."""

    def make(self, version: int, snapshot: Any) -> tuple[Any, tuple[str, ...]]:
        """Make role, types and bare tables; return the source's structure and, in words, what is left out."""
        ...

    def copy(
        self, version: int, snapshot: Any, jobs: Sequence[CopyJob], *, workers: int,
        report: Callable[[int, int], None],
    ) -> Mapping[TableName, int]:  # fmt: skip
        """Stream the jobs' rows over and return the rows of each logical table."""
        ...

    def finish(self, version: int, structure: Any) -> None:
        """Add indexes, constraints and views, gather statistics, and open the version to its reader role."""
        ...

    def query(self, statement: str, settings: Sequence[Secret] = ()) -> list[Row]:
        """Return the rows of a read-only statement, in a session that starts with the settings."""
        ...

    def catalogue(self, version: int) -> Catalogue:
        """Return a version's tables under their logical names."""
        ...

    def place(self, version: int, table: TableName) -> TableName:
        """Return where a logical table is in a version."""
        ...

    def exists(self, version: int) -> bool:
        """Say whether a version's schemas are there."""
        ...

    def drop(self, version: int) -> None:
        """Drop a version whole; absent is success. Raises Conflict while anything else reads it."""
        ...


# --- the control schema -----------------------------------------------------------------------------------------------


@dataclass(frozen=True, slots=True)
class Quota:
    """How many working kitchens an environment takes."""

    total: int
    per_person: int


class KitchenRecords(Protocol):
    """The kitchens of one environment."""

    def add(self, kitchen: Kitchen, *, quota: Quota | None = None) -> None:
        """Record a new kitchen; the same one there is success, another of that name or branch Conflict.

        The parent must be there and ready (else Conflict); past the quota it is Refused.
        """
        ...

    def get(self, name: str) -> Kitchen | None:
        """Return a kitchen, or None."""
        ...

    def all(self) -> tuple[Kitchen, ...]:
        """Return every kitchen, by name."""
        ...

    def save(self, kitchen: Kitchen, *, expected: State) -> None:
        """Replace the record of a kitchen; Conflict where its state is no longer the expected one.

        One with kitchens below it does not become DELETING: that is Conflict too.
        """
        ...

    def remove(self, identity: UUID) -> None:
        """Forget a kitchen; absent is success."""
        ...


class JournalRecords(Protocol):
    """Operations and their steps; every call commits before it returns."""

    def begin(self, operation: Operation) -> None:
        """Record an operation before its first step."""
        ...

    def claim(self, operation: UUID) -> None:
        """Take an unfinished operation over; what its earlier holder still marks is Conflict from now on."""
        ...

    def mark(self, operation: UUID, step: str, state: StepState) -> None:
        """Record the state of a step; Conflict where another process has taken the operation over."""
        ...

    def finish(self, operation: UUID, state: OperationState, *, error: str | None = None) -> None:
        """Record how an operation ended."""
        ...

    def get(self, operation: UUID) -> Operation | None:
        """Return an operation with its steps, or None."""
        ...

    def unfinished(self) -> tuple[Operation, ...]:
        """Return operations that are running or stuck, oldest first."""
        ...


class Locks(Protocol):
    """Row locks: freed by the server when their holder dies."""

    def hold(self, name: str, *, purpose: str) -> AbstractContextManager[None]:
        """Hold a named lock for the block; Conflict, naming the holder, where it is taken."""
        ...


class Audit(Protocol):
    """Append-only, hash-chained."""

    def intent(self, action: str, subject: str, detail: Mapping[str, object]) -> None:
        """Record what is about to be done; if that cannot be written nothing may be changed."""
        ...

    def outcome(self, action: str, subject: str, result: str, detail: Mapping[str, object]) -> None:
        """Record how it went."""
        ...

    def entries(self, limit: int) -> tuple[Mapping[str, object], ...]:
        """Return the newest entries first."""
        ...

    def verify(self) -> tuple[int, str | None]:
        """Return how many entries were checked and what is wrong with the first bad one, if any."""
        ...


class RunRecords(Protocol):
    """Runs, their node runs and test results; every call commits before it returns."""

    def start(self, run: Run) -> None:
        """Record a run before its first node."""
        ...

    def node(self, run: UUID, node: NodeRun) -> None:
        """Record an attempt at a node; the same attempt again replaces it."""
        ...

    def tests(self, run: UUID, results: Sequence[TestResult]) -> None:
        """Add test results."""
        ...

    def finish(self, run: UUID, state: RunState, *, message: str | None) -> None:
        """Record how a run ended."""
        ...

    def get(self, identity: str) -> Run | None:
        """Return a run by the beginning of its id (Conflict where that is ambiguous), or None."""
        ...

    def all(self, *, kitchen: str | None = None, limit: int = 50) -> tuple[Run, ...]:
        """Return runs without their nodes and tests, newest first."""
        ...

    def measured(self, recipe: str, node: str, test: str, *, kitchens: Sequence[str], limit: int) -> tuple[str, ...]:
        """Return what a test measured in runs where it passed, oldest first: the last ``limit`` of these kitchens."""
        ...

    def once_done(self, kitchen: str) -> frozenset[str]:
        """Return ``recipe/node`` of every once-node recorded for a standing kitchen."""
        ...

    def record_once(self, kitchen: str, node: str, run: UUID) -> None:
        """Record that a once-node ran in a standing kitchen; again is success."""
        ...

    def set_once_aside(self, kitchen: str, commit: str) -> None:
        """Forget, until ``bring_once_back``, the once-nodes that runs of a commit brought: its tables went out."""
        ...

    def bring_once_back(self, kitchen: str, commit: str) -> None:
        """Record again what was set aside: the tables of the commit are in again."""
        ...


@dataclass(frozen=True, slots=True)
class PantryVersion:
    """One immutable masked baseline."""

    version: int
    state: str  # building | ready | dropped
    created_at: datetime
    manifest: Mapping[str, object]


class PantryRecords(Protocol):
    """Versions of one environment's pantry."""

    def begin(self, manifest: Mapping[str, object]) -> int:
        """Record a version that is being built and return its number."""
        ...

    def publish(self, version: int, manifest: Mapping[str, object]) -> None:
        """Make a built version the newest one that kitchens are made on."""
        ...

    def drop(self, version: int) -> None:
        """Record that a version is gone."""
        ...

    def newest(self) -> PantryVersion | None:
        """Return the newest ready version, or None."""
        ...

    def all(self) -> tuple[PantryVersion, ...]:
        """Return every version, newest first."""
        ...


class ReleaseRecords(Protocol):
    """What was published into the kitchens of one environment; numbers are unique in it."""

    def add(self, kind: ReleaseKind, environment: str, kitchen: str, plan: ReleasePlan, *, by: str) -> Release:
        """Record a planned release and number it."""
        ...

    def get(self, number: int) -> Release | None:
        """Return a release, or None."""
        ...

    def all(self, *, kitchen: str | None = None, limit: int | None = None) -> tuple[Release, ...]:
        """Return releases, newest first."""
        ...

    def approve(self, number: int, *, by: str) -> None:
        """Record a person's consent to the plan as it is; Conflict where the release is no longer open."""
        ...

    def move(
        self, number: int, state: ReleaseState, *, expected: Sequence[ReleaseState], message: str | None = None
    ) -> None:
        """Set the state of a release; Conflict where it is in none of the expected ones."""
        ...

    def released(self, number: int, *, commit: str, tag: str | None, exchanged: Sequence[Exchanged]) -> None:
        """Record that a release is in, with what it exchanged, and that its commit is the deployed one."""
        ...

    def deployed(self, kitchen: str) -> tuple[str, int] | None:
        """Return the commit whose results stand in a kitchen's tables and the release that brought it, or None."""
        ...


class Control(Protocol):
    """State of one environment, in schema ``kitchen_control`` of its warehouse."""

    person: str  # who works here
    host: str  # on which machine

    @property
    def kitchens(self) -> KitchenRecords: ...
    @property
    def journal(self) -> JournalRecords: ...
    @property
    def locks(self) -> Locks: ...
    @property
    def audit(self) -> Audit: ...
    @property
    def runs(self) -> RunRecords: ...
    @property
    def pantries(self) -> PantryRecords: ...
    @property
    def releases(self) -> ReleaseRecords: ...

    def install(self) -> None:
        """Make or upgrade the control schema; raises Refused where a newer kitchen made it."""
        ...


class Notifier(Protocol):
    """Tells people; best effort, never raises."""

    def send(self, title: str, body: str) -> None:
        """Send one message."""
        ...
