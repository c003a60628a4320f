"""Branches of a project whose clones share a remote: the remote's branch is the truth, asked for before it is built on.

Where a project has no remote, the branches here are the truth and nothing here does anything.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable

from kitchen.domain.words import counted
from kitchen.errors import Conflict, KitchenError, NotFound, NotPermitted, Unavailable
from kitchen.ports import RefUpdate, Repository

Say = Callable[[str], None]


def fetch(repository: Repository, branches: Iterable[str | None]) -> None:
    """Bring what others did to branches; raises Unavailable or NotPermitted where the remote cannot be asked."""
    remote = repository.remote
    if remote is not None and (named := sorted({branch for branch in branches if branch})):
        remote.fetch(named)


def fetch_if_there(repository: Repository, branches: Iterable[str | None], say: Say) -> bool:
    """Bring what others did to branches where the remote answers; say so where it does not. False: it was not asked."""
    try:
        fetch(repository, branches)
    except (Unavailable, NotPermitted) as away:
        say(f"{away.message}; going on with what was last fetched")
        return False
    return repository.remote is not None


def truth(repository: Repository, branch: str | None) -> str | None:
    """Return where a branch that people share stands: as last fetched from the remote, else here."""
    if branch is None:
        return None
    seen = repository.remote.seen(branch) if repository.remote is not None else None
    return seen or repository.head(branch)


def here(repository: Repository, branch: str | None) -> str | None:
    """Return where a kitchen's branch stands: here, else as last fetched from the remote."""
    if branch is None:
        return None
    return repository.head(branch) or (repository.remote.seen(branch) if repository.remote is not None else None)


def base_of(repository: Repository, branch: str) -> str | None:
    """Return what a change of a shared branch starts from; raises Conflict where commits here would be left behind."""
    there, local = truth(repository, branch), repository.head(branch)
    remote = repository.remote
    if remote is None or there is None or local is None or repository.is_ancestor(local, there):
        return there
    ahead, behind = repository.ahead_behind(local, there)
    mend = f"git push {remote.name} {branch}"
    if behind:
        mend = f"git rebase {remote.name}/{branch} {branch}, then {mend}"
    raise Conflict(f"branch {branch} here has {counted(ahead, 'commit')} that {remote.name} has not", hint=mend)


def refuse_behind(repository: Repository, branch: str, kitchen: str) -> None:
    """Raise Conflict where somebody else pushed to a kitchen's branch what is not here."""
    remote, local = repository.remote, repository.head(branch)
    there = remote.seen(branch) if remote is not None else None
    if remote is None or local is None or there is None or repository.is_ancestor(there, local):
        return
    missing = repository.ahead_behind(there, local)[0]
    raise Conflict(
        f"branch {branch} of {remote.name} has {counted(missing, 'commit')} not here", hint=f"kitchen update {kitchen}"
    )


def bring_branch(repository: Repository, branch: str, *, owner: str) -> None:
    """Have a branch here that somebody else made; raises NotFound where nobody pushed it."""
    if repository.head(branch) is not None:
        return
    fetch(repository, [branch])
    there = truth(repository, branch)
    if there is None:
        where = f"here, nor in {repository.remote.name}" if repository.remote is not None else "here"
        raise NotFound(
            f"the branch {branch!r} is not {where}: {owner} made it on another machine",
            hint=f"{owner} types: git push origin {branch}",
        )
    repository.update_refs([RefUpdate(f"refs/heads/{branch}", there, None)], reason="kitchen: from the remote")
    if repository.remote is not None:
        repository.remote.track(branch)


def push_moved(repository: Repository, branch: str, new: str, old: str | None) -> None:
    """Move a branch of the remote from old to new; done already is success. Raises what ``Remote.push`` raises."""
    remote = repository.remote
    if remote is None:
        raise Unavailable(
            f"this clone has no git remote any more to push {branch} to", hint="git remote add origin URL"
        )
    if not has_moved(repository, branch, new):
        remote.push(RefUpdate(f"refs/heads/{branch}", new, old))


def has_moved(repository: Repository, branch: str, new: str) -> bool:
    """Say whether the remote's branch has a commit, by asking the remote."""
    remote = repository.remote
    there = remote.fetch([branch]).get(branch) if remote is not None else None
    return there is not None and (there == new or (_known(repository, new) and repository.is_ancestor(new, there)))


def bring_along(repository: Repository, branch: str, new: str, say: Say) -> None:
    """Move a branch here, with the files of its worktree, to where the remote's went; what would be lost stays.

    The files go first: killed in between, the next one brings them again and finds them there.
    """
    old = repository.head(branch)
    if old is None or old == new or repository.is_ancestor(new, old):
        return
    if not repository.is_ancestor(old, new):
        say(f"  branch {branch} here has commits of its own and stays where it is")
        return
    try:
        for path, checked_out in repository.worktrees().items():
            if checked_out == branch and path.is_dir():
                repository.follow(path, old, new)
        repository.update_refs([RefUpdate(f"refs/heads/{branch}", new, old)], reason="kitchen: as in the remote")
    except Conflict as changed:  # somebody began to edit in this minute: their files are theirs
        say(f"  branch {branch} here was left as it is: {changed.message}")


def push_if_there(work: Callable[[], None], say: Say) -> None:
    """Push what others may have later, too: a remote that is away or says no is said, and stops nothing."""
    try:
        work()
    except KitchenError as error:
        say(f"  not pushed: {error.message}")


def _known(repository: Repository, commit: str) -> bool:
    return repository.resolve(commit) is not None
