"""The promises of a collection's searches: scores, order, filters, words."""

from __future__ import annotations

import pytest

from repoint.domain.document import Json
from repoint.domain.errors import DimensionsError, MixedSpacesError, UnsupportedError
from repoint.domain.filters import (
    And,
    Compare,
    Comparison,
    Filter,
    In,
    Not,
    Or,
    matches,
    orders_text,
)
from repoint.domain.spec import Distance
from repoint.ports.backend import Collection
from repoint.testing.collection_writes import CollectionCase, X, Y, Z
from repoint.testing.collections import (
    OTHER_SPACE,
    Place,
    Version,
    places,
    put,
    query,
    spec,
)

SCORES = {
    Distance.COSINE: [("b", 1.0), ("a", 0.8), ("c", -0.6)],
    Distance.DOT: [("b", 50.0), ("a", 4.0), ("c", -3.0)],
    Distance.L2: [("a", -18.0), ("c", -32.0), ("b", -25.0)],
}

#: Documents whose metadata differs in every way that a filter can tell apart.
SHELF: dict[str, dict[str, Json]] = {
    "absent": {},
    "null": {"kind": None, "year": None, "open": None},
    "text": {"kind": "novel", "year": 1999, "open": True},
    "other": {"kind": "essay", "year": 2020.5, "open": False},
    "upper": {"kind": "Novel", "year": -3, "open": True},
    "empty": {"kind": "", "year": 0},
    "quoted": {"kind": 'it\'s "x" `y` \\ % _ ; -- ', "a.b c'd\"e`f": "odd", "": "nameless"},
    "far": {"kind": "日本", "year": 1e300, "Kind": "novel"},
    "opaque": {"kind": ["novel"], "year": {"x": 1}},
}

EQ, NE = Comparison.EQUAL, Comparison.UNEQUAL
LESS, AT_MOST = Comparison.LESS, Comparison.AT_MOST
MORE, AT_LEAST = Comparison.MORE, Comparison.AT_LEAST
NOVEL = Compare("kind", EQ, "novel")

FILTERS: list[Filter] = [
    NOVEL,
    Compare("kind", NE, "novel"),
    Not(NOVEL),
    Not(Compare("kind", NE, "novel")),
    Not(Not(NOVEL)),
    Compare("kind", MORE, "essay"),
    Compare("kind", LESS, "a"),
    Compare("kind", AT_LEAST, "日"),
    Compare("kind", EQ, ""),
    Compare("year", EQ, 1999),
    Compare("year", EQ, 1999.0),
    Compare("year", NE, 1999),
    Compare("year", LESS, 0),
    Compare("year", AT_MOST, 0.0),
    Compare("year", MORE, -3.5),
    Compare("year", AT_LEAST, 1e299),
    Compare("year", LESS, 10**400),
    Compare("year", MORE, float("-inf")),
    Compare("open", EQ, value=True),
    Compare("open", NE, value=True),
    Compare("open", LESS, value=True),
    Not(Compare("open", EQ, value=True)),
    Compare("kind", EQ, 1999),
    Compare("year", EQ, "1999"),
    Compare("year", EQ, value=True),
    Compare("open", EQ, 1),
    Compare("Kind", EQ, "novel"),
    Compare("nobody", EQ, "has it"),
    Not(Compare("nobody", EQ, "has it")),
    In("kind", ("novel", "essay", "nothing")),
    In("kind", ("novel", 1999, True)),
    In("year", (1999, 0, -3.0)),
    In("kind", ()),
    Not(In("kind", ("novel",))),
    And(()),
    Or(()),
    Not(And(())),
    And((NOVEL, Compare("year", MORE, 1000))),
    And((NOVEL, Compare("nobody", EQ, 1))),
    Or((NOVEL, Compare("year", LESS, 0), Compare("nobody", EQ, 1))),
    Or((Not(NOVEL), NOVEL)),
    And((Or((NOVEL, Compare("open", EQ, value=False))), Not(Compare("year", LESS, 2000)))),
    Compare("kind", EQ, 'it\'s "x" `y` \\ % _ ; -- '),
    Compare("kind", NE, "' OR '1'='1"),
    Compare("kind", EQ, "x' OR document IS NOT NULL --"),
    Compare("kind", EQ, "\\' OR 1=1 --"),
    Compare("kind' OR '1'='1", EQ, "x"),
    Compare("a.b c'd\"e`f", EQ, "odd"),
    Compare("", EQ, "nameless"),
    Compare("document", EQ, "text"),
    Compare("text", NE, "x"),
    Compare("vector", EQ, 1),
    In("kind", ("x') OR ('1'='1", "')--", "\x00")),
]


