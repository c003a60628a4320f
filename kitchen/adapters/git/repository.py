"""The Repository port on git."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from functools import cached_property
from pathlib import Path

from kitchen.adapters.git import worktrees
from kitchen.adapters.git.command import SLOW, GitCommand, Locked, login_name
from kitchen.adapters.git.distances import distances
from kitchen.adapters.git.locks import one_at_a_time, remove_stale
from kitchen.adapters.git.moved import brought_along, make_known
from kitchen.adapters.git.names import (
    REF_FORMAT,
    branch_name,
    commit_id,
    inner_path,
    is_hash,
    readable_ref,
    ref_name,
    tag_name,
)
from kitchen.adapters.git.network import GitRemote, remote_of
from kitchen.adapters.git.process import Answer
from kitchen.errors import Conflict, InvalidInput, KitchenError, NotFound
from kitchen.ports import Changes, Distance, MergePreview, RefUpdate

_UNRESOLVED = frozenset({"DD", "AU", "UD", "UA", "DU", "AA", "UU"})  # git help status
_LOG_FORMAT = "--format=%H%x1f%an%x1f%ae%x1f%cI%x1f%s"


class GitRepository:
    """One git project, by its main folder and the .git folder that its worktrees share."""

    def __init__(self, root: Path, common_dir: Path) -> None:
        self._root = root
        self._common_dir = common_dir
        self.git = GitCommand(root)

    @property
    def root(self) -> Path:
        """Return the main worktree."""
        return self._root

    @property
    def common_dir(self) -> Path:
        """Return the .git folder that all worktrees share."""
        return self._common_dir

    @cached_property
    def remote(self) -> GitRemote | None:
        """Return the repository that this clone shares its branches by, or None where there is none."""
        return remote_of(self.git)

    # --- refs

    def head(self, branch: str) -> str | None:
        """Return the commit of a local branch, or None."""
        return self._refs(f"refs/heads/{branch_name(branch)}").get(f"refs/heads/{branch}")

    def branches(self) -> tuple[str, ...]:
        """Return the names of the local branches."""
        lines = self.git.run("for-each-ref", REF_FORMAT, values=["refs/heads/"]).out.splitlines()
        return tuple(line.split(" ")[0].removeprefix("refs/heads/") for line in lines)

    def heads(self, branches: Sequence[str]) -> dict[str, str]:
        """Return the commits of those local branches that are there."""
        found = self._refs(*(f"refs/heads/{branch_name(branch)}" for branch in branches)) if branches else {}
        return {ref.removeprefix("refs/heads/"): commit for ref, commit in found.items()}

    def resolve(self, revision: str) -> str | None:
        """Return the commit that a branch, tag, full ref or hash names (in this order), or None."""
        if revision == "HEAD" or is_hash(revision):
            named = {} if revision == "HEAD" else self._refs(*_meanings(revision))
            if not named:
                answer = self.git.run(
                    "rev-parse", "--verify", "--quiet", values=[f"{revision}^{{commit}}"], expect=(0, 1, 128)
                )
                return answer.out.split()[-1] if answer.status == 0 else None
        else:
            named = self._refs(*_meanings(revision))
        return next(iter(named.values()), None)

    def update_refs(self, updates: Sequence[RefUpdate], *, reason: str) -> None:
        """Move all refs or none; raises Conflict where one is not at its old value."""
        lines = ["start"]
        for update in updates:
            ref = ref_name(update.ref)
            old = None if update.old is None else commit_id(update.old)
            if update.new is None:
                lines += [f"delete {ref}", old or ""]
            elif old is None:
                lines += [f"create {ref}", commit_id(update.new)]
            else:
                lines += [f"update {ref}", commit_id(update.new), old]
        lines += ["prepare", "commit"]
        typed = "".join(f"{line}\0" for line in lines)
        message = "kitchen: " + " ".join(reason.split())
        self._unlocked("update-ref", "-m", message, "--stdin", "-z", typed=typed)

    def tag(self, name: str, commit: str, message: str) -> None:
        """Make an annotated tag; the same tag there is success, another is Conflict."""
        there = self._refs(f"refs/tags/{tag_name(name)}").get(f"refs/tags/{name}")
        if there is None:
            self._unlocked(
                "tag", "--annotate", "--no-sign", "--cleanup=whitespace", "-F-",
                values=[name, commit_id(commit)], typed=message, environment=self.git.identity(),
            )  # fmt: skip
        elif there != commit:
            raise Conflict(f"the tag {name!r} is on another commit ({there[:12]})", hint=f"git show {name}")

    def delete_tag(self, name: str) -> None:
        """Delete a tag; absent is success."""
        ref = f"refs/tags/{tag_name(name)}"
        if self._refs(ref):
            self._unlocked("update-ref", "--stdin", "-z", typed=f"delete {ref}\0\0")

    def _refs(self, *names: str) -> dict[str, str]:
        """Return the commits of those refs that exist, in the order asked for."""
        lines = self.git.run("for-each-ref", REF_FORMAT, values=[readable_ref(name) for name in names]).out.splitlines()
        found: dict[str, str] = {}
        for line in lines:
            ref, kind, own, *peeled = line.split(" ")
            found[ref] = own if kind == "commit" else (peeled[0] if peeled else "")
        return {name: found[name] for name in names if found.get(name)}

    def _unlocked(
        self,
        command: str,
        *options: str,
        values: Sequence[str] = (),
        typed: str | None = None,
        folder: Path | None = None,
        environment: Mapping[str, str] | None = None,
        timeout: float = SLOW,
    ) -> Answer:
        """Run a command that takes a lock, once more where a killed git left its own behind."""

        def attempt() -> Answer:
            return self.git.run(
                command, *options, values=values, typed=typed, folder=folder, environment=environment, timeout=timeout
            )

        try:
            return attempt()
        except Locked as locked:
            if not remove_stale(locked.path, self._common_dir):
                raise
            return attempt()

    # --- commits

    def merge_base(self, one: str, other: str) -> str | None:
        """Return the best common ancestor."""
        answer = self.git.run("merge-base", values=[commit_id(one), commit_id(other)], expect=(0, 1))
        return answer.out.strip() if answer.status == 0 else None

    def is_ancestor(self, ancestor: str, descendant: str) -> bool:
        """Say whether descendant contains ancestor."""
        values = [commit_id(ancestor), commit_id(descendant)]
        return self.git.run("merge-base", "--is-ancestor", values=values, expect=(0, 1)).status == 0

    def ahead_behind(self, one: str, other: str) -> tuple[int, int]:
        """Return how many commits one has that other has not, and the reverse."""
        values = [f"{commit_id(one)}...{commit_id(other)}"]
        ahead, behind = self.git.run("rev-list", "--count", "--left-right", values=values).out.split()
        return int(ahead), int(behind)

    def distances(self, pairs: Sequence[tuple[str, str]]) -> Mapping[tuple[str, str], Distance]:
        """Return how the first commit of each pair stands against the second."""
        return distances(self.git, [(commit_id(one), commit_id(other)) for one, other in pairs])

    def preview_merge(self, target: str, source: str) -> MergePreview:
        """Merge two commits in memory; raises Conflict where they share no history."""
        base = self.merge_base(target, source)
        if base is None and (self._common_dir / "shallow").is_file():
            raise Conflict(
                "this clone is shallow, and where the two branches met is not in it", hint="git fetch --unshallow"
            )
        if base is None:
            raise Conflict("the two branches have no common history")
        if base == source:
            return MergePreview(target, source, base, self.tree_of(target), ())
        answer = self.git.run(
            "merge-tree", "--write-tree", "--name-only", "--no-messages", "-z",
            values=[commit_id(target), commit_id(source)], expect=(0, 1),
        )  # fmt: skip
        tree, *paths = [field for field in answer.out.split("\0") if field]
        if answer.status == 0:
            return MergePreview(target, source, base, tree, ())
        return MergePreview(target, source, base, None, tuple(dict.fromkeys(paths)))

    def commit_tree(self, tree: str, parents: Sequence[str], message: str) -> str:
        """Write a commit object; no ref moves."""
        above = [part for parent in parents for part in ("-p", commit_id(parent))]
        values = [commit_id(tree)]
        answer = self.git.run(
            "commit-tree", *above, "-F-", values=values, typed=message, environment=self.git.identity()
        )
        return answer.out.strip()

    def tree_of(self, commit: str) -> str:
        """Return the tree of a commit."""
        values = [f"{commit_id(commit)}^{{tree}}"]
        return self.git.run("rev-parse", "--verify", "--quiet", values=values).out.split()[-1]

    def tree_keeping(self, commit: str, folder: str, of: str) -> str:
        """Write the tree of a commit with one folder of its root as another commit has it, and return it."""
        name = inner_path(folder)
        kept = {path: entry for path, entry in self._root_of(of).items() if path == name}
        others = {path: entry for path, entry in self._root_of(commit).items() if path != name}
        entries = "".join(f"{entry}\0" for entry in (others | kept).values())
        return self.git.run("mktree", "-z", typed=entries).out.strip()

    def _root_of(self, commit: str) -> dict[str, str]:
        out = self.git.run("ls-tree", "-z", "--full-tree", values=[commit_id(commit)], paths=[]).out
        return {entry.split("\t", 1)[1]: entry for entry in out.split("\0") if entry}

    def brings_nothing(self, target: str, source: str) -> bool:
        """Say whether the target has what source changed under other commits: squashed, rebased or picked."""
        base = self.merge_base(target, source)
        if base is None or self.tree_of(base) == self.tree_of(source):
            return False  # what came and went again within a branch is nowhere else
        if self.preview_merge(target, source).tree == self.tree_of(target):
            return True
        whole = self.commit_tree(self.tree_of(source), [base], "kitchen: as one commit")
        return any(self._only_here(target, one) == 0 for one in (source, whole))

    def _only_here(self, target: str, source: str) -> int:
        """Return how many commits of source have no equal, by what they change, in the target."""
        values = [f"{commit_id(target)}...{commit_id(source)}"]
        return int(self.git.run("rev-list", "--count", "--right-only", "--cherry-pick", values=values).out)

    def changed_paths(self, base: str, commit: str) -> tuple[str, ...]:
        """Return the paths that differ between two commits."""
        return tuple(path for path in self._difference("--name-only", base, commit) if path)

    def log(self, base: str | None, commit: str) -> tuple[Mapping[str, str], ...]:
        """Return commits in base..commit, newest first, each with id, author, email, time (ISO 8601) and subject."""
        span = commit_id(commit) if base is None else f"{commit_id(base)}..{commit_id(commit)}"
        out = self.git.run("log", "-z", "--no-show-signature", "--no-color", _LOG_FORMAT, values=[span], paths=[]).out
        keys = ("id", "author", "email", "time", "subject")
        return tuple(dict(zip(keys, entry.split("\x1f", 4), strict=True)) for entry in out.split("\0") if entry)

    def read(self, commit: str, path: str) -> str | None:
        """Return the text of a file in a commit, or None."""
        values = [f"{commit_id(commit)}:{inner_path(path)}"]
        answer = self.git.run("cat-file", "blob", values=values, expect=(0, 128))
        if answer.status != 0:
            if self.resolve(commit) is None:
                raise NotFound(f"there is no commit {commit[:12]} in this project")
            return None
        if any("\ud800" <= character <= "\udfff" for character in answer.out):
            raise InvalidInput(f"{path} in commit {commit[:12]} is not UTF-8 text")
        return answer.out

    def files(self, commit: str, folder: str) -> tuple[str, ...]:
        """Return the paths below a folder in a commit."""
        inner = inner_path(folder)
        out = self.git.run(
            "ls-tree", "-r", "-z", "--name-only", "--full-tree",
            values=[commit_id(commit)], paths=[f"{inner}/"] if inner else [],
        ).out  # fmt: skip
        return tuple(path for path in out.split("\0") if path)

    def _difference(self, how: str, base: str, commit: str) -> list[str]:
        answer = self.git.run(
            "diff-tree", "-r", "-z", how, "--no-renames", "--no-ext-diff", "--no-textconv",
            values=[commit_id(base), commit_id(commit)], paths=[],
        )  # fmt: skip
        return answer.out.split("\0")

    # --- folders

    def export(self, commit: str, to: Path) -> None:
        """Write the files of a commit below a new folder, without any .git."""
        worktrees.export(self.git, commit_id(commit), to)

    def worktrees(self) -> Mapping[Path, str | None]:
        """Return every worktree with its branch (None: detached)."""
        try:
            found = worktrees.all_of(self.git)
        except KitchenError:  # git stumbles over a worktree that is being made in this moment
            with one_at_a_time(self._common_dir, "worktrees"):
                found = worktrees.all_of(self.git)
        return {each.path: each.branch for each in found}

    def add_worktree(self, path: Path, branch: str) -> None:
        """Check a branch out in a new folder; a worktree of that branch already there is success."""
        worktrees.ignore(self._common_dir)
        with one_at_a_time(self._common_dir, "worktrees"):
            worktrees.add(self.git, self._common_dir, path, branch_name(branch))

    def is_half_made(self, worktree: Path) -> bool:
        """Say whether whoever made a worktree was killed before its files were there."""
        return worktrees.is_half_made(worktree)

    def remove_worktree(self, path: Path) -> None:
        """Remove a worktree and what git knows of it, whatever is in it; absent is success."""
        with one_at_a_time(self._common_dir, "worktrees"):
            worktrees.remove(self.git, self._common_dir, path)

    def bring_along(self, folder: Path) -> tuple[Path, ...]:
        """Make worktrees in a folder known to git again, whose project was moved or copied, and return them."""
        if not brought_along(self._common_dir, folder):
            return ()
        with one_at_a_time(self._common_dir, "worktrees"):
            found = brought_along(self._common_dir, folder)
            for worktree in found:
                make_known(self._common_dir, worktree)
        return found

    def detached(self, worktree: Path) -> str | None:
        """Return the commit that a worktree is on where it is on no branch, else None."""
        if self.worktrees().get(worktree.resolve()) is not None:
            return None
        answer = self.git.run("rev-parse", "--verify", "--quiet", values=["HEAD"], expect=(0, 1), folder=worktree)
        return answer.out.split()[-1] if answer.status == 0 else None

    def changes(self, worktree: Path) -> tuple[str, ...]:
        """Return changed and untracked (not ignored) paths of a worktree."""
        return self.working(worktree).paths

    def ignored(self, worktree: Path) -> tuple[str, ...]:
        """Return what lies in a worktree and git is told not to see; a folder ends with a slash."""
        out = self.git.run(
            "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", "--ignored=matching",
            folder=worktree,
        ).out  # fmt: skip
        return tuple(entry[3:] for entry in out.split("\0") if entry.startswith("!! "))

    def working(self, worktree: Path) -> Changes:
        """Return what is in a worktree and in no commit, and what git is in the middle of there."""
        out = self.git.run(
            "status", "--porcelain=v1", "-z", "--untracked-files=all", "--no-renames", folder=worktree
        ).out  # fmt: skip
        entries = [entry for entry in out.split("\0") if entry]
        unresolved = tuple(entry[3:] for entry in entries if entry[:2] in _UNRESOLVED)
        paths = tuple(entry[3:] for entry in entries)
        halted = worktrees.halted(worktree)
        marked = worktrees.marked(self.git, worktree) if halted is not None else ()
        return Changes(paths, unresolved, halted, worktrees.coming(worktree), marked)

    def start_merge(self, worktree: Path, commit: str) -> None:
        """Merge a commit into a clean worktree's branch, leaving conflicts in the files and the commit to be made."""
        self.git.run(
            "merge", "--no-commit", "--no-ff", "--quiet", values=[commit_id(commit)], expect=(0, 1), folder=worktree,
            environment=self.git.identity(), timeout=SLOW,
        )  # fmt: skip

    def commit_merge(self, worktree: Path, message: str) -> str:
        """Commit a merge whose files are all resolved and return the commit."""
        self._unlocked(
            "commit", "--quiet", "--no-verify", "--no-gpg-sign", "-F-",
            typed=message, folder=worktree, environment=self.git.identity(),
        )  # fmt: skip
        return self.git.run("rev-parse", "--verify", "--quiet", values=["HEAD"], folder=worktree).out.split()[-1]

    def abort_merge(self, worktree: Path) -> None:
        """Put a worktree back to what it was before a merge was begun in it."""
        self._unlocked("merge", "--abort", folder=worktree)

    def follow(self, worktree: Path, old: str, new: str) -> None:
        """Bring a clean worktree's files from commit old to new after its branch moved; done already is success."""
        commit_id(old), commit_id(new)
        raw = self._difference("--raw", old, new)
        self._unlocked("update-index", "-q", "--refresh", folder=worktree)
        worktrees.follow(self.git, self._unlocked, worktree, (old, new), raw)

    def user(self) -> str:
        """Return the name under which people work here: git's user.email, else the login name."""
        return self.git.settings.get("user.email") or login_name()


def _meanings(revision: str) -> list[str]:
    if revision.startswith("refs/"):
        return [readable_ref(revision)]
    return [f"refs/heads/{branch_name(revision)}", f"refs/tags/{revision}"]
