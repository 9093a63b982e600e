"""Search through the public client: hybrid, reranking, cut-off, chunks, filters, stamps."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from repoint import Repoint
from repoint.client import Index
from repoint.domain.document import Json
from repoint.domain.errors import (
    BadFilterError,
    BadInputError,
    NotFoundError,
    RefusedMoveError,
    UnknownFieldError,
)
from repoint.domain.spec import (
    ChunkingSpec,
    Fusion,
    HybridSpec,
    ModelSpec,
    ReleaseSpec,
    RerankSpec,
    TextSpec,
)

MODEL = ModelSpec(provider="hashing", dimensions=128)
ANIMALS: list[dict[str, Json]] = [
    {
        "id": "cat",
        "text": "The cat sleeps on the warm sofa.",
        "metadata": {"kind": "pet", "n": 1},
    },
    {"id": "dog", "text": "The dog barks at the mailman.", "metadata": {"kind": "pet", "n": 2}},
    {"id": "cow", "text": "The cow eats grass all day.", "metadata": {"kind": "farm", "n": 3}},
    {"id": "zebra", "text": "A zyzzogeton is no zebra at all.", "metadata": {"kind": "wild"}},
]


@pytest.fixture
def repoint(tmp_path: Path) -> Iterator[Repoint]:
    with Repoint.init(tmp_path / "home") as opened:
        opened.create_index("docs").upsert(ANIMALS)
        yield opened


@pytest.fixture(params=["memory", "lancedb"])
def backend(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def release(repoint: Repoint, name: str, spec: ReleaseSpec) -> Index:
    docs = repoint.index("docs")
    docs.create_release(name, spec)
    docs.sync(name)
    return docs


@pytest.mark.parametrize("fusion", list(Fusion))
def test_hybrid_search_finds_by_words_what_vectors_rank_low(
    repoint: Repoint, backend: str, fusion: Fusion
) -> None:
    spec = ReleaseSpec(
        model=MODEL,
        backend=backend,
        hybrid=HybridSpec(fusion=fusion, vector_weight=0.0, lexical_weight=1.0),
    )
    docs = release(repoint, "v1", spec)
    hits = docs.search("zyzzogeton", k=2, release="v1").hits
    assert hits[0].document == "zebra"
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)


def test_a_reranker_decides_the_order_of_what_was_found(repoint: Repoint, backend: str) -> None:
    plain = release(repoint, "v1", ReleaseSpec(model=MODEL, backend=backend))
    reranked = ReleaseSpec(
        model=MODEL, backend=backend, rerank=RerankSpec(provider="lexical", candidates=4)
    )
    release(repoint, "v2", reranked)
    question = "grass all day"
    before = plain.search(question, k=4, release="v1").hits
    after = plain.search(question, k=4, release="v2").hits
    assert {hit.document for hit in after} == {hit.document for hit in before}
    assert after[0].document == "cow"
    assert after[0].score != before[0].score


def test_hits_below_the_cut_off_are_left_out(repoint: Repoint, backend: str) -> None:
    spec = ReleaseSpec(model=MODEL, backend=backend, min_score=0.3)
    docs = release(repoint, "v1", spec)
    hits = docs.search("the cat sleeps on the sofa", k=4, release="v1").hits
    assert [hit.document for hit in hits] == ["cat"]
    assert docs.search("quantum chromodynamics", k=4, release="v1").hits == []


def test_a_document_of_many_chunks_is_found_once_by_its_best(
    repoint: Repoint, backend: str
) -> None:
    long = " ".join(f"Sentence {n} speaks of nothing much." for n in range(60))
    repoint.index("docs").upsert([{"id": "long", "text": f"{long} Finally the cat sleeps."}])
    spec = ReleaseSpec(model=MODEL, backend=backend, chunking=ChunkingSpec(size=80, overlap=0))
    docs = release(repoint, "v1", spec)
    found = docs.search("Sentence 7 speaks of nothing", k=5, release="v1").hits
    assert sum(hit.document == "long" for hit in found) == 1
    assert len(found) == 5
    best = next(hit for hit in found if hit.document == "long")
    prepared = f"{long} Finally the cat sleeps."
    assert prepared[best.start : best.end] == best.text


def test_steps_and_prefixes_reach_the_question_too(repoint: Repoint) -> None:
    spec = ReleaseSpec(
        model=ModelSpec(
            provider="hashing", dimensions=128, query_prefix="", document_prefix="passage: "
        ),
        backend="memory",
        text=TextSpec(steps=("lowercase",)),
    )
    docs = release(repoint, "v1", spec)
    loud = docs.search("THE CAT SLEEPS", k=1, release="v1").hits[0]
    quiet = docs.search("the cat sleeps", k=1, release="v1").hits[0]
    assert (loud.document, loud.score) == (quiet.document, quiet.score)


@pytest.mark.parametrize(
    ("where", "expected"),
    [
        ('kind = "pet"', {"cat", "dog"}),
        ({"kind": ["farm", "wild"]}, {"cow", "zebra"}),
        ("n >= 2", {"dog", "cow"}),
        ("not n >= 2", {"cat", "zebra"}),
        ('kind = "pet" and n != 1', {"dog"}),
    ],
)
def test_a_filter_gives_what_matches_and_all_of_it(
    repoint: Repoint, backend: str, where: str, expected: set[str]
) -> None:
    docs = release(repoint, "v1", ReleaseSpec(model=MODEL, backend=backend))
    hits = docs.search("the", k=10, filter=where, release="v1").hits
    assert {hit.document for hit in hits} == expected


def test_bad_questions_and_filters_are_refused_with_what_to_do(repoint: Repoint) -> None:
    docs = release(repoint, "v1", ReleaseSpec(model=MODEL, backend="memory"))
    with pytest.raises(UnknownFieldError, match="fields: kind, n"):
        docs.search("x", filter='colour = "red"', release="v1")
    with pytest.raises(BadFilterError):
        docs.search("x", filter="kind > 3", release="v1")
    with pytest.raises(BadInputError, match="1 to 10000"):
        docs.search("x", k=0, release="v1")
    with pytest.raises(BadInputError, match="no text left"):
        docs.search("   ", release="v1")
    with pytest.raises(NotFoundError, match="known: v1"):
        docs.search("x", release="v9")


def test_nobody_answers_before_the_first_promotion(repoint: Repoint) -> None:
    with pytest.raises(RefusedMoveError, match="nobody answers"):
        repoint.index("docs").search("anything")


def test_every_answer_is_stamped_and_a_route_gives_the_same_vector(repoint: Repoint) -> None:
    docs = release(repoint, "v1", ReleaseSpec(model=MODEL, backend="memory"))
    docs.promote("v1")
    answer = docs.search("the cat", k=1)
    route = docs.route()
    assert (answer.index, answer.release, answer.epoch) == ("docs", "v1", 1)
    assert (route.release, route.epoch) == ("v1", 1)
    assert route.collection == docs.release("v1").collection
    assert len(route.embed_query("the cat")) == 128
    assert docs.search("the cat", k=1, release="v1").epoch is None
