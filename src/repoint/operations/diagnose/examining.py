"""Gather everything that causes are named from: pool, log, sample, fields, probes."""

from __future__ import annotations

from collections import Counter
from collections.abc import Collection, Mapping
from typing import Final

from repoint.domain.document import LogRow
from repoint.domain.evaluation import Rankings
from repoint.domain.filters import matches
from repoint.domain.ids import DocumentId
from repoint.domain.queries import relevant
from repoint.domain.release import Release
from repoint.domain.spec import ModelSpec
from repoint.operations.diagnose import facts, pool, sampling
from repoint.operations.diagnose.asking import Focus, Panel
from repoint.operations.diagnose.case import Case
from repoint.operations.diagnose.grid import Grid
from repoint.operations.diagnose.pool import Vectors
from repoint.operations.diagnose.sampling import Looked, Sampled
from repoint.operations.diagnose.spending import Purse
from repoint.operations.diagnose.values import Options
from repoint.operations.session import Session
from repoint.operations.spaces import Space

#: Documents whose chunks are counted.
_COUNTED: Final = 100

#: Chunks that a sampled document may have, on average.
_CHUNKS_EACH: Final = 4

Rows = dict[DocumentId, LogRow]


def examine(  # noqa: PLR0913 - all that was found out so far
    session: Session,
    spaces: tuple[Space, Space],
    panel: Panel,
    focus: Focus,
    answers: tuple[Rankings, Rankings],
    *,
    options: Options,
    purse: Purse,
    lost: bool,
) -> Case:
    """Return the case: baseline and release, in this order, on one pool of documents."""
    store, (other, release) = session.store, spaces
    rows = _pool(session, release.release, panel, focus, answers, options)
    held = pool.stored(release, list(rows))
    counted = dict(list(rows.items())[:_COUNTED])
    log = facts.of_the_log(store, release, rows, seed=options.seed)
    asked = [one for query in focus.queries if (one := panel.question(release, query))]
    case = Case(
        spaces=session.spaces,
        baseline=other,
        release=release,
        rows=rows,
        held=held,
        log=log,
        looked=_looked(session, spaces, _sampled(rows, held, options.sample), held, purse),
        distances=facts.distances_in_use(release, asked, purse=purse),
        probes=facts.probed(store, release),
        baseline_probes=facts.probed(store, other),
        fields=facts.coverage(
            store,
            release,
            # A document that is not the log's has not the log's fields either.
            {name: row for name, row in rows.items() if name not in log.pool},
            held,
            purse=purse,
        ),
        chunks=facts.chunked(release, counted),
        baseline_chunks=facts.chunked(other, counted),
        changes=facts.spec_changes(other.release.spec, release.release.spec),
        grid=Grid(panel=panel, focus=focus, baseline=other, release=release) if lost else None,
        purse=purse,
    )
    if case.grid is not None:
        case.grid.begin()
        case.grid.pool(held, pool.stored(other, list(rows)), distance=case.distance)
    return case


def _pool(
    session: Session,
    release: Release,
    panel: Panel,
    focus: Focus,
    answers: tuple[Rankings, Rankings],
    options: Options,
) -> Rows:
    wanted = {query.id for query in focus.queries}
    failing_first = sorted(focus.queries, key=lambda query: query.id not in focus.failing)
    judged = dict.fromkeys(
        document
        for query in failing_first
        for document in sorted(relevant(panel.questions.qrels, query.id))
    )
    rows = pool.choose(
        session.store,
        release.index,
        relevant=list(judged),
        found=[
            {query: found for query, found in side.items() if query in wanted}
            for side in answers
        ],
        size=options.documents,
        seed=options.seed,
    )
    where = options.where
    if where is None:
        return rows
    return {
        name: row
        for name, row in rows.items()
        if row.document is not None and matches(where, row.document.metadata)
    }


def _sampled(rows: Rows, held: Vectors, count: int) -> Rows:
    """Return documents to embed again: half what questions look for, half from the rest.

    The pool begins with what failing questions look for and ends with what was drawn at
    random.
    """
    chunks = Counter(held.documents)
    names = [name for name in rows if name in chunks]
    half = count // 2
    chosen = dict.fromkeys([*names[:half], *names[::-1][: count - half]])
    # Documents of very many chunks must not use up what the rest is looked into with.
    left = _CHUNKS_EACH * count
    kept: Rows = {}
    for name in chosen:
        if not kept or chunks[name] <= left:
            kept[name] = rows[name]
            left -= chunks[name]
    return kept


def _looked(
    session: Session,
    spaces: tuple[Space, Space],
    sampled: Rows,
    held: Vectors,
    purse: Purse,
) -> Looked:
    other, release = spaces
    probes = facts.probe_set(session.store, release)
    makers = sampling.makers(
        release.release.spec,
        other.release.spec,
        _other_models(session, release.release),
        longest=facts.chunked(release, sampled).longest_tokens,
    )
    return sampling.look(
        Sampled(
            spaces=session.spaces,
            space=release,
            rows=sampled,
            noise=probes.noise_band if probes else 0.0,
        ),
        held.only(sampled),
        list(makers),
        purse=purse,
    )


def _other_models(session: Session, release: Release) -> Mapping[str, ModelSpec]:
    """Return the other models of this workspace that give vectors of the same length."""
    mine = release.spec.model
    found: dict[str, ModelSpec] = {}
    known: Collection[ModelSpec] = [mine]
    with session.store.read() as view:
        everyone = [one for index in view.indexes.names() for one in view.releases.all(index)]
    for one in everyone:
        model = one.spec.model
        if model.dimensions == mine.dimensions and model not in known:
            found[f"the model of release {one.name} ({model.name or model.provider})"] = model
            known = [*known, model]
    return found
