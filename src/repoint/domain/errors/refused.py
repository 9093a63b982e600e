"""A precondition is not met: satisfy it, then ask again."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from repoint.domain.errors.families import RefusedError


class NotFoundError(RefusedError):
    """What was named does not exist."""

    code = "not-found"
    http_status = 404

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
    http_status = 403

    def __init__(self, *, actor: str, action: str, index: str, needs: str) -> None:
        self.actor, self.action, self.index, self.needs = actor, action, index, needs
        super().__init__(
            f"{actor} may not {action} on {repr(index) if index else 'this workspace'}",
            hint=f"an admin can: repoint roles grant {actor} {needs} {index}".rstrip(),
        )


class UnsupportedError(RefusedError):
    """A driver declares that it does not do this."""

    code = "unsupported"

    def __init__(self, *, driver: str, what: str, hint: str = "") -> None:
        self.driver, self.what = driver, what
        super().__init__(f"{driver} does not support {what}", hint=hint)


class RowsRefusedError(UnsupportedError):
    """A database will never take some rows of a write as they are: the fault is theirs.

    ``reasons`` names the documents, as far as the database tells them apart; it is empty
    where all that is known is that something of what was given is at fault.
    """

    code = "rows-refused"

    def __init__(
        self, *, driver: str, why: str, reasons: Mapping[str, str] | None = None
    ) -> None:
        self.why, self.reasons = why, dict(reasons or {})
        super().__init__(
            driver=driver,
            what=why,
            hint="correct the document, or let the database take it; then "
            "repoint dead-letters INDEX RELEASE --retry",
        )
        named = next((f"document {one!r}" for one in self.reasons), "a row")
        self.message = f"{driver} refuses {named}: {why}"
        self.args = (f"{self.message}; {self.hint}",)

    @staticmethod
    def of(reasons: Mapping[str, str], *, driver: str) -> RowsRefusedError:
        """Return the error that names these documents, of which there is at least one."""
        why = next(iter(reasons.values()))
        return RowsRefusedError(driver=driver, why=why, reasons=reasons)

    def about(self, document: str) -> RowsRefusedError:
        """Return what it says of one document."""
        why = self.reasons.get(document, self.why)
        return RowsRefusedError.of({document: why}, driver=self.driver)


class MissingExtraError(RefusedError):
    """A driver's client library is not installed."""

    code = "missing-extra"

    def __init__(self, *, driver: str, extra: str) -> None:
        self.driver, self.extra = driver, extra
        super().__init__(
            f"{driver} needs a library that is not installed",
            hint=f'install it: pip install "repoint[{extra}]"',
        )


class MissingSettingError(RefusedError):
    """A backend was not told what it needs to know."""

    code = "missing-setting"

    def __init__(self, *, backend: str, setting: str, why: str) -> None:
        self.backend, self.setting, self.why = backend, setting, why
        super().__init__(
            f"backend {backend!r}: {setting}: {why}",
            hint=f"say it in repoint.toml, table [backends.{backend}]",
        )


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


class NoContentError(InputRejectedError):
    """A source does not give the content of a document that the log keeps by reference."""

    code = "no-content"

    def __init__(self, *, source: str, document: str, why: str) -> None:
        self.source, self.document = source, document
        super().__init__(model="", why=why)
        self.message = f"source {source!r}: {why}"
        self.args = (self.message,)


class ContentElsewhereError(RefusedError):
    """What was asked for needs text that only a source keeps, and would write it down."""

    code = "content-elsewhere"

    def __init__(self, *, index: str, what: str, hint: str = "") -> None:
        self.index, self.what = index, what
        super().__init__(
            f"the documents of index {index!r} are kept by reference, so {what}", hint=hint
        )


class KeyReusedError(RefusedError):
    """A push came under the key of another push with other changes; nothing was written."""

    code = "key-reused"

    def __init__(self, *, index: str, key: str) -> None:
        self.index, self.key = index, key
        super().__init__(
            f"the key {key!r} was used for another push to index {index!r}",
            hint="a key is for one push and its repetitions: take a new one",
        )


class PushTooLargeError(RefusedError):
    """A push has more bytes or changes than a server takes at once; nothing was written."""

    code = "push-too-large"
    http_status = 413

    def __init__(self, *, what: str, most: int) -> None:
        self.what, self.most = what, most
        super().__init__(
            f"a push takes at most {most:,} {what}", hint="send it in several pushes"
        )


class WrongDeclarationError(RefusedError):
    """A collection's vectors were not made as it was said."""

    code = "wrong-declaration"

    def __init__(
        self, *, collection: str, why: str, differs: Sequence[str] = (), hint: str = ""
    ) -> None:
        self.collection, self.why, self.differs = collection, why, list(differs)
        super().__init__(f"{collection} was not made by this spec: {why}", hint=hint)


class UnauthenticatedError(RefusedError):
    """A request over HTTP does not say, or cannot prove, who asks."""

    code = "unauthenticated"
    http_status = 401

    def __init__(self, *, why: str) -> None:
        self.why = why
        super().__init__(
            why, hint="send Authorization: Bearer KEY; make one: repoint serve --new-key NAME"
        )


class SweepRefusedError(RefusedError):
    """A source has lost so much that a mistake is likelier; nothing was deleted."""

    code = "sweep-refused"

    def __init__(self, *, index: str, source: str, missing: int, total: int) -> None:
        self.index, self.source, self.missing, self.total = index, source, missing, total
        super().__init__(
            f"{missing:,} of the {total:,} documents that source {source!r} gave to index "
            f"{index!r} are not there any more",
            hint="look whether it was emptied or hidden; if they are to be deleted: "
            f"repoint source poll {index} {source} --sweep --allow-deletes",
        )
