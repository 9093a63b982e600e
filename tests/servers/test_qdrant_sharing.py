"""Attacks on points that releases share: none may change what another reads (INV-1, INV-2)."""

import random
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from types import SimpleNamespace

import pytest

from repoint.backends.memory import MemoryBackend
from repoint.client import Repoint
from repoint.domain.document import Json
from repoint.domain.errors import (
    BackendUnavailableError,
    BadSpecError,
    CollectionMissingError,
    MissingSettingError,
    UnsupportedError,
)
from repoint.domain.filters import Compare, Comparison, Not
from repoint.domain.ids import CollectionName, DocumentId, Fingerprint, Lsn
from repoint.domain.readiness import Status
from repoint.domain.spec import ChunkingSpec, HybridSpec, ModelSpec, ReleaseSpec
from repoint.ports.backend import Backend, Collection
from repoint.ports.settings import BackendSettings, Option
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

pytestmark = [pytest.mark.backend("qdrant vector field"), pytest.mark.engine]

OLD = CollectionName("docs_objects/docs_v1_aaaaaaaaaaaa")
NEW = CollectionName("docs_objects/docs_v2_bbbbbbbbbbbb")
SHARING: Mapping[str, Option] = {"strategy": "vector_field"}
X, Y = (1.0, 0.0, 0.0), (0.0, 1.0, 0.0)


def _opened(folder: Path, options: Mapping[str, Option] = SHARING, *, url: str = "") -> Backend:
    from repoint.backends.qdrant import QdrantDriver  # noqa: PLC0415 - loads the library

    settings = BackendSettings(name="q", folder=folder, url=url, options=options)
    return QdrantDriver.from_settings(settings)


@pytest.fixture
def backend(tmp_path: Path) -> Iterator[Backend]:
    pytest.importorskip("qdrant_client", reason="run it with: make servers-test")
    opened = _opened(tmp_path / "vectors")
    yield opened
    opened.close()


@pytest.fixture
def old(backend: Backend) -> Collection:
    return backend.create(spec(name=OLD))


@pytest.fixture
def new(backend: Backend, old: Collection) -> Collection:
    del old  # the first to stand
    return backend.create(spec(name=NEW, fingerprint=OTHER_SPACE))


def _raw(backend: Backend) -> list[dict[str, object]]:
    """Return every point's payload, and its vectors under ``vectors``, as they lie."""
    found, _ = backend._engine.run(  # type: ignore[attr-defined] # noqa: SLF001 - past the driver
        lambda client: client.scroll("docs_objects", limit=10_000, with_vectors=True),
        about="objects",
    )
    return [{**one.payload, "vectors": set(one.vector)} for one in found]


def _texts(collection: Collection, space: Fingerprint = SPACE) -> dict[str, tuple[str, int]]:
    found = collection.search(query(1, 1, 1, space=space), limit=1000)
    return {f"{hit.document}:{hit.slot}": (hit.text, hit.lsn) for hit in found}


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


def test_in_step_a_text_stands_once_and_each_release_has_its_vector(
    backend: Backend, old: Collection, new: Collection
) -> None:
    for collection in (old, new):
        put(collection, _version("d", 2, kind="a"))
    first, second = sorted(_raw(backend), key=lambda one: str(one["slot"]))
    assert first["text"] == "d as of 2, chunk 0"
    assert first["vectors"] == {"docs_v1_aaaaaaaaaaaa", "docs_v2_bbbbbbbbbbbb"}
    assert "own" not in str(first["cells"])
    assert (second["vectors"], "text" in second) == (set(), False)  # an emptied slot


def test_a_candidate_that_is_ahead_changes_nothing_that_the_active_one_answers(
    old: Collection, new: Collection
) -> None:
    """Neither text nor metadata nor filters; and when the active one follows, they are one."""
    for name in ("d", "e"):
        put(old, _version(name, 3, kind="before"))
    asked = (
        Compare("kind", Comparison.EQUAL, "before"),
        Not(Compare("kind", Comparison.EQUAL, "after")),
        Compare("n", Comparison.LESS, 4),
        Compare("n", Comparison.UNEQUAL, 5),
    )
    before = [old.search(query(*X), limit=9, where=one) for one in (None, *asked)]
    put(new, _version("d", 5, kind="after"), _version("e", 6))
    put(new, _version("f", 7, kind="after"))
    assert [old.search(query(*X), limit=9, where=one) for one in (None, *asked)] == before
    assert {hit.metadata["kind"] for hit in old.search(query(*X), limit=9)} == {"before"}
    theirs = new.search(query(*X, space=OTHER_SPACE), limit=9, where=Not(asked[0]))
    assert {(hit.document, hit.lsn) for hit in theirs} == {("d", 5), ("f", 7)}
    assert new.search(query(*X, space=OTHER_SPACE), limit=9, where=asked[0]) == []
    put(old, _version("d", 5, kind="after"), _version("e", 6), _version("f", 7, kind="after"))
    assert _texts(old) == _texts(new, OTHER_SPACE)


