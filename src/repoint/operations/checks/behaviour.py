"""Checks that ask a release: does it answer as it did when it was known to be good?"""

from __future__ import annotations

from typing import Final

from repoint.domain.bridge import BridgeMap
from repoint.domain.document import FieldType, Json, LogRow
from repoint.domain.filters import EXACT, Compare, Comparison, Filter, matches
from repoint.domain.ids import IndexName, Lsn
from repoint.domain.operation import Baseline
from repoint.domain.readiness import Finding, Status
from repoint.operations import golden, probing
from repoint.operations.session import Session
from repoint.operations.spaces import Space
from repoint.ports.backend import SpaceVector

#: Mean share of the baseline's answers that must be found again.
GOLDEN_TOLERANCE: Final = 0.9
#: Latency may rise to this multiple of the baseline, and by this much in any case.
LATENCY_FACTOR: Final = 3.0
LATENCY_SLACK_MS: Final = 100.0

_RECENT: Final = 200
_SAME: Final = 0.9999


def query_model(session: Session, space: Space) -> Finding:
    """Check that the release's model still gives the vectors that it gave when it was made."""
    release = space.release
    if release.bridge is not None:
        return _over_a_bridge(session, release.bridge)
    with session.store.read() as view:
        probes = view.releases.probes(release.index, release.name)
    if probes is None:
        return Finding(
            check="query-model",
            status=Status.FAILED,
            summary=f"no probes were measured for {release.name}",
            remedy=f"repoint sync {release.index} {release.name}",
        )
    return probing.probe(space.embedding, probes)


def _over_a_bridge(session: Session, bridge: BridgeMap) -> Finding:
    """Check the living model that queries go over; what the bridge loses is a warning."""
    with session.store.read() as view:
        source = view.releases.get(bridge.index, bridge.source)
        probes = view.releases.probes(bridge.index, bridge.source)
        kept = view.bridges.get(bridge.index, bridge.id).retention
    living = session.spaces.embedding(source.spec, source.fingerprint)
    found = None if probes is None else probing.probe(living, probes)
    if found is not None and found.status is not Status.OK:
        return found
    return Finding(
        check=probing.CHECK,
        status=Status.WARNING,
        summary=f"queries of {bridge.release} go over bridge {bridge.id} from the model of "
        f"{bridge.source}, which keeps {kept.share:.1%} of {kept.measure}",
        figures={
            "bridge": bridge.id,
            "retention": round(kept.share, 4),
            "measure": kept.measure,
        },
        remedy=f"when its own model is back: repoint bridge disable {bridge.index} "
        f"{bridge.release}",
    )


def answers(
    then: Baseline | None, now: Baseline, *, changed: frozenset[str], bridged: bool
) -> tuple[Finding, Finding]:
    """Compare answers and latency with the stored baseline: findings golden and latency.

    A bridge loses answers, and how many was accepted when it was enabled: no failure.
    """
    if then is None:
        why = f"no baseline of {now.release} is stored: it never was another's fallback"
        return (
            Finding(check="golden", status=Status.SKIPPED, summary=why),
            Finding(check="latency", status=Status.SKIPPED, summary=why),
        )
    share = golden.overlap(then, now, changed=changed)
    below = Status.WARNING if bridged else Status.FAILED
    found = Finding(
        check="golden",
        status=Status.OK if share >= GOLDEN_TOLERANCE else below,
        summary=f"{share:.1%} of the baseline's answers to {len(then.answers)} golden queries "
        f"are found again (at least {GOLDEN_TOLERANCE:.0%})",
        figures={"overlap": round(share, 4), "queries": len(then.answers)},
        remedy="" if share >= GOLDEN_TOLERANCE else f"repoint diff {now.index} {now.release}",
    )
    bound = max(then.latency_p50_ms * LATENCY_FACTOR, then.latency_p50_ms + LATENCY_SLACK_MS)
    quick = now.latency_p50_ms <= bound
    speed = Finding(
        check="latency",
        # A warning: an incident loads the machine, and a slow answer is not a wrong one.
        status=Status.OK if quick else Status.WARNING,
        summary=f"median answer in {now.latency_p50_ms:.1f} ms, baseline "
        f"{then.latency_p50_ms:.1f} ms, bound {bound:.1f} ms",
        figures={
            "p50_ms": round(now.latency_p50_ms, 2),
            "baseline_p50_ms": round(then.latency_p50_ms, 2),
            "bound_ms": round(bound, 2),
        },
        remedy="" if quick else "look at the load of the database and of the model's provider",
    )
    return found, speed


