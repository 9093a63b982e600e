"""Attacks on a class that releases share: none may change what another reads (INV-1, INV-2)."""

import json
import random
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from pathlib import Path
from typing import Protocol

import pytest
from tests.fakes.weaviate_peer.peer import Peer
from weaviate import WeaviateClient
from weaviate.classes.query import MetadataQuery

from repoint.backends.memory import MemoryBackend
from repoint.backends.weaviate import collection as collection_module
from repoint.backends.weaviate import entries, shared
from repoint.backends.weaviate.backend import WeaviateBackend
from repoint.client import Repoint
from repoint.domain.errors import (
    AlreadyExistsError,
    CollectionMissingError,
    FingerprintMismatchError,
    MissingSettingError,
    UnsupportedError,
)
from repoint.domain.filters import Compare, Comparison, Not
from repoint.domain.ids import CollectionName, DocumentId, Fingerprint, Lsn
from repoint.domain.readiness import Status
from repoint.domain.spec import ChunkingSpec, Distance, HybridSpec, ModelSpec, ReleaseSpec
from repoint.ports.backend import Collection
from repoint.testing.collections import (
    OTHER_SPACE,
    SPACE,
    Version,
    contents,
    places,
    put,
    query,
    spec,
)
from repoint.testing.story import UNMEASURED, bring_in_step, document
from repoint.wiring.config import CONFIG_FILE

pytest_plugins = ("tests.fakes.weaviate_peer.fixtures",)

OLD = CollectionName("docs_objects/docs_v1_aaaaaaaaaaaa")
NEW = CollectionName("docs_objects/docs_v2_bbbbbbbbbbbb")
CLASS = "Docs_objects"


class Opener(Protocol):
    """Opens backends with any options, as other processes would."""

    def __call__(self, **options: str | int) -> WeaviateBackend: ...


X, Y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


@pytest.fixture
def another(weaviate_peer: Peer, weaviate_client: WeaviateClient) -> Iterator[Opener]:
    del weaviate_client  # it tidies up
    opened: list[WeaviateBackend] = []

    def open_one(**options: str | int) -> WeaviateBackend:
        opened.append(weaviate_peer.backend(**options))
        return opened[-1]

    yield open_one
    for one in opened:
        one.close()


@pytest.fixture
def backend(another: Opener) -> WeaviateBackend:
    return another(strategy="vector_field")


@pytest.fixture
def old(backend: WeaviateBackend) -> Collection:
    return backend.create(spec(name=OLD))


@pytest.fixture
def new(backend: WeaviateBackend, old: Collection) -> Collection:
    del old  # the first to stand
    return backend.create(spec(name=NEW, fingerprint=OTHER_SPACE))


def _raw(client: WeaviateClient) -> dict[str, tuple[object, set[str]]]:
    """Return each slot's object: whose it says it is, and the vectors that it has."""
    found = client.collections.use(CLASS).query.fetch_objects(limit=9_999, include_vector=True)
    return {
        str(one.uuid): (one.properties["release"], set(one.vector))
        for one in found.objects
        if one.properties["release"] != "*"
    }


def _version(name: str, lsn: int, *, kind: str = "", slots: int = 2) -> Version:
    rows = [] if not kind else [X, Y][: 1 + lsn % 2]
    return Version(
        document=name,
        lsn=lsn,
        vectors=rows,
        texts=[f"{name} as of {lsn}, chunk {n}" for n in range(len(rows))],
        slots=slots,
        metadata={"kind": kind, "n": lsn},
    )


def test_each_object_has_the_vector_of_one_release_alone(
    weaviate_client: WeaviateClient, old: Collection, new: Collection
) -> None:
    for collection in (old, new):
        put(collection, _version("d", 3, kind="a"))
    names = {"docs_v1_aaaaaaaaaaaa", "docs_v2_bbbbbbbbbbbb"}
    raw = _raw(weaviate_client)
    assert len(raw) == 4
    assert {release for release, _ in raw.values()} == names
    assert all(vectors == {release} for release, vectors in raw.values())


