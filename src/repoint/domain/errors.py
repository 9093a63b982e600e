"""Every error repoint raises, grouped by what the caller should do next.

    RepointError
        RefusedError                    a precondition is not met: satisfy it, then ask again
            BadInputError               what was given is malformed: correct it
                InvalidNameError
                BadLineError
                BadSpecError
                BadFilterError
                UnknownFieldError
            NotFoundError               what was named does not exist
            RefusedMoveError
            TransitionRefusedError
            NotReadyError
            FrozenError
            HeldError
            RetiredError
            NotPermittedError
            UnsupportedError
            MissingModelError
            InputRejectedError
        ConflictError                   someone moved first: read again, then decide again
            AlreadyExistsError
            StaleEpochError
            LostLeaseError
            OperationInProgressError
        UnavailableError                a dependency is down: retry with backoff
            RateLimitedError
            ProviderAnswerError
            UnconfirmedRouteError
            StoreUnavailableError
            BackendUnavailableError
        CorruptionError                 an invariant is broken: stop and call a person
            MixedSpacesError
            DimensionsError
            FingerprintMismatchError
            CollectionMissingError
            BrokenAuditError

``tests/unit/domain/test_errors.py`` fails when this picture and the classes disagree.
Exit status and HTTP status come from the family; ``code`` is stable.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from datetime import timedelta
from typing import ClassVar


class RepointError(Exception):
    """The root: catch it to catch all that repoint raises on purpose."""

    #: Stable name for machines; documented in ``docs/reference/errors.md``.
    code: ClassVar[str] = "error"
    exit_status: ClassVar[int] = 1
    http_status: ClassVar[int] = 500
    #: The same call may succeed later without anyone changing anything.
    retryable: ClassVar[bool] = False

    def __init__(self, message: str, *, hint: str = "") -> None:
        self.message = message
        #: What to do or type next.
        self.hint = hint
        super().__init__(f"{message}; {hint}" if hint else message)

    def details(self) -> Mapping[str, object]:
        """Return the error's own fields, for JSON."""
        hidden = {"message", "hint"}
        return {name: value for name, value in vars(self).items() if name not in hidden}


class RefusedError(RepointError):
    """A precondition is not met; nothing was changed."""

    code = "refused"
    exit_status = 3
    http_status = 422


class ConflictError(RepointError):
    """Someone else moved first; nothing was changed."""

    code = "conflict"
    exit_status = 4
    http_status = 409


class UnavailableError(RepointError):
    """A dependency did not answer; what it did is unknown, and asking again is safe."""

    code = "unavailable"
    exit_status = 5
    http_status = 503
    retryable = True

    def __init__(
        self, message: str, *, hint: str = "", retry_after: timedelta | None = None
    ) -> None:
        super().__init__(message, hint=hint)
        #: How long the dependency asked to be left alone.
        self.retry_after = retry_after


class CorruptionError(RepointError):
    """An invariant is broken: stop, and call a person."""

    code = "corruption"
    exit_status = 6
    http_status = 500


class BadInputError(RefusedError):
    """What was given is malformed."""

    code = "bad-input"


class InvalidNameError(BadInputError):
    """A name has characters or a length that not every backend takes."""

    code = "invalid-name"

    def __init__(self, *, what: str, name: str) -> None:
        self.what, self.name = what, name
        super().__init__(
            f"{name!r} cannot name an {what}"
            if what[0] in "aeiou"
            else f"{name!r} cannot name a {what}",
            hint="use a letter, then at most 62 letters, digits, '_', '-' or '.'",
        )


class BadLineError(BadInputError):
    """One record of a file or a call is no document."""

    code = "bad-line"

    def __init__(self, *, source: str, line: int, why: str, hint: str = "") -> None:
        self.source, self.line, self.why = source, line, why
        super().__init__(f"{source}, line {line}: {why}", hint=hint)


class BadSpecError(BadInputError):
    """A release spec is malformed."""

    code = "bad-spec"

    def __init__(
        self, *, source: str, field: str, why: str, line: int | None = None, hint: str = ""
    ) -> None:
        self.source, self.line, self.field, self.why = source, line, field, why
        place = f"{source}, line {line}" if line is not None else source
        super().__init__(f"{place}: {field}: {why}" if field else f"{place}: {why}", hint=hint)


class BadFilterError(BadInputError):
    """A filter cannot be read, or compares a field with a value of another type."""

    code = "bad-filter"

    def __init__(self, *, text: str, position: int, why: str) -> None:
        self.text, self.position, self.why = text, position, why
        super().__init__(
            f"filter {text!r}, character {position + 1}: {why}",
            hint="""write for instance: group = "treatment" and year >= 2020""",
        )


class UnknownFieldError(BadInputError):
    """A filter names a field that no document of the index has."""

    code = "unknown-field"

    def __init__(self, *, index: str, field: str, known: Sequence[str]) -> None:
        self.index, self.field, self.known = index, field, list(known)
        fields = ", ".join(known) or "none"
        super().__init__(
            f"no document of index {index!r} has a field {field!r}", hint=f"fields: {fields}"
        )


class NotFoundError(RefusedError):
    """What was named does not exist."""

    code = "not-found"

    def __init__(
        self, *, what: str, name: str, known: Sequence[str] = (), hint: str = ""
    ) -> None:
        self.what, self.name, self.known = what, name, list(known)
        listed = f"known: {', '.join(known)}" if known else ""
        super().__init__(f"there is no {what} {name!r}", hint=hint or listed)


