"""Any sequence of writes leaves a collection equal to the one in memory."""

from __future__ import annotations

import itertools
from collections.abc import Sequence

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from repoint.backends.memory import MemoryBackend
from repoint.domain.document import Json
from repoint.domain.filters import And, Compare, Comparison, Filter, In, Not, Or, orders_text
from repoint.domain.ids import CollectionName, DocumentId
from repoint.ports.backend import Collection, Hit
from repoint.testing.collection_writes import CollectionCase
from repoint.testing.collections import Place, Version, contents, put, query, spec

#: Slots that every version declares: the most that any of them takes.
SLOTS = 3

DOCUMENTS = st.sampled_from(["a", "b", "it's", "d:0"])
COMPONENTS = st.integers(-3, 3)
#: Never the zero vector, which has no direction.
VECTORS = st.tuples(COMPONENTS, COMPONENTS, st.integers(1, 3))

FIELDS = {
    "kind": st.sampled_from(["x", "y", "", "it's", "É"]),
    "n o.": st.one_of(st.integers(-2, 2), st.sampled_from([0.5, -1.5])),
    "open": st.booleans(),
}
METADATA = st.fixed_dictionaries(
    {}, optional={name: st.none() | values for name, values in FIELDS.items()}
)

_LEAVES = st.sampled_from([*FIELDS, "nobody"]).flatmap(
    lambda field: st.one_of(
        st.builds(Compare, st.just(field), st.sampled_from(Comparison), _scalars(field)),
        st.builds(In, st.just(field), st.lists(_scalars(field), max_size=3).map(tuple)),
    )
)
FILTERS = st.recursive(
    _LEAVES,
    lambda parts: st.one_of(
        st.builds(Not, parts),
        st.builds(And, st.lists(parts, max_size=3).map(tuple)),
        st.builds(Or, st.lists(parts, max_size=3).map(tuple)),
    ),
    max_leaves=5,
)


def _scalars(field: str) -> st.SearchStrategy[Json]:
    return FIELDS[field] if field in FIELDS else st.one_of(*FIELDS.values())


@st.composite
def batches(draw: st.DrawFn) -> list[list[Version]]:
    """Return writes in calls of a few documents; LSNs come in any order."""
    lsns = draw(st.permutations(range(1, 9)))
    calls: list[list[Version]] = []
    for lsn in lsns[: draw(st.integers(1, 8))]:
        vectors = draw(st.lists(VECTORS, max_size=SLOTS))
        document, metadata = draw(DOCUMENTS), draw(METADATA)
        version = Version(
            document=document, lsn=lsn, vectors=vectors, slots=SLOTS, metadata=metadata
        )
        together: bool = draw(st.booleans())
        if calls and together and document not in {other.document for other in calls[-1]}:
            calls[-1].append(version)
        else:
            calls.append([version])
    return calls


class ModelSuite(CollectionCase):
    """A backend against ``MemoryBackend``, which is taken to be right."""

    @pytest.fixture
    def names(self) -> itertools.count[int]:
        """A new collection for each example."""
        return itertools.count()

    @given(calls=batches(), wanted=VECTORS, where=FILTERS)
    @settings(
        deadline=None,
        suppress_health_check=[
            HealthCheck.too_slow,  # how fast a machine is says nothing of a backend
            HealthCheck.function_scoped_fixture,  # each example has a collection of its own
            HealthCheck.differing_executors,  # one test, a class for each driver
        ],
    )
    def test_any_writes_leave_what_the_model_has(
        self,
        place: Place,
        names: itertools.count[int],
        calls: Sequence[Sequence[Version]],
        wanted: Sequence[int],
        where: Filter,
    ) -> None:
        """[newest-lsn-wins], [any-order], [emptied-slots-guard], [filter-logic] together."""
        backend = place.opened()
        name = CollectionName(f"model_{next(names)}")
        subject, model = (
            backend.create(spec(name=name)),
            MemoryBackend().create(spec(name=name)),
        )
        try:
            for call in calls:
                put(subject, *call)
                put(model, *call)
            if orders_text(where) and not backend.capabilities.ordered_text:
                where = And(())
            _same(subject, model, wanted=wanted, where=where)
        finally:
            backend.drop(name)


def _same(
    subject: Collection, model: Collection, *, wanted: Sequence[int], where: Filter
) -> None:
    assert contents(subject) == contents(model)
    theirs, ours = subject.counts(), model.counts()
    assert (theirs.documents, theirs.chunks) == (ours.documents, ours.chunks)
    assert theirs.emptied == ours.emptied
    for condition in (None, where):
        for limit in (3, 50):
            _same_hits(
                subject.search(query(*wanted), limit=limit, where=condition),
                model.search(query(*wanted), limit=limit, where=condition),
            )
    ids = [DocumentId(name) for name in ("a", "it's", "nobody")]
    assert list(subject.stored(ids).digests) == list(model.stored(ids).digests)


def _same_hits(theirs: Sequence[Hit], ours: Sequence[Hit]) -> None:
    scores = [hit.score for hit in ours]
    assert [hit.score for hit in theirs] == pytest.approx(scores, abs=1e-5)
    # Where two scores differ by rounding alone, either order is right.
    tied = {n for n in range(1, len(ours)) if scores[n - 1] - scores[n] < 1e-5}
    for number, (their, our) in enumerate(zip(theirs, ours, strict=True)):
        if number not in tied and number + 1 not in tied and number + 1 < len(ours):
            assert (their.document, their.slot) == (our.document, our.slot)
            assert dict(their.metadata) == dict(our.metadata)