def test_a_delete_in_one_leaves_the_other_until_it_follows(
    backend: Backend, old: Collection, new: Collection
) -> None:
    """INV-6: and once both have it, no older version of either comes back."""
    for collection in (old, new):
        put(collection, _version("d", 1, kind="a"))
    put(new, _version("d", 4))
    assert contents(new) == {}
    assert contents(old) == {("d", 0): 1, ("d", 1): 1}
    put(new, _version("d", 3, kind="late"))
    put(old, _version("d", 4))
    for collection in (old, new):
        put(collection, _version("d", 2, kind="zombie"))
        assert contents(collection) == {}
        assert collection.counts().emptied == 2
    assert all("text" not in one and "own" not in str(one) for one in _raw(backend))


@pytest.mark.parametrize("seed", range(6))
def test_any_writes_of_two_releases_leave_each_as_if_it_were_alone(
    old: Collection, new: Collection, seed: int
) -> None:
    """INV-2: random versions, deletes, purges and clean-ups, against one model for each."""
    chance = random.Random(seed)  # noqa: S311 - a test's own
    pairs = [
        (subject, MemoryBackend().create(subject.spec), subject.spec.fingerprint)
        for subject in (old, new)
    ]
    for lsn in chance.sample(range(1, 200), 40):
        act = _any_act(chance, lsn)
        for collection in pairs[chance.randrange(2)][:2]:
            act(collection)
    for subject, model, space in pairs:
        assert _texts(subject, space) == _texts(model, space)
        assert subject.counts().emptied == model.counts().emptied
        for where in (
            Compare("kind", Comparison.EQUAL, "a"),
            Not(Compare("n", Comparison.LESS, 90)),
        ):
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


def test_writers_of_both_releases_at_once_lose_nothing(
    old: Collection, new: Collection
) -> None:
    def write(turn: int) -> None:
        collection = (old, new)[turn % 2]
        versions = [_version(f"d{n}", turn + 1, kind="a") for n in range(12)]
        put(collection, *versions)

    with ThreadPoolExecutor(max_workers=4) as pool:
        list(pool.map(write, random.Random(5).sample(range(16), 16)))  # noqa: S311
    for collection, newest in ((old, 15), (new, 16)):
        expected = {
            (f"d{n}", slot): newest for n in range(12) for slot in range(1 + newest % 2)
        }
        assert contents(collection) == expected
        stored = collection.stored([DocumentId("d3")], with_vectors=True)
        assert stored.vectors is not None
        assert stored.vectors.tolist() == [list(X), list(Y)][: 1 + newest % 2]


@pytest.mark.parametrize("exists", [True, False])
def test_a_write_that_comes_between_reading_and_replacing_is_not_lost(
    monkeypatch: pytest.MonkeyPatch, old: Collection, new: Collection, *, exists: bool
) -> None:
    """What another process does between the two, also to a point that was not there."""
    if exists:
        put(old, _version("d", 1, kind="a"))
        put(new, _version("d", 1, kind="a"))
    _between(monkeypatch, lambda: put(new, _version("d", 9, kind="theirs")), times=3)
    put(old, _version("d", 7, kind="ours"))
    assert _texts(old) == {f"d:{n}": (f"d as of 7, chunk {n}", 7) for n in range(2)}
    assert _texts(new, OTHER_SPACE) == {
        f"d:{n}": (f"d as of 9, chunk {n}", 9) for n in range(2)
    }


def test_a_newer_version_that_comes_between_stands(
    monkeypatch: pytest.MonkeyPatch, old: Collection, new: Collection
) -> None:
    """A writer that lost its lease, of the same release."""
    put(new, _version("d", 1, kind="a"))
    _between(monkeypatch, lambda: put(old, _version("d", 9)), times=1)
    put(old, _version("d", 7, kind="zombie"))
    assert contents(old) == {}
    assert contents(new) == {("d", 0): 1, ("d", 1): 1}


