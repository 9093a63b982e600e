"""Erasure: making documents' content unfindable wherever repoint put it, and proving that.

Decides what has to go: which texts betray a document, which questions are made of it, and
what a stored answer, baseline or record is without it. Its stages and their order are those
of ``Stage``; ``operations.erase`` carries them out.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from enum import StrEnum
from typing import Final

from repoint.domain.document import Document, Json
from repoint.domain.evaluation import Ranking, Rankings, Run
from repoint.domain.expected import Expected
from repoint.domain.grounding import Grounding
from repoint.domain.ids import Actor, DocumentId, IndexName, Lsn, ProcessId, QueryId
from repoint.domain.operation import Baseline
from repoint.domain.queries import Qrels, QuerySetKind, Questions
from repoint.domain.readiness import Finding

#: Documents of one erasure: its record and its searches stay small.
MOST: Final = 10_000
#: Texts that files are searched for, over all documents of an erasure.
TRACES: Final = 64

_TRACE: Final = 40
_SHORTEST: Final = 16
#: Characters that JSON writes otherwise, so that a trace reads the same in a record.
_BREAKS: Final = re.compile(r"[\"\\\x00-\x1f\x7f]+")
#: What stands in either kind of quotation marks, as JSON and messages write an id.
_QUOTED: Final = re.compile(r"\"([^\"\\]*)\"|'([^'\\]*)'")
#: An id so long hardly stands anywhere by chance.
_TELLING: Final = 8


class Stage(StrEnum):
    """How far an erasure is; whatever kills it, the next run goes on from here."""

    #: Recorded with what is to be erased; tombstones are in the log.
    OPEN = "open"
    #: Everything was proven gone; the record names no document any more.
    CLEARED = "cleared"
    #: Nothing of the record's own past is left in the store's files either.
    DONE = "done"


@dataclass(frozen=True, slots=True, kw_only=True)
class Secret:
    """What an erasure must know while it is open, and nobody afterwards."""

    #: Each document's id, and the name that stands in for it where a record must count it.
    stand_ins: Mapping[DocumentId, str]
    #: Pieces of the erased texts that no file may hold afterwards.
    traces: Sequence[str] = ()
    #: Questions that are a document's own first sentence.
    questions: frozenset[str] = frozenset()


@dataclass(frozen=True, slots=True, kw_only=True)
class Erasure:
    """One request to erase, and how far it came."""

    id: str
    index: IndexName
    actor: Actor
    reason: str
    owner: ProcessId
    at: datetime
    stage: Stage
    #: How many documents were named, and how many of them the log did not know.
    documents: int
    unknown: int
    #: The log's head with the tombstones: what is written above it is another version.
    upto: Lsn
    #: Empty once it is cleared.
    secret: Secret
    #: What was found in each place afterwards; empty while it is open.
    findings: Sequence[Finding] = ()


def traces_of(documents: Sequence[Document]) -> tuple[str, ...]:
    """Return pieces of the documents' texts, the same however often it is asked.

    Three of a document where there are few documents, else one of some.
    """
    if not documents:
        return ()
    each = max(1, min(6, TRACES // len(documents)))
    step = max(1, -(-len(documents) // TRACES))
    found: dict[str, None] = {}
    for document in documents[::step]:
        found.update(dict.fromkeys(_pieces(document)[:each]))
    return tuple(found)[:TRACES]


def questions_without(
    questions: Questions, secret: Secret
) -> tuple[Questions, frozenset[QueryId]]:
    """Return the questions without those made of erased documents, and which those were.

    A judgement of an erased document stays under its stand-in, so that what was measured
    with it comes out the same again.
    """
    made = frozenset(
        query.id
        for query in questions.queries
        if query.text in secret.questions
        or (
            questions.kind is QuerySetKind.KNOWN_ITEM
            and any(one in secret.stand_ins for one in questions.qrels.get(query.id, {}))
        )
    )
    kept: Qrels = {
        query: {_named(one, secret): grade for one, grade in grades.items()}
        for query, grades in questions.qrels.items()
        if query not in made
    }
    left = tuple(query for query in questions.queries if query.id not in made)
    expected = {
        query: _expected_without(one, questions.qrels.get(query, {}), secret)
        for query, one in questions.expected.items()
        if query not in made
    }
    return replace(questions, queries=left, qrels=kept, expected=expected), made


def run_without(run: Run, secret: Secret, made: frozenset[QueryId]) -> Run:
    """Return a stored run without those questions, erased documents under their stand-ins."""
    return replace(
        run,
        ranked=_rankings(run.ranked, secret, made),
        exact=_rankings(run.exact, secret, made),
        stages={query: one for query, one in run.stages.items() if query not in made},
        refused={query: why for query, why in run.refused.items() if query not in made},
        astray={
            query: frozenset(_named(one, secret) for one in found)
            for query, found in run.astray.items()
            if query not in made
        },
        grounding=None if run.grounding is None else _grounding(run.grounding, secret, made),
    )


def baseline_without(baseline: Baseline, secret: Secret) -> Baseline:
    """Return a baseline without the questions made of erased documents, and without those."""
    gone = {
        query
        for query in baseline.answers
        if query in secret.questions or baseline.expected.get(query) in secret.stand_ins
    }
    return replace(
        baseline,
        answers={
            query: tuple(one for one in found if one not in secret.stand_ins)
            for query, found in baseline.answers.items()
            if query not in gone
        },
        expected={
            query: document
            for query, document in baseline.expected.items()
            if query not in gone and document not in secret.stand_ins
        },
    )


def text_without(text: str, secret: Secret) -> str:
    """Return a record's text without what betrays an erased document.

    A short id is only taken for one where it stands in quotation marks: ``7`` is a number
    everywhere else.
    """
    for document, name in secret.stand_ins.items():
        text = text.replace(repr(document), repr(name))
        text = text.replace(f'"{document}"', f'"{name}"')
        if len(document) >= _TELLING:
            text = re.sub(rf"(?<!\w){re.escape(document)}(?!\w)", name, text)
    for trace in (*secret.questions, *secret.traces):
        if len(trace) >= _SHORTEST:
            text = text.replace(trace, "(erased)")
    return text


def tree_without(value: Json, secret: Secret, *, spared: frozenset[str]) -> Json:
    """Return a record's JSON without what betrays an erased document.

    ``spared`` are names of other things, which an id may happen to equal.
    """
    if isinstance(value, str):
        if value not in spared and DocumentId(value) in secret.stand_ins:
            return secret.stand_ins[DocumentId(value)]
        return text_without(value, secret)
    if isinstance(value, list):
        return [tree_without(item, secret, spared=spared) for item in value]
    if isinstance(value, dict):
        return {
            str(tree_without(key, secret, spared=spared)): tree_without(
                item, secret, spared=spared
            )
            for key, item in value.items()
        }
    return value


def mentions(text: str, secret: Secret) -> bool:
    """Return whether a record's text still betrays an erased document."""
    return any(trace in text for trace in secret.traces) or any(
        DocumentId(quoted) in secret.stand_ins
        for pair in _QUOTED.findall(text)
        for quoted in pair
        if quoted
    )


