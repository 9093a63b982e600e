"""A backend's whole story: an update, its rollback under load, and the proof, in one test.

Subclass ``StorySuite`` and give it the fixture ``table``: the lines of the backend's table in
``repoint.toml``. Everything else is what an application does through the public client.
"""

from __future__ import annotations

import threading
from collections.abc import Iterator, Mapping
from pathlib import Path
from types import TracebackType
from typing import Self

import pytest

from repoint.client import Index, Repoint
from repoint.domain.document import Json
from repoint.domain.ids import Epoch
from repoint.domain.readiness import Status
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.operations.promote import PromoteOptions
from repoint.testing.conformance import Suite
from repoint.wiring.config import CONFIG_FILE

#: Documents before anything happens.
CORPUS = 150
TOPICS = ("anchors", "bread", "comets", "dunes", "elms", "foxes", "glass")
UNMEASURED = PromoteOptions(without_evaluation="a test", max_lag=100)


class Crowd:
    """People who ask and write all the while, and what they saw."""

    def __init__(self, docs: Index) -> None:
        self._docs = docs
        self._stop = threading.Event()
        self._more = threading.Condition()
        self._threads = [threading.Thread(target=self._ask, args=(n,)) for n in (1, 2)]
        self._threads.append(threading.Thread(target=self._write))
        #: Who answered, at which epoch.
        self.answers: list[tuple[str, int | None]] = []
        self.failed: list[Exception] = []
        #: Acknowledged writes and deletes: the text that stands for each document.
        self.written: dict[str, str | None] = {}

    def answered(self, count: int) -> None:
        """Wait until so many more questions were answered."""
        with self._more:
            wanted = len(self.answers) + count
            assert self._more.wait_for(lambda: len(self.answers) >= wanted, timeout=60)

    def __enter__(self) -> Self:
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._stop.set()
        for thread in self._threads:
            thread.join()

    def _ask(self, number: int) -> None:
        while not self._stop.is_set():
            try:
                question = f"{TOPICS[number % len(TOPICS)]} of d{number}"
                answer = self._docs.search(question, k=3)
            except Exception as error:  # noqa: BLE001 - whatever a user would see counts
                self.failed.append(error)
            else:
                with self._more:
                    self.answers.append((answer.release, answer.epoch))
                    self._more.notify_all()
            number += 7

    def _write(self) -> None:
        number = 0
        while not self._stop.is_set():
            one = f"d{number % CORPUS}" if number % 3 else f"new{number}"
            content = None if number % 5 == 4 else document(number, version=number + 1)
            try:
                if content is None:
                    self._docs.delete([one])
                else:
                    self._docs.upsert([{"id": one, **content}])
                self.written[one] = None if content is None else str(content["text"])
            except Exception as error:  # noqa: BLE001 - as above
                self.failed.append(error)
            number += 1
            self._stop.wait(0.02)