def test_a_candidate_changes_nothing_that_the_active_one_answers(
    old: Collection, new: Collection
) -> None:
    """Neither by what it is ahead with, nor by deletes and clean-ups of its own."""
    for name in ("d", "e"):
        put(old, _version(name, 3, kind="before"))
    asked = (
        Compare("kind", Comparison.EQUAL, "before"),
        Not(Compare("kind", Comparison.EQUAL, "after")),
        Compare("n", Comparison.UNEQUAL, 5),
    )

    def seen() -> list[object]:
        found: list[object] = [
            old.search(query(*X), limit=9, where=one, exact=exact)
            for one in (None, *asked)
            for exact in (False, True)
        ]
        return [*found, contents(old), old.counts()]

    before = seen()
    put(new, _version("d", 5, kind="after"), _version("e", 6))
    put(new, _version("f", 7, kind="after"))
    new.purge([DocumentId("d")], emptied_below=Lsn(9))
    assert seen() == before
    assert contents(new) == {("f", 0): 7, ("f", 1): 7}


@pytest.mark.parametrize("seed", range(2))
def test_any_writes_of_two_releases_leave_each_as_if_it_were_alone(
    old: Collection, new: Collection, seed: int
) -> None:
    """INV-2: random versions, deletes, purges and clean-ups, against one model for each."""
    chance = random.Random(seed)  # noqa: S311 - a test's own
    pairs = [
        (subject, MemoryBackend().create(subject.spec), subject.spec.fingerprint)
        for subject in (old, new)
    ]
    for lsn in chance.sample(range(1, 200), 24):
        act = _any_act(chance, lsn)
        for collection in pairs[chance.randrange(2)][:2]:
            act(collection)
    for subject, model, space in pairs:
        assert contents(subject) == contents(model)
        assert subject.counts().emptied == model.counts().emptied
        for where in (None, Not(Compare("n", Comparison.LESS, 90))):
            asked = query(*X, space=space)
            ours = subject.search(asked, limit=50, where=where)
            assert places(ours) == places(model.search(asked, limit=50, where=where))


def _any_act(chance: random.Random, lsn: int) -> Callable[[Collection], None]:
    name, die = f"d{chance.randrange(5)}", chance.random()
    if die < 0.1:
        return lambda collection: collection.purge([DocumentId(name)])
    if die < 0.2:
        return lambda collection: collection.purge(emptied_below=Lsn(lsn))
    kind = chance.choice(["", "a", "b"])
    return lambda collection: put(collection, _version(name, lsn, kind=kind))


def test_a_search_misses_nothing_while_another_release_is_filled(
    old: Collection, new: Collection
) -> None:
    """On objects of both it would: a write of either takes them out of every search a while."""
    put(old, *(_version(f"d{n}", 2, kind="a") for n in range(30)))

    def fill() -> None:
        for turn in range(2, 8):
            put(new, *(_version(f"d{n}", turn, kind="b") for n in range(30)))

    with ThreadPoolExecutor(max_workers=1) as pool:
        written = pool.submit(fill)
        found = [len(old.search(query(*X), limit=50, exact=n % 2 == 0)) for n in range(40)]
        written.result()
    assert set(found) == {30}


def test_an_exact_search_and_a_scan_go_through_one_releases_own(
    monkeypatch: pytest.MonkeyPatch, old: Collection, new: Collection
) -> None:
    monkeypatch.setattr(collection_module, "SHARE", 7)
    monkeypatch.setattr(collection_module, "SMALL", 5)
    monkeypatch.setattr(shared, "PAGE", 6)
    monkeypatch.setattr(shared, "HEAVY_PAGE", 4)
    for collection, size in ((old, 40), (new, 15)):
        put(collection, *(_version(f"d{n}", 2 * n + 3, kind="a") for n in range(size)))
    for collection, size, space in ((old, 40, SPACE), (new, 15, OTHER_SPACE)):
        found = collection.search(query(*X, space=space), limit=200, exact=True)
        assert len(set(places(found))) == 2 * size
        for with_vectors in (False, True):
            batches = list(collection.scan(with_vectors=with_vectors))
            rows = [
                (document, int(slot))
                for batch in batches
                for document, slot in zip(batch.documents, batch.slots, strict=True)
            ]
            assert (len(rows), len(set(rows))) == (2 * size, 2 * size)
            assert max(len(batch.documents) for batch in batches) < 6