def betrays(text: str, secret: Secret) -> bool:
    """Return whether a text names an erased document by an id that is long enough to tell."""
    return any(len(document) >= _TELLING and document in text for document in secret.stand_ins)


def _expected_without(
    expected: Expected, judged: Mapping[DocumentId, int], secret: Secret
) -> Expected:
    """Return what is expected without erased documents, and without answers made of them.

    An answer is taken to be made of every document that it cites, of those judged relevant to
    its question, and of those whose words it holds.
    """
    sources = {*expected.citations, *(one for one, grade in judged.items() if grade > 0)}
    made = (
        any(one in secret.stand_ins for one in sources)
        or mentions(expected.answer, secret)
        or any(one in expected.answer for one in secret.questions)
    )
    return Expected(
        citations={_named(one, secret): spans for one, spans in expected.citations.items()},
        answer="" if made else expected.answer,
    )


def _grounding(one: Grounding, secret: Secret, made: frozenset[QueryId]) -> Grounding:
    return replace(
        one,
        verdicts={query: said for query, said in one.verdicts.items() if query not in made},
        failed={
            query: text_without(why, secret)
            for query, why in one.failed.items()
            if query not in made
        },
    )


def _named(document: DocumentId, secret: Secret) -> DocumentId:
    return DocumentId(secret.stand_ins.get(document, document))


def _rankings(rankings: Rankings, secret: Secret, made: frozenset[QueryId]) -> Rankings:
    def named(ranking: Ranking) -> Ranking:
        return tuple(_named(one, secret) for one in ranking)

    return {query: named(found) for query, found in rankings.items() if query not in made}


def _pieces(document: Document) -> list[str]:
    texts = [document.text, document.title, *_strings(document.metadata.values())]
    parts = [part.strip() for text in texts for part in _BREAKS.split(text)]
    long = [part for part in parts if len(part) >= _SHORTEST]
    cut: list[Callable[[str], str]] = [
        lambda part: part[:_TRACE],
        lambda part: part[-_TRACE:],
        lambda part: part[len(part) // 2 :][:_TRACE],
    ]
    found = dict.fromkeys(take(part) for take in cut for part in long)
    return [piece for piece in found if len(piece.strip()) >= _SHORTEST]


def _strings(values: Iterable[Json]) -> list[str]:
    return [value for value in values if isinstance(value, str)]