class StorySuite(Suite):
    """What an operator and their users see of a release on this backend."""

    @pytest.fixture
    def table(self) -> str:
        """The lines of the backend's table in ``repoint.toml``."""
        raise NotImplementedError("give the class a fixture: table")

    @pytest.fixture
    def workspace(self, table: str, tmp_path: Path) -> Iterator[Repoint]:
        """An open workspace with an index of a few documents, answered by ``v1``."""
        home = tmp_path / "home"
        Repoint.init(home).close()
        with (home / CONFIG_FILE).open("a", encoding="utf-8") as config:
            config.write(f"\n[backends.main]\n{table}\n")
        with Repoint.open(home) as opened:
            docs = opened.create_index("docs")
            docs.upsert({"id": f"d{n}", **document(n, version=0)} for n in range(CORPUS))
            bring_in_step(docs, "v1", dimensions=64)
            docs.promote("v1", reason="first")
            yield opened

    def test_an_update_is_rolled_back_while_people_ask_and_write(
        self, workspace: Repoint
    ) -> None:
        """0 failed, 0 of mixed spaces, 0 lost, 0 that came back; and the proof says so."""
        docs = workspace.index("docs")
        before = {hit.id for hit in docs.search("comets 4 of d11", k=5).hits}
        bring_in_step(docs, "v2", dimensions=32)
        with Crowd(docs) as crowd:
            docs.promote("v2", reason="next", options=UNMEASURED)
            crowd.answered(20)
            report = docs.rollback(reason="worse")
            crowd.answered(40)
        docs.settle(seconds=30)
        assert crowd.failed == []
        assert report.verified, report.findings
        assert (report.failed, report.active, report.epoch) == ("v2", "v1", 3)
        answering = {move.after.epoch: move.after.active for move in docs.history()}
        assert len(crowd.answers) >= 60
        mixed = [one for one in crowd.answers if one[0] != answering[Epoch(one[1] or 0)]]
        assert mixed == []
        for release in ("v1", "v2"):
            docs.sync(release)
            assert docs.diff(release).clean, docs.diff(release)
        holds(docs, crowd.written)
        assert before & {hit.id for hit in docs.search("comets 4 of d11", k=5).hits}

    def test_a_filter_and_words_work_through_the_client(self, workspace: Repoint) -> None:
        """The fields of the documents, and a hybrid release where the backend has words."""
        docs = workspace.index("docs")
        found = docs.search("bread", k=50, filter='topic = "bread" and number >= 70').hits
        expected = {f"d{n}" for n in range(70, CORPUS) if TOPICS[n % len(TOPICS)] == "bread"}
        assert {hit.id for hit in found} == expected

    def test_an_alias_that_somebody_moved_is_reported_and_put_back_on_command(
        self, workspace: Repoint
    ) -> None:
        """Where there is an alias it follows the pointer; drift is repaired by reconcile."""
        docs = workspace.index("docs")
        bring_in_step(docs, "v2", dimensions=32)
        backend = workspace.workspace.drivers.backend("main")
        if not backend.capabilities.aliases:
            (finding,) = [one for one in docs.check() if one.check == "active:alias"]
            assert finding.status is Status.SKIPPED
            return
        alias = workspace.workspace.drivers.alias("main", docs.release("v1").index)
        first, second = docs.release("v1").collection, docs.release("v2").collection
        assert backend.alias_target(alias) == first
        docs.promote("v2", options=UNMEASURED)
        assert backend.alias_target(alias) == second
        docs.rollback(reason="back")
        assert backend.alias_target(alias) == first
        backend.set_alias(alias, second)
        (finding,) = [one for one in docs.check() if one.check == "active:alias"]
        assert finding.status is Status.FAILED
        assert finding.remedy == "repoint reconcile --repair-alias"
        mended, left = workspace.reconcile()
        assert (mended, len(left)) == ([], 1)
        assert backend.alias_target(alias) == second  # nothing undoes it unasked
        mended, left = workspace.reconcile(repair_alias=True)
        assert (len(mended), left) == (1, [])
        assert backend.alias_target(alias) == first


def document(number: int, *, version: int) -> dict[str, Json]:
    """Return a document's text and metadata, another for each version."""
    topic = TOPICS[number % len(TOPICS)]
    return {
        "text": f"{topic} {version} of d{number}, a note about {topic}",
        "metadata": {"topic": topic, "number": number},
    }


def bring_in_step(docs: Index, name: str, *, dimensions: int) -> None:
    """Make a release and backfill it."""
    model = ModelSpec(provider="hashing", dimensions=dimensions)
    docs.create_release(name, ReleaseSpec(model=model, backend="main"))
    docs.sync(name)


def holds(docs: Index, written: Mapping[str, str | None]) -> None:
    """Check what was acknowledged against what whoever answers has."""
    gone = [name for name, text in written.items() if text is None]
    assert gone
    collection = docs.route().space.collection
    for name, text in written.items():
        hits = docs.search(text or name, k=10).hits
        if text is None:
            assert name not in {hit.id for hit in hits}, f"{name} came back"
        else:
            assert text in {hit.text for hit in hits if hit.id == name}, f"{name} is lost"
    standing = {document for batch in collection.scan() for document in batch.documents}
    assert not standing & set(gone)