class SearchesSuite(CollectionCase):
    """What ``search`` and ``search_text`` promise."""

    @pytest.mark.parametrize("distance", Distance)
    def test_scores_are_what_the_port_says(self, place: Place, distance: Distance) -> None:
        """Cosine similarity, inner product, negated squared distance."""
        backend = place.opened()
        if distance not in backend.capabilities.distances:
            with pytest.raises(UnsupportedError):
                backend.create(spec(distance=distance))
            return
        collection = backend.create(spec(distance=distance, dimensions=2))
        put(
            collection,
            Version(document="a", lsn=1, vectors=[[0, 1]]),
            Version(document="b", lsn=1, vectors=[[6, 8]]),
            Version(document="c", lsn=1, vectors=[[-1, 0]]),
        )
        for exact in (False, True):
            hits = collection.search(query(3, 4), limit=5, exact=exact)
            expected = sorted(SCORES[distance], key=lambda pair: -pair[1])
            assert [hit.document for hit in hits] == [document for document, _ in expected]
            scores = [score for _, score in expected]
            assert [hit.score for hit in hits] == pytest.approx(scores, abs=1e-5)

    def test_equal_scores_are_ordered_by_document_and_slot(
        self, collection: Collection
    ) -> None:
        """[ordered], also where the limit cuts through equal ones."""
        for number in (7, 3, 9, 1, 5, 0, 8, 2, 6, 4):
            put(collection, Version(document=f"d{number}", lsn=1, vectors=[X, X]))
        put(collection, Version(document="z", lsn=1, vectors=[[1, 0.1, 0]]))
        for limit in (1, 2, 3, 7, 20):
            expected = [(f"d{n}", slot) for n in range(10) for slot in range(2)][:limit]
            assert places(collection.search(query(*X), limit=limit)) == expected

    def test_a_limit_is_kept(self, collection: Collection) -> None:
        """Fewer hits only where there are fewer; none for none."""
        put(
            collection,
            *(Version(document=f"d{n}", lsn=1, vectors=[[n, 1, 0]]) for n in range(9)),
        )
        assert len(collection.search(query(*X), limit=4)) == 4
        assert len(collection.search(query(*X), limit=40)) == 9
        assert collection.search(query(*X), limit=0) == []

    def test_an_empty_collection_answers_with_nothing(self, collection: Collection) -> None:
        """Not with an error."""
        where = Compare("year", MORE, 3)
        assert collection.search(query(*X), limit=5) == []
        assert collection.search(query(*X), limit=5, where=where, exact=True) == []

    def test_a_query_of_another_space_is_refused(self, collection: Collection) -> None:
        """[one-space], INV-1: also where the dimensions are equal."""
        put(collection, Version(document="d", lsn=1, vectors=[X]))
        with pytest.raises(MixedSpacesError):
            collection.search(query(*X, space=OTHER_SPACE), limit=5)

    def test_a_query_of_another_length_is_refused(self, collection: Collection) -> None:
        """Nothing is compared."""
        with pytest.raises(DimensionsError):
            collection.search(query(1, 0), limit=5)

    def test_a_filter_applies_before_the_neighbours_are_chosen(
        self, collection: Collection
    ) -> None:
        """[prefilter]: the one that matches is found behind hundreds that do not."""
        near = [
            Version(document=f"d{n}", lsn=1, vectors=[X], metadata={"kind": "common"})
            for n in range(400)
        ]
        rare = Version(document="rare", lsn=1, vectors=[Y], metadata={"kind": "rare"})
        put(collection, *near, rare)
        collection.optimise()
        for exact in (False, True):
            where = Compare("kind", EQ, "rare")
            hits = collection.search(query(*X), limit=5, where=where, exact=exact)
            assert places(hits) == [("rare", 0)]

    @pytest.mark.parametrize("where", FILTERS, ids=repr)
    def test_a_filter_matches_what_the_domain_says(
        self, place: Place, shelf: Collection, where: Filter
    ) -> None:
        """[filter-logic]: two values, no injection, no field name that is special."""
        if orders_text(where) and not place.opened().capabilities.ordered_text:
            with pytest.raises(UnsupportedError):
                shelf.search(query(*X), limit=50, where=where)
            return
        hits = shelf.search(query(*X), limit=50, where=where)
        expected = {name for name, metadata in SHELF.items() if matches(where, metadata)}
        assert {hit.document for hit in hits} == expected

    def test_metadata_comes_back_as_it_was_given(self, shelf: Collection) -> None:
        """Nulls, lists and objects included."""
        hits = shelf.search(query(*X), limit=50)
        assert {hit.document: dict(hit.metadata) for hit in hits} == SHELF

    @pytest.fixture
    def shelf(self, collection: Collection) -> Collection:
        """A collection of documents with all kinds of metadata."""
        put(
            collection,
            *(
                Version(document=name, lsn=1, vectors=[X], metadata=metadata)
                for name, metadata in SHELF.items()
            ),
        )
        return collection

    def test_a_field_that_comes_late_can_be_filtered_on(self, collection: Collection) -> None:
        """Also through a handle that searched before, and after it went again."""
        where = Compare("late", EQ, "yes")
        put(collection, Version(document="d", lsn=1, vectors=[X]))
        assert collection.search(query(*X), limit=5, where=where) == []
        put(collection, Version(document="e", lsn=2, vectors=[X], metadata={"late": "yes"}))
        assert places(collection.search(query(*X), limit=5, where=where)) == [("e", 0)]
        put(collection, Version(document="e", lsn=3, vectors=[X]))
        assert collection.search(query(*X), limit=5, where=where) == []

    def test_words_are_found_where_the_backend_has_text_search(self, place: Place) -> None:
        """Written before and after indexes were built; never what was emptied."""
        backend = place.opened()
        if not backend.capabilities.lexical:
            with pytest.raises(UnsupportedError):
                backend.create(spec(lexical=True))
            return
        collection = backend.create(spec(lexical=True))
        assert collection.search_text("harbour", limit=5) == []
        texts = {
            "a": "the harbour in a storm",
            "b": "a recipe for bread",
            "c": "harbour master",
        }
        for lsn, (document, text) in enumerate(texts.items()):
            version = Version(
                document=document, lsn=lsn, vectors=[Z], texts=[text], metadata={"n": lsn}
            )
            put(collection, version)
            if document == "b":
                collection.optimise()
        assert _found(collection, "harbour") == {"a", "c"}
        assert _found(collection, "Bread") == {"b"}
        assert _found(collection, "harbour bread") == {"a", "b", "c"}
        assert _found(collection, "harbour", where=Compare("n", MORE, 1)) == {"c"}
        assert len(collection.search_text("harbour", limit=1)) == 1
        put(collection, Version(document="a", lsn=8, slots=1))
        put(collection, Version(document="b", lsn=9, vectors=[Z], texts=["harbour lights"]))
        assert _found(collection, "harbour bread storm") == {"b", "c"}
        assert _found(collection, "recipe") == set()

    @pytest.mark.parametrize(
        "text", ["", "   ", '"', "a AND (b", "field:x", "+-*~^\\", "'; --"]
    )
    def test_no_text_is_a_syntax(self, place: Place, text: str) -> None:
        """Whatever a person types is words."""
        backend = place.opened()
        if not backend.capabilities.lexical:
            with pytest.raises(UnsupportedError):
                backend.create(spec(lexical=True))
            return
        collection = backend.create(spec(lexical=True))
        put(collection, Version(document="d", lsn=1, vectors=[X], texts=["zebra"]))
        assert collection.search_text(text, limit=5) == []

    def test_text_search_of_a_release_without_it_is_refused(
        self, collection: Collection
    ) -> None:
        """The spec decides, even where the backend could."""
        with pytest.raises(UnsupportedError):
            collection.search_text("zebra", limit=5)


def _found(collection: Collection, text: str, *, where: Filter | None = None) -> set[str]:
    hits = collection.search_text(text, limit=10, where=where)
    assert all(hit.score > 0 for hit in hits)
    assert [hit.score for hit in hits] == sorted((hit.score for hit in hits), reverse=True)
    return {hit.document for hit in hits}
