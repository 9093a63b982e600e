"""Diagnose: was the model bad, or was the migration incomplete?

Read-only: it asks, embeds and computes within its budget, and writes nothing but its own
report and the record that it was made. Served traffic does not notice it.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable, Mapping
from dataclasses import replace
from typing import Final

from repoint.domain.access import Action
from repoint.domain.diagnosis import (
    Asked,
    Diagnosis,
    Expense,
    Loss,
    ranked,
    verdict,
)
from repoint.domain.errors import BadInputError, NotFoundError, RefusedError
from repoint.domain.ids import (
    BEFORE_THE_LOG,
    DiagnosisId,
    DocumentId,
    IndexName,
    QueryId,
    ReleaseName,
)
from repoint.domain.queries import Query, Questions
from repoint.domain.readiness import Status
from repoint.domain.release import Release, ReleaseState
from repoint.operations.diagnose import asking, choosing, examining, migration, settings
from repoint.operations.diagnose.asking import Panel
from repoint.operations.diagnose.case import Case
from repoint.operations.diagnose.spending import Purse
from repoint.operations.diagnose.values import Estimate, Given, Options, Step
from repoint.operations.originals import filled
from repoint.operations.session import Session, authorise
from repoint.operations.spaces import Space

#: Documents whose tokens are counted for an estimate.
_COUNTED: Final = 100
#: Pool embeddings that a diagnosis may need, as an estimate: as declared, one a setting, all.
_POOLS: Final = 4

Progress = Callable[[Step], None]


def plan(
    session: Session,
    index: IndexName,
    name: ReleaseName,
    *,
    baseline: str = "",
    given: Given | None = None,
    options: Options,
) -> Estimate:
    """Return what a diagnosis would take at most; nothing is asked and nothing embedded.

    Raises:
        BadInputError: there is no baseline to compare with.
    """
    authorise(session, Action.DIAGNOSE, index)
    options = options.checked()
    other, release = _releases(session, index, name, baseline)
    chosen = given or choosing.questions(session, index, release, other, seed=options.seed)
    scored = chosen.questions.scored()
    count = min(len(scored or chosen.questions.queries), options.questions)
    with session.store.read() as view:
        head = view.log.head(index)
        rows = view.log.rows(index, above=BEFORE_THE_LOG, upto=head, limit=_COUNTED)
    model = session.spaces.model(release)
    whole = filled(model.originals, index, rows)
    counted = [row.document.text for row in whole if row.document is not None]
    mean = model.embedding.count_tokens(counted) / max(len(counted), 1)
    texts = min(options.budget_texts, options.documents * _POOLS + options.sample)
    tokens = math.ceil(texts * mean)
    price = release.spec.model.price_per_million_tokens
    looked = min(count, options.failing + options.others)
    return Estimate(
        baseline=other.name,
        source=chosen.source,
        judged=bool(scored),
        documents=options.documents,
        expense=Expense(
            questions=2 * count,
            searches=2 * count + 8 * looked,
            texts=texts,
            tokens=tokens,
            money=None if price is None else price * tokens / 1_000_000,
        ),
        budget_texts=options.budget_texts,
    )


def diagnose(  # noqa: PLR0913 - what is diagnosed, beside what, with what
    session: Session,
    index: IndexName,
    name: ReleaseName,
    *,
    baseline: str = "",
    given: Given | None = None,
    options: Options,
    progress: Progress | None = None,
) -> Diagnosis:
    """Return the ranked causes of what made a release worse, and keep them.

    Raises:
        BadInputError: there is no baseline, or no question to ask.
        RefusedError: a release was never brought into step.
        RetiredError: a release was dropped, so there is nothing to look at.
        UnavailableError: a model or database did not answer; nothing was kept.
    """
    authorise(session, Action.DIAGNOSE, index)
    options = options.checked()
    tell = progress or (lambda _: None)
    other, release = _releases(session, index, name, baseline)
    chosen = given or choosing.questions(session, index, release, other, seed=options.seed)
    spaces = session.spaces.open(other), session.spaces.open(release)
    purse = Purse(texts=options.budget_texts)
    tell(Step(says="asking both releases", done=0, total=5))
    panel, queries = _panel(session, spaces, chosen, options=options, purse=purse)
    answers = panel.ask(spaces[0], queries), panel.ask(spaces[1], queries)
    values = panel.values(answers[0]), panel.values(answers[1])
    loss, lost = asking.losses(*values, queries, measure=panel.measure)
    inside = [query for query in queries if loss.group in {"", query.group}]
    focus = asking.focus(
        *values,
        inside,
        failing=options.failing,
        others=options.others,
        seed=options.seed,
    )
    tell(Step(says="comparing with the log", done=1, total=5))
    case = examining.examine(
        session,
        spaces,
        panel,
        focus,
        (answers[0], answers[1]),
        options=options,
        purse=purse,
        lost=lost,
    )
    tell(Step(says="changing one thing at a time", done=3, total=5))
    fresh = migration.fresh_vectors(case)
    causes = list(migration.causes(case, fresh))
    if case.grid is not None:
        causes += settings.causes(case, case.grid, fresh)
    causes += settings.outside(case)
    named = ranked(causes)
    if case.baseline_probes.status is Status.FAILED:
        purse.left_out.append(
            f"what {other.name} was: its own model does not answer its probes any more, so it "
            "is no sure baseline"
        )
    made = _told(
        session,
        case,
        loss,
        asked=Asked(
            source=chosen.source,
            judged=panel.judged,
            questions=len(queries),
            filter=options.filter_text,
        ),
    )
    made = replace(made, causes=named, verdict=verdict(named, lost=lost))
    _keep(session, made)
    tell(Step(says="done", done=5, total=5))
    return made


def last(session: Session, index: IndexName, name: ReleaseName) -> Diagnosis:
    """Return a release's newest diagnosis, as it was made.

    Raises:
        NotFoundError: there is none.
    """
    authorise(session, Action.READ, index)
    with session.store.read() as view:
        view.releases.get(index, name)
        found = view.diagnoses.newest(index, name)
    if found is None:
        raise NotFoundError(
            what="diagnosis of release",
            name=name,
            hint=f"make one: repoint diagnose {index} {name}",
        )
    return found


def _releases(
    session: Session, index: IndexName, name: ReleaseName, baseline: str
) -> tuple[Release, Release]:
    with session.store.read() as view:
        release = view.releases.get(index, name)
        other = choosing.baseline(view, release, named=baseline)
    for one in (other, release):
        if one.state is ReleaseState.CREATED:
            raise RefusedError(
                f"release {one.name!r} of index {index!r} was never brought into step, so "
                "there is nothing to look at",
                hint=f"repoint sync {index} {one.name}",
            )
    return other, release


def _panel(
    session: Session,
    spaces: tuple[Space, Space],
    given: Given,
    *,
    options: Options,
    purse: Purse,
) -> tuple[Panel, list[Query]]:
    """Return who judges, and a sample of the questions."""
    chance = random.Random(options.seed)  # noqa: S311 - a sample, not a secret
    if options.where is not None:
        given = choosing.within(session, spaces[1].release.index, given, options.where)
    scored = given.questions.scored()
    pick = scored or list(given.questions.queries)
    queries = pick if len(pick) <= options.questions else chance.sample(pick, options.questions)
    if not queries:
        raise BadInputError(
            "there is no question to ask", hint="name a set: --queries NAME, or --query-file"
        )

    def panel(questions: Questions) -> Panel:
        return Panel(
            questions,
            k=options.k,
            judged=bool(scored),
            where=options.where,
            clock=session.clock,
            purse=purse,
        )

    if scored:
        return panel(replace(given.questions, queries=tuple(queries))), queries
    # Nobody judged: what the baseline finds by exact search counts as right.
    found = panel(given.questions).ask(spaces[0], queries, exact=True)
    qrels: dict[QueryId, Mapping[DocumentId, int]] = {
        query: dict.fromkeys(ranking, 1) for query, ranking in found.items() if ranking
    }
    questions = replace(given.questions, queries=tuple(queries), qrels=qrels)
    kept = questions.scored()
    if not kept:
        raise BadInputError(f"{spaces[0].release.name} finds nothing for any question")
    return panel(questions), kept


def _told(session: Session, case: Case, loss: Loss, *, asked: Asked) -> Diagnosis:
    release, other = case.release.release, case.baseline.release
    return Diagnosis(
        id=DiagnosisId(f"d-{session.ids.new()[-10:]}"),
        index=release.index,
        release=release.name,
        baseline=other.name,
        release_fingerprint=release.fingerprint,
        baseline_fingerprint=other.fingerprint,
        actor=session.actor,
        at=session.clock.now(),
        head=case.log.head,
        watermark=case.log.watermark,
        asked=asked,
        loss=loss,
        verdict="",
        causes=(),
        cells=tuple(case.grid.cells) if case.grid is not None else (),
        pool=len(case.rows),
        differences=case.log.counts,
        compared=case.log.compared,
        sample=case.looked.sample,
        chunks=(case.baseline_chunks, case.chunks),
        fields=case.fields,
        changes=case.changes,
        probes={
            other.name: case.baseline_probes.summary,
            release.name: case.probes.summary,
        },
        expense=case.purse.expense(),
        left_out=tuple(case.purse.left_out),
    )


def _keep(session: Session, made: Diagnosis) -> None:
    with session.store.begin() as tx:
        tx.diagnoses.add(made)
        tx.audit.append(
            at=made.at,
            actor=session.actor,
            action=Action.DIAGNOSE,
            index=made.index,
            details={
                "diagnosis": made.id,
                "release": made.release,
                "baseline": made.baseline,
                "causes": [one.fault.value for one in made.causes],
            },
        )
