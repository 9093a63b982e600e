"""The traps of classes and aliases, on the FAKE and on the server that a variable names."""

from collections.abc import Iterator
from dataclasses import replace

import numpy as np
import pytest
from tests.fakes.weaviate_peer.peer import Peer
from weaviate import WeaviateClient

from repoint.backends.memory import MemoryBackend
from repoint.backends.weaviate import collection as collection_module
from repoint.backends.weaviate import shelf
from repoint.backends.weaviate.backend import WeaviateBackend
from repoint.backends.weaviate.names import class_name
from repoint.domain.errors import (
    AlreadyExistsError,
    CollectionMissingError,
    FingerprintMismatchError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName, DocumentId
from repoint.domain.spec import AnnKind, AnnSpec
from repoint.testing.collections import (
    NAME,
    OTHER_SPACE,
    SPACE,
    Version,
    contents,
    places,
    put,
    query,
    spec,
)

pytest_plugins = ("tests.fakes.weaviate_peer.fixtures",)

ONE = Version(document="one", lsn=1, vectors=[[1, 0, 0]])
OTHER = CollectionName("docs_v2_bbbbbbbbbbbb")


@pytest.fixture
def backend(weaviate_peer: Peer, weaviate_client: WeaviateClient) -> Iterator[WeaviateBackend]:
    del weaviate_client  # it tidies up
    opened = weaviate_peer.backend()
    yield opened
    opened.close()


def test_an_alias_does_not_take_a_classs_name(
    backend: WeaviateBackend, weaviate_client: WeaviateClient
) -> None:
    weaviate_client.collections.create("Docs")
    backend.create(spec())
    with pytest.raises(AlreadyExistsError) as caught:
        backend.set_alias("docs", NAME)
    assert "alias_prefix" in caught.value.hint
    assert backend.alias_target("docs") is None


def test_indexes_that_differ_in_the_first_letters_case_do_not_share_an_alias(
    backend: WeaviateBackend,
) -> None:
    backend.create(spec())
    other = CollectionName("Docs_v9_cccccccccccc")
    backend.create(spec(name=other, fingerprint=OTHER_SPACE))
    backend.set_alias("docs", NAME)
    with pytest.raises(AlreadyExistsError, match="another index"):
        backend.set_alias("Docs", other)
    assert backend.alias_target("docs") == NAME


def test_an_alias_that_somebody_moved_to_a_foreign_class_is_moved_back(
    backend: WeaviateBackend, weaviate_client: WeaviateClient
) -> None:
    weaviate_client.collections.create("Foreign")
    backend.create(spec())
    backend.set_alias("my-docs", NAME)
    weaviate_client.alias.update(alias_name="My_X2Ddocs", new_target_collection="Foreign")
    assert backend.alias_target("my-docs") == "Foreign"
    backend.set_alias("my-docs", NAME)
    assert backend.alias_target("my-docs") == NAME


def test_an_aliased_class_is_not_dropped_and_a_dangling_alias_names_no_collection(
    backend: WeaviateBackend, weaviate_client: WeaviateClient
) -> None:
    """INV-8: Weaviate would let it go."""
    put(backend.create(spec()), ONE)
    backend.set_alias("docs", NAME)
    with pytest.raises(UnsupportedError, match="Docs points at it"):
        backend.drop(NAME)
    assert contents(backend.open(NAME, fingerprint=SPACE)) == {("one", 0): 1}
    weaviate_client.collections.delete(class_name(NAME))
    assert backend.alias_target("docs") == class_name(NAME)  # and no collection of that name
    with pytest.raises(CollectionMissingError):
        backend.open(NAME, fingerprint=SPACE)


@pytest.mark.parametrize("alias", ["9docs", "_docs", ""])
def test_an_alias_that_no_class_could_have_is_refused(
    backend: WeaviateBackend, alias: str
) -> None:
    backend.create(spec())
    with pytest.raises(UnsupportedError, match="alias"):
        backend.set_alias(alias, NAME)
    with pytest.raises(CollectionMissingError):
        backend.set_alias("docs", OTHER)


def test_an_alias_is_no_collection(
    backend: WeaviateBackend, weaviate_client: WeaviateClient
) -> None:
    backend.create(spec())
    weaviate_client.alias.create(
        alias_name=class_name(OTHER), target_collection=class_name(NAME)
    )
    with pytest.raises(CollectionMissingError):
        backend.open(OTHER, fingerprint=SPACE)
    with pytest.raises(AlreadyExistsError):
        backend.create(spec(name=OTHER, fingerprint=OTHER_SPACE))
    backend.drop(OTHER)
    assert backend.collections() == [NAME]


def test_a_foreign_class_is_neither_opened_nor_listed_nor_dropped(
    backend: WeaviateBackend, weaviate_client: WeaviateClient
) -> None:
    weaviate_client.collections.create(class_name(NAME), description="mine, all mine")
    with pytest.raises(FingerprintMismatchError) as opened:
        backend.open(NAME, fingerprint=SPACE)
    with pytest.raises(FingerprintMismatchError) as made:
        backend.create(spec())
    assert (opened.value.found, made.value.found) == (None, None)
    assert backend.collections() == []
    with pytest.raises(UnsupportedError, match="did not make"):
        backend.drop(NAME)
    assert weaviate_client.collections.exists(class_name(NAME))


def test_a_name_that_differs_in_case_alone_is_taken(backend: WeaviateBackend) -> None:
    backend.create(spec())
    for name in ("Docs_v1_aaaaaaaaaaaa", "docs_V1_aaaaaaaaaaaa"):
        with pytest.raises((AlreadyExistsError, FingerprintMismatchError)):
            backend.create(spec(name=CollectionName(name)))
    assert backend.collections() == [NAME]


def test_a_class_that_was_put_in_anothers_place_is_not_searched_or_written(
    backend: WeaviateBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    """INV-1: also at once, before the next look at whose it is, and whatever it says."""
    monkeypatch.setattr(collection_module, "OWNED", 1e9)
    collection = backend.create(spec())
    put(collection, ONE)
    collection.search(query(1, 0, 0), limit=1)
    backend.drop(NAME)
    put(
        backend.create(spec(fingerprint=OTHER_SPACE)),
        Version(document="two", lsn=2, vectors=[[1, 0, 0]]),
    )
    with pytest.raises(FingerprintMismatchError) as caught:
        collection.search(query(1, 0, 0), limit=1)
    assert caught.value.found == OTHER_SPACE
    for call in (lambda: put(collection, ONE), lambda: list(collection.scan())):
        with pytest.raises(FingerprintMismatchError):
            call()
    assert contents(backend.open(NAME, fingerprint=OTHER_SPACE)) == {("two", 0): 2}


def test_a_class_that_is_gone_is_said_to_be_missing(backend: WeaviateBackend) -> None:
    collection = backend.create(spec())
    put(collection, ONE)
    backend.drop(NAME)
    for call in (
        lambda: collection.search(query(1, 0, 0), limit=1),
        lambda: put(collection, ONE),
        collection.counts,
        lambda: collection.stored([DocumentId("one")]),
        collection.optimise,
    ):
        with pytest.raises(CollectionMissingError):
            call()
    assert backend.collections() == []


def test_a_description_that_somebody_edited_opens_nothing(
    backend: WeaviateBackend, weaviate_client: WeaviateClient
) -> None:
    """INV-1: the vectors' own name says whose they are."""
    backend.create(spec())
    kind = weaviate_client.collections.use(class_name(NAME))
    text = kind.config.get().description or ""
    kind.config.update(description=text.replace(SPACE, OTHER_SPACE))
    for fingerprint in (SPACE, OTHER_SPACE):
        with pytest.raises(FingerprintMismatchError):
            backend.open(NAME, fingerprint=fingerprint)


def test_a_class_with_tenants_wants_one_and_one_without_has_none(
    weaviate_peer: Peer, backend: WeaviateBackend
) -> None:
    one, two = (weaviate_peer.backend(tenant=name) for name in ("one", "two"))
    assert backend.capabilities.aliases
    assert not one.capabilities.aliases
    put(one.create(spec()), ONE)
    with pytest.raises(CollectionMissingError):
        two.open(NAME, fingerprint=SPACE)
    put(two.create(spec()), Version(document="two", lsn=2, vectors=[[0, 1, 0]]))
    assert contents(one.open(NAME, fingerprint=SPACE)) == {("one", 0): 1}
    assert contents(two.open(NAME, fingerprint=SPACE)) == {("two", 0): 2}
    with pytest.raises(UnsupportedError, match="without one"):
        backend.open(NAME, fingerprint=SPACE)
    assert backend.collections() == []
    one.drop(NAME)
    assert (one.collections(), two.collections()) == ([], [NAME])
    assert contents(two.open(NAME, fingerprint=SPACE)) == {("two", 0): 2}
    plain = backend.create(spec(name=OTHER, fingerprint=OTHER_SPACE))
    with pytest.raises(UnsupportedError, match="no tenants"):
        two.open(OTHER, fingerprint=OTHER_SPACE)
    assert plain.counts().chunks == 0
    for opened in (one, two):
        opened.close()


@pytest.mark.parametrize("kind", [AnnKind.AUTO, AnnKind.HNSW, AnnKind.FLAT])
def test_an_exact_search_goes_through_every_share(
    backend: WeaviateBackend, monkeypatch: pytest.MonkeyPatch, kind: AnnKind
) -> None:
    monkeypatch.setattr(collection_module, "SHARE", 7)
    monkeypatch.setattr(collection_module, "SMALL", 5)
    random = np.random.default_rng(7)
    versions = [
        Version(
            document=f"d{n}",
            lsn=n + 1,
            vectors=[random.normal(size=3).tolist()],
            metadata={"even": n % 2 == 0},
        )
        for n in range(60)
    ]
    given = spec()
    made = AnnSpec(kind=kind, search={"ef": 64} if kind is AnnKind.HNSW else {})
    subject = backend.create(replace(given, ann=made))
    model = MemoryBackend().create(given)
    for collection in (subject, model):
        put(collection, *versions)
    for limit in (1, 5, 59, 200):
        ours = subject.search(query(1, 2, 3), limit=limit, exact=True)
        assert places(ours) == places(model.search(query(1, 2, 3), limit=limit))
    assert len(subject.search(query(1, 2, 3), limit=200)) == 60


def test_what_a_limit_of_the_server_cuts_off_comes_next(
    backend: WeaviateBackend, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(shelf, "MOST", 5)
    monkeypatch.setattr(shelf, "HEAVY_PAGE", 4)
    monkeypatch.setattr(shelf, "NAMED", 3)
    monkeypatch.setattr(shelf, "WRITE_BYTES", 100)
    collection = backend.create(spec())
    names = [DocumentId(f"d{n}") for n in range(7)]
    put(
        collection,
        *(Version(document=d, lsn=9, vectors=[[1, n, 0] for n in range(6)]) for d in names),
    )
    for with_vectors in (False, True):
        batch = collection.stored([*names, *names], with_vectors=with_vectors)
        found = list(zip(batch.documents, batch.slots.tolist(), strict=True))
        assert found == [(d, slot) for d in names for slot in range(6)]
    put(collection, *(Version(document=d, lsn=8, vectors=[[0, 0, 1]]) for d in names))
    assert set(contents(collection).values()) == {9}
    collection.purge(names[1:])
    assert {document for document, _ in contents(collection)} == {"d0"}


def test_what_weaviate_cannot_is_refused_at_creation(backend: WeaviateBackend) -> None:
    given = spec()
    for ann in (
        AnnSpec(kind=AnnKind.IVF_FLAT),
        AnnSpec(kind=AnnKind.HNSW, build={"lists": 3}),
        AnnSpec(kind=AnnKind.HNSW, search={"probes": 3}),
    ):
        with pytest.raises(UnsupportedError):
            backend.create(replace(given, ann=ann))
    with pytest.raises(UnsupportedError, match="10000 hits"):
        backend.create(given).search(query(1, 0, 0), limit=10_000)