def test_a_vector_that_is_dropped_between_reading_and_replacing_is_left_behind(
    monkeypatch: pytest.MonkeyPatch, backend: Backend, old: Collection, new: Collection
) -> None:
    """The server refuses the whole request then, and the next one is made without it."""
    put(old, _version("d", 1, kind="a"))
    put(new, _version("d", 1, kind="a"))
    _refuse(monkeypatch, first=lambda: backend.drop(NEW), times=1)
    put(old, _version("d", 7, kind="a"))
    assert contents(old) == {("d", 0): 7, ("d", 1): 7}
    assert all("docs_v2" not in str(one) for one in _raw(backend))


def test_what_the_server_refuses_for_another_reason_is_said(
    monkeypatch: pytest.MonkeyPatch, old: Collection
) -> None:
    put(old, _version("d", 1, kind="a"))
    _refuse(monkeypatch, first=lambda: None, times=9)
    with pytest.raises(BackendUnavailableError, match="400"):
        put(old, _version("d", 7, kind="a"))
    assert contents(old) == {("d", 0): 1, ("d", 1): 1}


def _refuse(monkeypatch: pytest.MonkeyPatch, *, first: Callable[[], None], times: int) -> None:
    """Let the server refuse writes of points, after something happened."""
    from httpx import Headers  # noqa: PLC0415 - comes with the client
    from qdrant_client import QdrantClient  # noqa: PLC0415 - not everywhere
    from qdrant_client.http.exceptions import UnexpectedResponse  # noqa: PLC0415

    write, left = QdrantClient.batch_update_points, [times]

    def written(client: QdrantClient, *args: object, **kwargs: object) -> object:
        if left[0] == 0:
            return write(client, *args, **kwargs)
        remaining, left[0] = left[0], 0
        first()
        left[0] = remaining - 1
        raise UnexpectedResponse(400, "Bad Request", b"Not existing vector name", Headers())

    monkeypatch.setattr(QdrantClient, "batch_update_points", written)


@pytest.mark.parametrize(("version", "is_refused"), [("1.17.9", True), ("1.18.0", False)])
def test_a_server_that_cannot_add_vectors_is_refused(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, version: str, *, is_refused: bool
) -> None:
    pytest.importorskip("qdrant_client", reason="run it with: make servers-test")
    from repoint.backends.qdrant import engine  # noqa: PLC0415 - loads the library

    class Server:
        def __init__(self, **_: object) -> None:
            self.closed = False

        def info(self) -> SimpleNamespace:
            return SimpleNamespace(version=version)

        def get_collections(self) -> SimpleNamespace:
            return SimpleNamespace(collections=[])

        def close(self) -> None:
            self.closed = True

    monkeypatch.setattr(engine, "QdrantClient", Server)
    opened = _opened(tmp_path, url="http://127.0.0.1:1")
    if is_refused:
        with pytest.raises(UnsupportedError, match="vector_field") as caught:
            opened.collections()
        assert "1.18 or newer" in caught.value.hint
    else:
        assert opened.collections() == []
    opened.close()


def test_others_that_never_stop_are_said_so(
    monkeypatch: pytest.MonkeyPatch, old: Collection, new: Collection
) -> None:
    from repoint.backends.qdrant import rewriting  # noqa: PLC0415 - loads the library

    monkeypatch.setattr(rewriting, "PAUSE_S", 0.0)
    lsns = iter(range(10, 500))
    _between(monkeypatch, lambda: put(new, _version("d", next(lsns), kind="b")), times=400)
    with pytest.raises(BackendUnavailableError, match="write"):
        put(old, _version("d", 7, kind="a"))


def _between(monkeypatch: pytest.MonkeyPatch, act: Callable[[], None], *, times: int) -> None:
    """Let something happen after points were read and before they are replaced."""
    from repoint.backends.qdrant import rewriting  # noqa: PLC0415 - loads the library

    look, left = rewriting._vectors, [times]  # noqa: SLF001 - between the two

    def looked(client: object, place: object) -> frozenset[str]:
        if left[0] > 0:
            remaining, left[0] = left[0], 0
            act()
            left[0] = remaining - 1
        return look(client, place)  # type: ignore[arg-type]

    monkeypatch.setattr(rewriting, "_vectors", looked)