class RefusedMoveError(RefusedError):
    """The pointer cannot move that way from where it stands."""

    code = "refused-move"

    def __init__(self, *, index: str, why: str, hint: str = "") -> None:
        self.index, self.why = index, why
        super().__init__(f"the pointer of index {index!r} stays: {why}", hint=hint)


class TransitionRefusedError(RefusedError):
    """A rollout in this phase knows no such event."""

    code = "transition-refused"

    def __init__(self, *, phase: str, event: str) -> None:
        self.phase, self.event = str(phase), str(event)
        super().__init__(f"a rollout that is {phase} cannot {event}")


class NotReadyError(RefusedError):
    """Findings stand in the way; each says its figure and what to do."""

    code = "not-ready"

    def __init__(self, *, index: str, release: str, findings: Sequence[str]) -> None:
        self.index, self.release, self.findings = index, release, list(findings)
        super().__init__(
            f"release {release!r} of index {index!r} is not ready: " + "; ".join(findings),
            hint=f"see: repoint check {index}",
        )


class FrozenError(RefusedError):
    """The index is frozen: nothing moves forward."""

    code = "frozen"

    def __init__(
        self, *, index: str, action: str, since: str = "", by: str = "", reason: str = ""
    ) -> None:
        self.index, self.action, self.since, self.by, self.reason = (
            index,
            action,
            since,
            by,
            reason,
        )
        who = f" by {by}" if by else ""
        why = f": {reason}" if reason else ""
        super().__init__(
            f"index {index!r} is frozen{who}{why}, so it cannot {action}",
            hint=f"when it is safe: repoint unfreeze {index}",
        )


class HeldError(RefusedError):
    """Something still needs what should be deleted (INV-8)."""

    code = "held"

    def __init__(self, *, index: str, release: str, holders: Sequence[str]) -> None:
        self.index, self.release, self.holders = index, release, list(holders)
        super().__init__(
            f"release {release!r} of index {index!r} is still needed: " + "; ".join(holders)
        )


class RetiredError(RefusedError):
    """A release was retired or dropped, so nothing more is written into it."""

    code = "retired"

    def __init__(self, *, index: str, release: str, state: str) -> None:
        self.index, self.release, self.state = index, release, str(state)
        super().__init__(
            f"release {release!r} of index {index!r} is {state}",
            hint=f"create a new one of the same spec: repoint release create {index} NAME",
        )


class NotPermittedError(RefusedError):
    """The actor lacks the role for this action; the attempt was recorded (INV-10)."""

    code = "not-permitted"

    def __init__(self, *, actor: str, action: str, index: str, needs: str) -> None:
        self.actor, self.action, self.index, self.needs = actor, action, index, needs
        super().__init__(
            f"{actor} may not {action} on {index!r}",
            hint=f"an admin can: repoint roles grant {actor} {needs} {index}",
        )


class UnsupportedError(RefusedError):
    """A driver declares that it does not do this."""

    code = "unsupported"

    def __init__(self, *, driver: str, what: str, hint: str = "") -> None:
        self.driver, self.what = driver, what
        super().__init__(f"{driver} does not support {what}", hint=hint)


class MissingModelError(RefusedError):
    """A model's files or its key are not here, or are not the ones the release names."""

    code = "missing-model"

    def __init__(self, *, model: str, why: str, hint: str = "") -> None:
        self.model, self.why = model, why
        super().__init__(f"model {model!r}: {why}", hint=hint)


class InputRejectedError(RefusedError):
    """A model will never accept one of these texts."""

    code = "input-rejected"

    def __init__(self, *, model: str, why: str, texts: int = 1) -> None:
        self.model, self.why, self.texts = model, why, texts
        super().__init__(f"model {model!r} rejects the input: {why}")


class AlreadyExistsError(ConflictError):
    """The name is taken."""

    code = "already-exists"

    def __init__(self, *, what: str, name: str, hint: str = "") -> None:
        self.what, self.name = what, name
        super().__init__(f"there is already a {what} {name!r}", hint=hint)


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


class RateLimitedError(UnavailableError):
    """A provider asks to slow down."""

    code = "rate-limited"


class ProviderAnswerError(UnavailableError):
    """A provider's answer is not one vector of the right length a text."""

    code = "provider-answer"


class UnconfirmedRouteError(UnavailableError):
    """This process could not confirm within its lease which release answers."""

    code = "unconfirmed-route"

    def __init__(self, *, index: str, seconds: float) -> None:
        self.index, self.seconds = index, seconds
        super().__init__(
            f"the route of index {index!r} was last confirmed {seconds:.1f} s ago, "
            "longer than the lease",
            hint="check that the control store is reachable",
        )


class StoreUnavailableError(UnavailableError):
    """The control store did not take or give what was asked."""

    code = "store-unavailable"


class BackendUnavailableError(UnavailableError):
    """The database that holds the vectors did not take or give what was asked."""

    code = "backend-unavailable"


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


class BrokenAuditError(CorruptionError):
    """The audit chain does not verify (INV-7)."""

    code = "broken-audit"

    def __init__(self, *, sequence: int, why: str) -> None:
        self.sequence, self.why = sequence, why
        super().__init__(f"audit record {sequence}: {why}")
