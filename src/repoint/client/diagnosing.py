"""Diagnosing a release: what made it worse, what looking would take, what was found last."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import TypeAlias

from repoint.domain import filter_syntax
from repoint.domain.diagnosis import Diagnosis
from repoint.domain.filters import Filter
from repoint.domain.ids import IndexName, query_set_name, release_name
from repoint.domain.queries import Questions
from repoint.operations import diagnose as diagnosing
from repoint.operations import query_sets
from repoint.operations.diagnose import Estimate, Given, Options, Step
from repoint.operations.session import Session

__all__ = ["Options", "Source", "Subject", "diagnose", "last", "plan", "where"]

#: A set's name, a file of queries, or questions as a value.
Source: TypeAlias = str | Path | Questions


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """What is to be diagnosed, beside what, with what."""

    release: str
    #: Empty: what answers now, else the fallback, else what answered before.
    baseline: str = ""
    #: None: what both were measured with last, else the newest set, else known items.
    queries: Source | None = None
    #: Judgements for a file of queries.
    qrels: Path | None = None


def diagnose(
    session: Session,
    index: IndexName,
    subject: Subject,
    *,
    options: Options,
    progress: Callable[[Step], None] | None = None,
) -> Diagnosis:
    """Diagnose a release and keep the report."""
    return diagnosing.diagnose(
        session,
        index,
        release_name(subject.release),
        baseline=subject.baseline,
        given=_given(session, index, subject),
        options=options,
        progress=progress,
    )


def plan(session: Session, index: IndexName, subject: Subject, *, options: Options) -> Estimate:
    """Return what a diagnosis would take at most; nothing is embedded."""
    return diagnosing.plan(
        session,
        index,
        release_name(subject.release),
        baseline=subject.baseline,
        given=_given(session, index, subject),
        options=options,
    )


def last(session: Session, index: IndexName, release: str) -> Diagnosis:
    """Return a release's newest diagnosis, as it was made."""
    return diagnosing.last(session, index, release_name(release))


def where(session: Session, index: IndexName, text: str) -> Filter:
    """Return the filter that a text is, once its fields are known to the index.

    Raises:
        BadFilterError, UnknownFieldError: it cannot be applied.
    """
    parsed = filter_syntax.parse(text)
    with session.store.read() as view:
        filter_syntax.check(parsed, view.log.fields(index), index=index)
    return parsed


def _given(session: Session, index: IndexName, subject: Subject) -> Given | None:
    source = subject.queries
    if source is None:
        return None
    if isinstance(source, Questions):
        return Given(questions=source, source=source.source)
    if isinstance(source, Path):
        from repoint.sources.queries import read_questions  # noqa: PLC0415 - only for files

        return Given(questions=read_questions(source, qrels=subject.qrels), source=source.name)
    found = query_sets.get(session, index, query_set_name(source))
    return Given(questions=found.questions, source=f"{found.name}@{found.version}")
