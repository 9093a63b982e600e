"""What the demo claims, each checked against what was written down while it ran.

Nothing here asks repoint anything: these are comparisons of records, so each of them can
come out wrong, and a test makes each of them do so.
"""

from __future__ import annotations

from bisect import bisect_left
from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field

from repoint.demo.records import Applied, Asked, Turn, Written
from repoint.domain.ids import DocumentId

#: How far a score may be from the one computed by hand: single precision, two code paths.
SCORE_TOLERANCE = 0.002


@dataclass(frozen=True, slots=True, kw_only=True)
class Version:
    """One version of a document, as a key."""

    document: str
    lsn: int


@dataclass(frozen=True, slots=True, kw_only=True)
class Standing:
    """What is really there for the documents of the ledger, read after the last write."""

    #: LSN and content hash in the log; None for a tombstone; absent when the log lost it.
    log: Mapping[DocumentId, tuple[int, str] | None]
    #: By release: the LSN that its collection holds of each document that it holds at all.
    collections: Mapping[str, Mapping[DocumentId, int]]
    #: Documents that a search with their own words found in the release that answers.
    found: Mapping[DocumentId, bool]


@dataclass(frozen=True, slots=True, kw_only=True)
class Claims:
    """What did not hold, one sentence each. All empty is what the demo is about."""

    mixed_space: Sequence[str] = ()
    failed: Sequence[str] = ()
    lost: Sequence[str] = ()
    resurrected: Sequence[str] = ()
    stale: Sequence[str] = ()
    #: Anything else that was to hold, for instance that the rollback verified itself.
    other: Sequence[str] = field(default=())

    @property
    def hold(self) -> bool:
        """Whether every claim holds."""
        groups = (self.mixed_space, self.failed, self.lost, self.resurrected, self.stale)
        return not any((*groups, self.other))


def failed(asked: Iterable[Asked]) -> list[str]:
    """Return the questions that got no answer."""
    return [
        f"question {one.question} of {one.reader}: {one.error}" for one in asked if one.error
    ]


def mixed_space(
    asked: Iterable[Asked],
    *,
    releases: Mapping[int, str],
    expected: Mapping[tuple[str, int, Version], float],
) -> list[str]:
    """Return the answers whose model and collection were not one release's (INV-1).

    Two things are looked at: whether the release on the stamp is the one that the pointer
    named at the stamp's epoch; and whether the best hit's score is the one that this
    release's own model gives to this question and that very text, computed apart.
    """
    wrong: list[str] = []
    for one in asked:
        if one.error:
            continue
        if releases.get(one.epoch) != one.release:
            wrong.append(
                f"{one.release} answered at epoch {one.epoch}, which was "
                f"{releases.get(one.epoch)}'s"
            )
            continue
        if not one.hits:
            continue
        best = one.hits[0]
        key = one.release, one.question, Version(document=best.document, lsn=best.lsn)
        score = expected.get(key)
        if score is None or abs(score - best.score) > SCORE_TOLERANCE:
            wrong.append(
                f"{one.release} scored {best.document} {best.score:.4f} for question "
                f"{one.question}, its own model says {score}"
            )
    return wrong


def lost(newest: Mapping[DocumentId, Written], standing: Standing) -> list[str]:
    """Return the acknowledged writes that the log, a collection or search does not have."""
    wrong: list[str] = []
    for name, write in newest.items():
        row = standing.log.get(name, (0, ""))
        if write.content is None:
            if row is not None:
                wrong.append(f"the log lost the delete of {name}")
            continue
        if row is None or row != (write.lsn, write.content.content_hash()):
            wrong.append(f"the log lost {name} at {write.lsn}: it has {row}")
        for release, documents in standing.collections.items():
            if documents.get(name) != write.lsn:
                wrong.append(f"{release} has {name} at {documents.get(name)}, not {write.lsn}")
        if standing.found.get(name) is False:
            wrong.append(f"{name} is not found by its own words")
    return wrong


def resurrected(
    writes: Iterable[Written],
    asked: Iterable[Asked],
    *,
    applied: Sequence[Applied],
    standing: Standing,
) -> list[str]:
    """Return deleted documents that an answer showed, or a collection still holds (INV-6).

    An answer is held to the deletes that the release which gave it had applied before the
    question was asked.
    """
    deleted = {one.document: one.lsn for one in writes if one.content is None}
    wrong = [
        f"{release} still holds {name}"
        for release, documents in standing.collections.items()
        for name in deleted
        if name in documents
    ]
    for one, watermark in _with_watermarks(asked, applied):
        wrong += [
            f"{one.release} showed {hit.document}, deleted at {deleted[hit.document]} and "
            f"applied up to {watermark}"
            for hit in one.hits
            if deleted.get(hit.document, watermark + 1) <= watermark
        ]
    return wrong


def stale(
    writes: Sequence[Written],
    asked: Sequence[Asked],
    *,
    applied: Sequence[Applied],
    turns: Iterable[Turn],
) -> list[str]:
    """Return answers that were out of date when their question was asked.

    Either an edit was applied and the answer shows an older version of the document, or a
    move was complete and the release before it answered all the same.
    """
    edits: dict[str, list[int]] = {}
    for write in writes:
        edits.setdefault(write.document, []).append(write.lsn)
    wrong: list[str] = []
    for one, watermark in _with_watermarks(asked, applied):
        for hit in one.hits:
            versions = edits.get(hit.document, [])
            position = bisect_left(versions, watermark + 1) - 1
            if position >= 0 and hit.lsn < versions[position]:
                wrong.append(
                    f"{one.release} showed {hit.document} at {hit.lsn}, its edit at "
                    f"{versions[position]} was applied"
                )
    for turn in turns:
        wrong += [
            f"epoch {one.epoch} answered after the move to {turn.epoch} was complete"
            for one in asked
            if not one.error and one.began > turn.done and one.epoch < turn.epoch
        ]
    return wrong


def _with_watermarks(
    asked: Iterable[Asked], applied: Sequence[Applied]
) -> Iterator[tuple[Asked, int]]:
    """Pair each answer with its release's watermark as last seen before it was asked."""
    times = [one.at for one in applied]
    for one in asked:
        position = bisect_left(times, one.began) - 1
        if not one.error and position >= 0:
            yield one, applied[position].watermarks.get(one.release, 0)