def test_dropping_one_takes_its_objects_and_leaves_the_other_answering(
    backend: WeaviateBackend,
    weaviate_client: WeaviateClient,
    old: Collection,
    new: Collection,
) -> None:
    put(old, _version("d", 3, kind="a"), _version("only old", 5, kind="a"))
    put(new, _version("d", 5, kind="b"), _version("only new", 7, kind="b"))
    before = new.search(query(*X, space=OTHER_SPACE), limit=9)
    backend.drop(OLD)
    backend.drop(OLD)
    assert new.search(query(*X, space=OTHER_SPACE), limit=9) == before
    assert backend.collections() == [NEW]
    with pytest.raises(CollectionMissingError):
        backend.open(OLD, fingerprint=SPACE)
    for call in (lambda: put(old, _version("d", 9, kind="zombie")), old.counts):
        with pytest.raises(CollectionMissingError):
            call()
    assert {release for release, _ in _raw(weaviate_client).values()} == {
        "docs_v2_bbbbbbbbbbbb"
    }
    again = backend.create(spec(name=OLD))  # under the name that stayed in the class
    assert contents(again) == {}
    put(again, _version("d", 1, kind="a"))
    assert contents(again) == {("d", 0): 1, ("d", 1): 1}
    backend.drop(NEW)
    backend.drop(OLD)
    assert backend.collections() == []
    assert not weaviate_client.collections.exists(CLASS)


def test_a_vectors_name_that_stayed_is_not_given_to_vectors_of_another_kind(
    backend: WeaviateBackend, old: Collection, new: Collection
) -> None:
    put(new, _version("d", 3, kind="a"))
    backend.drop(OLD)
    with pytest.raises(UnsupportedError, match="distance"):
        backend.create(replace(spec(name=OLD), distance=Distance.DOT))
    assert backend.collections() == [NEW]
    assert len(contents(new)) == 2
    del old


def test_the_last_release_is_not_dropped_while_an_alias_points_at_the_class(
    backend: WeaviateBackend,
    weaviate_client: WeaviateClient,
    old: Collection,
    new: Collection,
) -> None:
    """INV-8: an alias that a team made by hand."""
    put(new, _version("d", 3, kind="a"))
    del old
    weaviate_client.alias.create(alias_name="Docs", target_collection=CLASS)
    backend.drop(OLD)
    with pytest.raises(UnsupportedError, match="Docs"):
        backend.drop(NEW)
    assert len(contents(new)) == 2