def filtering(session: Session, space: Space, rows: list[LogRow]) -> Finding:
    """Check that a filter query gives only documents that match, and gives some."""
    with session.store.read() as view:
        fields = view.log.fields(space.release.index)
    chosen = _filter_from(space, rows, fields)
    if chosen is None:
        return Finding(
            check="filter",
            status=Status.SKIPPED,
            summary="no recent document has text and a field that can be filtered on",
        )
    where, row = chosen
    text = golden.first_sentence(row.document.text if row.document else "")
    question = space.preparer.prepare_query(text).strip() or row.id
    # Past the release's cut-off: it may rightly leave out every document.
    vector = space.embedding.query(question)
    hits = space.collection.search(vector, limit=golden.DEPTH, where=where)
    wrong = [hit.document for hit in hits if not matches(where, hit.metadata)]
    good = bool(hits) and not wrong
    return Finding(
        check="filter",
        status=Status.OK if good else Status.FAILED,
        summary=f"a filter query gave {len(hits)} documents, {len(wrong)} of them wrongly",
        figures={"hits": len(hits), "wrong": len(wrong)},
        remedy="" if good else f"repoint diff {space.release.index} {space.release.name}",
    )


def hybrid(space: Space, rows: list[LogRow]) -> Finding:
    """Check that lexical search still works where the release uses it."""
    if space.release.spec.hybrid is None:
        return Finding(
            check="hybrid",
            status=Status.SKIPPED,
            summary="the release searches by vectors alone",
        )
    for row in rows:
        text = golden.first_sentence(row.document.text) if row.document else ""
        if text:
            hits = space.collection.search_text(text, limit=golden.DEPTH)
            return Finding(
                check="hybrid",
                status=Status.OK if hits else Status.FAILED,
                summary=f"a text query gave {len(hits)} documents",
                figures={"hits": len(hits)},
            )
    return Finding(check="hybrid", status=Status.SKIPPED, summary="no document has any text")


def fresh(space: Space, rows: list[LogRow]) -> Finding:
    """Check that the newest document within the watermark is found by its own vector."""
    for row in rows:
        if row.document is None:
            continue
        stored = space.collection.stored([row.id], with_vectors=True)
        if not stored.documents and not space.preparer.prepare(row.document):
            continue  # nothing is left of its text, so nothing can find it
        found = False
        if stored.documents and stored.vectors is not None:
            vector = SpaceVector(space.release.fingerprint, stored.vectors[0])
            hits = space.collection.search(vector, limit=golden.DEPTH)
            same = hits and hits[-1].score >= hits[0].score * _SAME  # more twins than places
            found = any(hit.document == row.id for hit in hits) or bool(same)
        return Finding(
            check="fresh-document",
            status=Status.OK if found else Status.FAILED,
            # Without its id: what a move rested on is recorded for good, and ids can be names.
            summary=f"the newest document in step (LSN {row.lsn}) is "
            + ("found" if found else "not found"),
            figures={"document": row.id, "lsn": row.lsn},
            remedy=""
            if found
            else f"repoint diff {space.release.index} {space.release.name} --repair",
        )
    return Finding(
        check="fresh-document", status=Status.SKIPPED, summary="no recent document to look for"
    )


def deleted(space: Space, rows: list[LogRow]) -> Finding:
    """Check that none of the newest deletes within the watermark is still there (INV-6)."""
    gone = [row.id for row in rows if row.document is None]
    if not gone:
        return Finding(
            check="deleted-document",
            status=Status.SKIPPED,
            summary="nothing was deleted lately",
        )
    back = sorted(set(space.collection.stored(gone).documents))
    figures: dict[str, Json] = {"deleted": len(gone), "still_there": len(back)}
    if back:
        figures["first"] = back[0]
    return Finding(
        check="deleted-document",
        status=Status.FAILED if back else Status.OK,
        summary=f"{len(back)} of the {len(gone)} newest deletes are still there",
        figures=figures,
        remedy=f"repoint diff {space.release.index} {space.release.name} --repair"
        if back
        else "",
    )


def recent_rows(session: Session, index: IndexName, *, upto: Lsn) -> list[LogRow]:
    """Return the newest log rows at or below the LSN, newest first.

    Takes time with their number, not with the size of the corpus.
    """
    with session.store.read() as view:
        reach = _RECENT
        while True:
            above = Lsn(max(0, upto - reach))
            rows = view.log.rows(index, above=above, upto=upto)
            if len(rows) >= _RECENT or above == 0 or reach > _RECENT * 64:
                return rows[::-1][:_RECENT]
            reach *= 4


def _filter_from(
    space: Space, rows: list[LogRow], fields: dict[str, FieldType]
) -> tuple[Filter, LogRow] | None:
    for row in rows:
        if row.document is None or not space.preparer.prepare(row.document):
            continue  # nothing is left of its text, so nothing can find it
        for name, value in row.document.metadata.items():
            if fields.get(name) is FieldType.OPAQUE or not isinstance(value, str | int | float):
                continue
            if isinstance(value, int | float) and abs(value) > EXACT:
                continue
            return Compare(name, Comparison.EQUAL, value), row
    return None