def test_dropping_one_takes_its_vectors_and_leaves_the_other_answering(
    backend: Backend, old: Collection, new: Collection
) -> None:
    put(old, _version("d", 3, kind="a"), _version("only old", 4, kind="a"))
    put(new, _version("d", 5, kind="b"), _version("only new", 6, kind="b"))
    before = new.search(query(*X, space=OTHER_SPACE), limit=9)
    with ThreadPoolExecutor(max_workers=1) as pool:
        asked = pool.submit(
            lambda: [new.search(query(*X, space=OTHER_SPACE), limit=9) for _ in range(50)]
        )
        backend.drop(OLD)
    assert all(found == before for found in asked.result())
    assert backend.collections() == [NEW]
    with pytest.raises(CollectionMissingError):
        backend.open(OLD, fingerprint=SPACE)
    for call in (lambda: put(old, _version("d", 9, kind="zombie")), old.counts):
        with pytest.raises(CollectionMissingError):
            call()
    raw = _raw(backend)
    assert {one["document"] for one in raw} == {"d", "only new"}
    assert all("docs_v1" not in str(one) for one in raw)
    again = backend.create(spec(name=OLD))
    assert contents(again) == {}
    put(again, _version("d", 1, kind="a"))
    assert contents(again) == {("d", 0): 1, ("d", 1): 1}
    backend.drop(NEW)
    backend.drop(OLD)
    assert backend.collections() == []


