"""Someone moved first: read again, then decide again."""

from __future__ import annotations

from repoint.domain.errors.families import ConflictError


class AlreadyExistsError(ConflictError):
    """The name is taken."""

    code = "already-exists"

    def __init__(self, *, what: str, name: str, hint: str = "") -> None:
        self.what, self.name = what, name
        super().__init__(
            f"there is already {'an' if what[0] in 'aeiou' else 'a'} {what} {name!r}", hint=hint
        )


class StaleEpochError(ConflictError):
    """The pointer moved after the caller last read it."""

    code = "stale-epoch"

    def __init__(self, *, index: str, expected: int, found: int) -> None:
        self.index, self.expected, self.found = index, expected, found
        super().__init__(
            f"index {index!r} is at epoch {found}, not {expected}",
            hint=f"someone moved it first; see: repoint history {index}",
        )


class LostLeaseError(ConflictError):
    """A lease ran out and someone else may have taken the work."""

    code = "lost-lease"

    def __init__(self, *, what: str) -> None:
        self.what = what
        super().__init__(f"the lease on {what} is lost", hint="another worker goes on with it")


class OperationInProgressError(ConflictError):
    """Another live process is in the middle of a move of this index."""

    code = "operation-in-progress"

    def __init__(self, *, index: str, kind: str, actor: str, since: str) -> None:
        self.index, self.kind, self.actor, self.since = index, kind, actor, since
        super().__init__(
            f"{kind} of index {index!r} by {actor} is under way since {since}",
            hint=f"wait for it; see: repoint status {index}",
        )
