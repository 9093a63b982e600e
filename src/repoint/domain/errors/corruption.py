"""An invariant is broken: stop and call a person."""

from __future__ import annotations

from repoint.domain.errors.families import CorruptionError


class MixedSpacesError(CorruptionError):
    """A vector of one release met the collection of another (INV-1); nothing was compared."""

    code = "mixed-spaces"

    def __init__(self, *, collection: str, expected: str, found: str) -> None:
        self.collection, self.expected, self.found = collection, expected, found
        super().__init__(
            f"a vector of space {found[:12]} was refused by collection {collection!r} "
            f"of space {expected[:12]}"
        )


class DimensionsError(CorruptionError):
    """A vector has another length than its space."""

    code = "dimensions"

    def __init__(self, *, where: str, expected: int, found: int) -> None:
        self.where, self.expected, self.found = where, expected, found
        super().__init__(f"{where}: a vector has {found} dimensions, not {expected}")


class FingerprintMismatchError(CorruptionError):
    """A collection carries another release's fingerprint, or none."""

    code = "fingerprint-mismatch"

    def __init__(self, *, collection: str, expected: str, found: str | None) -> None:
        self.collection, self.expected, self.found = collection, expected, found
        carried = f"fingerprint {found[:12]}" if found else "no fingerprint"
        super().__init__(
            f"collection {collection!r} carries {carried}, not {expected[:12]}; "
            "it is not opened",
            hint="someone replaced it behind repoint's back; bring the right one back",
        )


class CollectionMissingError(CorruptionError):
    """A collection that a release needs is gone."""

    code = "collection-missing"

    def __init__(self, *, collection: str) -> None:
        self.collection = collection
        super().__init__(
            f"collection {collection!r} is gone",
            hint="someone deleted it behind repoint's back; make a new release of its spec",
        )


class ModelChangedError(CorruptionError):
    """A query model gives other vectors than when its release was made, so nobody answers."""

    code = "model-changed"

    def __init__(self, *, index: str, release: str, why: str) -> None:
        self.index, self.release, self.why = index, release, why
        super().__init__(
            f"the query model of {release!r} changed, so index {index!r} does not answer "
            f"here: {why}",
            hint=f"find out what replaced it; or go back: repoint rollback {index} --reason …",
        )


class BrokenAuditError(CorruptionError):
    """The audit chain does not verify (INV-7)."""

    code = "broken-audit"

    def __init__(self, *, sequence: int, why: str) -> None:
        self.sequence, self.why = sequence, why
        super().__init__(f"audit record {sequence}: {why}")


class BrokenEvidenceError(CorruptionError):
    """A bundle of evidence is not what was signed."""

    code = "broken-evidence"

    def __init__(self, *, where: str, why: str) -> None:
        self.where, self.why = where, why
        super().__init__(
            f"{where} is not the evidence that was signed: {why}",
            hint="get it again from where it was made: repoint evidence export INDEX --move N",
        )