def test_a_drop_that_was_killed_is_finished_by_the_next_command(
    backend: Backend, old: Collection, new: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    from repoint.backends.qdrant import objects  # noqa: PLC0415 - loads the library

    put(old, _version("d", 3, kind="a"))
    put(new, _version("d", 3, kind="a"))
    with monkeypatch.context() as killed:
        killed.setattr(objects, "remove", lambda *_: (_ for _ in ()).throw(KeyboardInterrupt))
        with pytest.raises(KeyboardInterrupt):
            backend.drop(OLD)
    with pytest.raises(CollectionMissingError):
        backend.open(OLD, fingerprint=SPACE)
    assert backend.collections() == [OLD, NEW]  # it is still to be dropped
    assert contents(backend.create(spec(name=OLD))) == {}  # which making it again does
    assert contents(new) == {("d", 0): 3, ("d", 1): 3}
    backend.drop(OLD)
    assert backend.collections() == [NEW]


def test_a_creation_that_was_killed_is_finished_by_the_next_one(
    backend: Backend, old: Collection, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nothing of it is dropped: another process may be making the same at this moment."""
    from qdrant_client import QdrantClient  # noqa: PLC0415 - not everywhere

    put(old, _version("d", 3, kind="a"))
    with monkeypatch.context() as killed:
        killed.setattr(
            QdrantClient,
            "create_vector_name",
            lambda *_: (_ for _ in ()).throw(KeyboardInterrupt),
        )
        with pytest.raises(KeyboardInterrupt):
            backend.create(spec(name=NEW, fingerprint=OTHER_SPACE))
    with pytest.raises(CollectionMissingError):
        backend.open(NEW, fingerprint=OTHER_SPACE)
    with monkeypatch.context() as gone:
        gone.setattr(
            QdrantClient, "delete_vector_name", lambda *_: pytest.fail("it was dropped")
        )
        put(backend.create(spec(name=NEW, fingerprint=OTHER_SPACE)), _version("d", 3, kind="a"))
    assert contents(old) == {("d", 0): 3, ("d", 1): 3}


def test_erasing_a_document_in_both_leaves_nothing_of_it(
    backend: Backend, old: Collection, new: Collection
) -> None:
    put(old, _version("secret", 3, kind="a"), _version("d", 1, kind="a"))
    put(new, _version("secret", 5, kind="b"), _version("d", 1, kind="a"))
    old.purge([DocumentId("secret")])
    assert "as of 3" not in str(_raw(backend))
    new.purge([DocumentId("secret")])
    assert {one["document"] for one in _raw(backend)} == {"d"}


def test_what_was_made_in_one_strategy_opens_in_the_other(tmp_path: Path) -> None:
    pytest.importorskip("qdrant_client", reason="run it with: make servers-test")
    own = CollectionName("docs_v0_cccccccccccc")
    plain = _opened(tmp_path / "vectors", {})
    put(plain.create(spec(name=own)), _version("d", 1, kind="a"))
    plain.close()
    sharing = _opened(tmp_path / "vectors")
    assert len(contents(sharing.open(own, fingerprint=SPACE))) == 2
    put(sharing.create(spec(name=OLD)), _version("e", 2, kind="a"))
    with pytest.raises(UnsupportedError, match="alias"):
        sharing.set_alias("docs", OLD)
    sharing.close()
    plain = _opened(tmp_path / "vectors", {})
    assert contents(plain.open(OLD, fingerprint=SPACE)) == {("e", 0): 2}
    assert sorted(plain.collections()) == [OLD, own]
    plain.close()


@pytest.mark.parametrize("options", [{"strategy": "both"}, {"stratgey": "vector_field"}])
def test_a_strategy_that_is_none_is_refused(tmp_path: Path, options: dict[str, Option]) -> None:
    pytest.importorskip("qdrant_client", reason="run it with: make servers-test")
    with pytest.raises(MissingSettingError, match="strategy"):
        _opened(tmp_path, options)


@pytest.fixture
def workspace(tmp_path: Path) -> Iterator[Repoint]:
    pytest.importorskip("qdrant_client", reason="run it with: make servers-test")
    home = tmp_path / "home"
    Repoint.init(home).close()
    with (home / CONFIG_FILE).open("a", encoding="utf-8") as config:
        config.write('\n[backends.main]\nkind = "qdrant"\n')
        config.write('[backends.main.options]\nstrategy = "vector_field"\n')
    with Repoint.open(home) as opened:
        docs = opened.create_index("docs")
        docs.upsert({"id": f"d{n}", **document(n, version=0)} for n in range(20))
        bring_in_step(docs, "v1", dimensions=64)
        docs.promote("v1", reason="first")
        yield opened


def test_a_release_that_makes_other_objects_is_refused_before_anything_is_stored(
    workspace: Repoint,
) -> None:
    docs = workspace.index("docs")
    model = ModelSpec(provider="hashing", dimensions=32)
    other = ReleaseSpec(model=model, backend="main", chunking=ChunkingSpec(size=40))
    with pytest.raises(BadSpecError, match="v1, whose objects it would share") as caught:
        docs.create_release("v2", other)
    assert caught.value.field == "chunking.size"
    assert "backend: NAME" in caught.value.hint
    assert [one.name for one in docs.releases()] == ["v1"]


def test_a_hybrid_release_is_refused_where_words_of_all_releases_stand_together(
    workspace: Repoint,
) -> None:
    model = ModelSpec(provider="hashing", dimensions=32)
    hybrid = ReleaseSpec(model=model, backend="main", hybrid=HybridSpec())
    with pytest.raises(UnsupportedError, match="objects that releases share"):
        workspace.index("docs").create_release("v2", hybrid)


def test_a_dropped_release_is_gone_and_the_one_that_answers_is_whole(
    workspace: Repoint,
) -> None:
    docs = workspace.index("docs")
    bring_in_step(docs, "v2", dimensions=32)
    docs.promote("v2", options=UNMEASURED)
    before = docs.search("comets of d2", k=9).hits
    docs.accept("v2")
    docs.retire("v1")
    docs.drop("v1")
    assert docs.search("comets of d2", k=9).hits == before
    docs.delete(["d2"])
    docs.sync("v2")
    assert docs.diff("v2").clean
    assert all(one.status is not Status.FAILED for one in docs.check())


def test_the_route_names_the_vector_that_an_application_asks_with_its_own_client(
    workspace: Repoint,
) -> None:
    docs = workspace.index("docs")
    bring_in_step(docs, "v2", dimensions=32)
    client = workspace.workspace.drivers.backend("main")._engine._opened()  # type: ignore[attr-defined] # noqa: SLF001 - in local mode the client is one
    seen = []
    for move in (lambda: docs.promote("v2", options=UNMEASURED), lambda: None):
        route, service = docs.route(), docs.routing.service_route()
        assert (route.collection, route.vector_field) == ("docs_objects", service.vector_field)
        tree: dict[str, Json] = service.tree()
        assert (tree["collection"], tree["vector_field"]) == (
            "docs_objects",
            route.vector_field,
        )
        found = client.query_points(
            route.collection,
            query=route.embed_query("comets of d2"),
            using=route.vector_field,
            limit=5,
        )
        ours = docs.search("comets of d2", k=5)
        assert {one.payload["document"] for one in found.points} == {h.id for h in ours.hits}
        seen.append((route.release, route.vector_field, ours.epoch))
        move()
    assert [(one[0], one[2]) for one in seen] == [("v1", 1), ("v2", 2)]
    assert seen[0][1] != seen[1][1]
    docs.rollback(reason="back")
    assert (docs.route().release, docs.route().vector_field) == seen[0][:2]