def test_a_drop_that_was_killed_is_finished_by_the_next_command(
    backend: WeaviateBackend,
    old: Collection,
    new: Collection,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    put(old, _version("d", 3, kind="a"))
    put(new, _version("d", 3, kind="a"))
    write = entries._write  # noqa: SLF001 - the moment of the kill

    def killed(*args: object, **kwargs: object) -> None:
        write(*args, **kwargs)  # type: ignore[arg-type]
        raise KeyboardInterrupt

    with monkeypatch.context() as patched:
        patched.setattr(entries, "_write", killed)
        with pytest.raises(KeyboardInterrupt):
            backend.drop(OLD)
    with pytest.raises(CollectionMissingError):
        backend.open(OLD, fingerprint=SPACE)
    with pytest.raises(CollectionMissingError):
        put(old, _version("d", 9, kind="zombie"))
    assert backend.collections() == [OLD, NEW]  # it is still to be dropped
    assert contents(backend.create(spec(name=OLD))) == {}  # which making it again does
    assert contents(new) == {("d", 0): 3, ("d", 1): 3}


def test_a_creation_that_was_killed_is_finished_by_the_next_one(
    backend: WeaviateBackend, old: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    put(old, _version("d", 3, kind="a"))
    with monkeypatch.context() as patched:
        patched.setattr(entries, "_write", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            backend.create(spec(name=NEW, fingerprint=OTHER_SPACE))
    with pytest.raises(CollectionMissingError):
        backend.open(NEW, fingerprint=OTHER_SPACE)
    put(backend.create(spec(name=NEW, fingerprint=OTHER_SPACE)), _version("d", 3, kind="a"))
    assert contents(old) == {("d", 0): 3, ("d", 1): 3}


def test_releases_that_are_made_at_the_same_time_all_stand(
    another: Opener, backend: WeaviateBackend
) -> None:
    """Also the class itself, which the first of them makes."""
    given = [
        spec(
            name=CollectionName(f"docs_objects/docs_v{n}_{n:012d}"),
            fingerprint=Fingerprint(f"{n:064d}"),
        )
        for n in range(4)
    ]
    opened = [another(strategy="vector_field") for _ in given]
    pairs = list(zip(opened, given, strict=True))
    with ThreadPoolExecutor(max_workers=4) as pool:
        made = list(pool.map(lambda pair: pair[0].create(pair[1]), pairs))
    for n, collection in enumerate(made):
        put(collection, _version(f"d{n}", 3, kind="a"))
    assert [contents(one) for one in made] == [
        {(f"d{n}", 0): 3, (f"d{n}", 1): 3} for n in range(4)
    ]
    assert backend.collections() == sorted(one.name for one in given)


def test_a_name_that_somebody_else_has_is_refused(
    backend: WeaviateBackend, weaviate_client: WeaviateClient
) -> None:
    weaviate_client.collections.create(CLASS, description="mine, all mine")
    with pytest.raises(AlreadyExistsError, match=CLASS):
        backend.create(spec(name=OLD))
    with pytest.raises(CollectionMissingError):
        backend.open(OLD, fingerprint=SPACE)
    backend.drop(OLD)
    assert weaviate_client.collections.exists(CLASS)
    weaviate_client.collections.delete(CLASS)
    backend.create(spec(name=OLD))
    other = CollectionName("Docs_objects/Docs_v1_aaaaaaaaaaaa")  # an index in another case
    with pytest.raises(AlreadyExistsError):
        backend.create(spec(name=other))


def test_what_was_made_in_one_strategy_opens_in_the_other(
    another: Opener, backend: WeaviateBackend, old: Collection
) -> None:
    own = CollectionName("docs_v0_cccccccccccc")
    plain = another()
    put(plain.create(spec(name=own)), _version("d", 1, kind="a"))
    put(old, _version("e", 2, kind="a"))
    assert len(contents(backend.open(own, fingerprint=SPACE))) == 2
    assert contents(plain.open(OLD, fingerprint=SPACE)) == {("e", 0): 2}
    assert plain.collections() == backend.collections() == [OLD, own]
    for one in (plain, backend):
        with pytest.raises(UnsupportedError, match="alias"):
            one.set_alias("docs", OLD)


def test_what_a_shared_class_cannot_is_refused(
    weaviate_peer: Peer, backend: WeaviateBackend
) -> None:
    can = backend.capabilities
    assert (can.shares_objects, can.own_objects) == (True, True)
    assert {can.aliases, can.lexical, can.adopts, can.names} == {False}
    with pytest.raises(UnsupportedError, match="hybrid"):
        backend.create(replace(spec(name=OLD), lexical=True))
    for options in ({"strategy": "both"}, {"strategy": "vector_field", "tenant": "one"}):
        with pytest.raises(MissingSettingError, match="strategy"):
            weaviate_peer.backend(**options)


def test_an_entry_that_somebody_edited_opens_nothing(
    weaviate_client: WeaviateClient, old: Collection
) -> None:
    """INV-1."""
    put(old, _version("d", 3, kind="a"))
    shelf = weaviate_client.collections.use(CLASS)
    (entry,) = (
        one
        for one in shelf.query.fetch_objects(limit=99).objects
        if one.properties["release"] == "*"
    )
    text = json.loads(str(entry.properties["text"]))
    text["repoint"]["fingerprint"] = OTHER_SPACE
    shelf.data.update(entry.uuid, properties={"text": json.dumps(text)})
    with pytest.raises(FingerprintMismatchError):
        put(old, _version("d", 4, kind="a"))


@pytest.fixture
def workspace(
    weaviate_peer: Peer,
    weaviate_client: WeaviateClient,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
) -> Iterator[Repoint]:
    del weaviate_client  # it tidies up
    monkeypatch.setenv("SHARING_WEAVIATE_KEY", weaviate_peer.key or "none")
    key = 'api_key_env = "SHARING_WEAVIATE_KEY"\n' if weaviate_peer.key else ""
    home = tmp_path / "home"
    Repoint.init(home).close()
    with (home / CONFIG_FILE).open("a", encoding="utf-8") as config:
        config.write(
            f'\n[backends.main]\nkind = "weaviate"\nurl = "{weaviate_peer.url}"\n{key}'
        )
        config.write(f'[backends.main.options]\ngrpc = "{weaviate_peer.grpc}"\n')
        config.write('strategy = "vector_field"\n')
    with Repoint.open(home) as opened:
        docs = opened.create_index("my.docs")
        docs.upsert({"id": f"d{n}", **document(n, version=0)} for n in range(20))
        bring_in_step(docs, "v1", dimensions=64)
        docs.promote("v1", reason="first")
        yield opened


def test_a_release_of_other_chunks_stands_beside_and_the_route_names_its_vector(
    workspace: Repoint, weaviate_client: WeaviateClient
) -> None:
    """INV-1: as an application asks with its own client, from promotion to rollback."""
    docs = workspace.index("my.docs")
    model = ModelSpec(provider="hashing", dimensions=32)
    other = ReleaseSpec(model=model, backend="main", chunking=ChunkingSpec(size=12))
    docs.create_release("v2", other)
    docs.sync("v2")
    seen = []
    for move in (lambda: docs.promote("v2", options=UNMEASURED), lambda: None):
        route = docs.route()
        assert route.collection == docs.routing.service_route().collection
        assert route.vector_field is not None
        found = weaviate_client.collections.use(route.collection).query.near_vector(
            route.embed_query("comets of d2"),
            target_vector=route.vector_field,
            limit=5,
            return_metadata=MetadataQuery(distance=True),
        )
        ours = docs.search("comets of d2", k=5)
        assert {one.properties["release"] for one in found.objects} == {route.vector_field}
        best = 1 - (found.objects[0].metadata.distance or 0)
        assert best == pytest.approx(ours.hits[0].score, abs=1e-5)
        seen.append((route.release, route.collection, route.vector_field))
        move()
    assert [one[0] for one in seen] == ["v1", "v2"]
    assert seen[0][1] == seen[1][1]
    assert seen[0][2] != seen[1][2]
    docs.delete(["d2"])
    docs.rollback(reason="back")
    back = docs.route()
    assert (back.release, back.collection, back.vector_field) == seen[0]
    docs.sync("v2")
    for name in ("v1", "v2"):
        assert docs.diff(name).clean
    assert "d2" not in {hit.id for hit in docs.search("comets of d2", k=20).hits}
    assert all(one.status is not Status.FAILED for one in docs.check())


def test_a_hybrid_release_is_refused_where_words_of_all_stand_together(
    workspace: Repoint,
) -> None:
    model = ModelSpec(provider="hashing", dimensions=32)
    hybrid = ReleaseSpec(model=model, backend="main", hybrid=HybridSpec())
    with pytest.raises(UnsupportedError, match="a class that releases share"):
        workspace.index("my.docs").create_release("v2", hybrid)
