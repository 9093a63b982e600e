"""Answering while a canary is on: each answer wholly by its release, and stamped so."""

import threading
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import AbstractContextManager
from dataclasses import dataclass, field
from datetime import timedelta

import pytest

from repoint.domain.access import Role
from repoint.domain.answer_id import AnswerId
from repoint.domain.errors import BadInputError, NotPermittedError
from repoint.domain.ids import Actor
from repoint.domain.interleaving import Team
from repoint.domain.sequential import Verdict
from repoint.domain.telemetry import Arm
from repoint.operations import feedback, trial, trying
from repoint.operations.query import Answer
from repoint.operations.routing import Router
from repoint.operations.spaces import Spaces
from repoint.ports.embedder import Purpose
from repoint.ports.store import ChangeFeed, Store, Transaction
from repoint.testing.stage import INDEX, Stage

LEASE = timedelta(seconds=10)


class RealFeed:
    """Looks every few milliseconds, of real time: the stage's own clock stands still."""

    def changed(self, *, timeout: float) -> bool:
        threading.Event().wait(min(timeout, 0.005))
        return True

    def close(self) -> None:
        """Hold nothing."""


@dataclass
class Wire:
    """The stage's store, with a feed in real time."""

    store: Store

    def begin(self) -> AbstractContextManager[Transaction]:
        return self.store.begin()

    def read(self) -> AbstractContextManager[Transaction]:
        return self.store.read()

    def watch(self) -> ChangeFeed:
        return RealFeed()

    def scrub(self, traces: Sequence[str]) -> frozenset[str] | None:
        return self.store.scrub(traces)

    def close(self) -> None:
        """Leave it to the stage."""


@dataclass
class Server:
    """A serving process: its routes, and how it answers."""

    stage: Stage
    router: Router = field(init=False)

    def __post_init__(self) -> None:
        self.router = Router(
            Wire(self.stage.store),
            Spaces(self.stage.drivers),
            clock=self.stage.clock,
            process=self.stage.open().process,
            lease=LEASE,
        )

    def search(self, text: str, *, key: str, tenant: str | None = None) -> Answer:
        route = self.router.resolve(INDEX)
        assert route.arms is not None
        return trying.search(
            route.for_key(key, tenant),
            route.arms,
            text,
            limit=4,
            where=None,
            key=key,
            clock=self.stage.clock,
            ids=self.stage.ids,
        ).answer


@pytest.fixture
def server(stage: Stage) -> Iterator[Server]:
    made = Server(stage)
    yield made
    made.router.close()


def read(stage: Stage, answer: Answer) -> AnswerId:
    with stage.store.read() as view:
        secret = view.feedback.secret(INDEX)
    assert secret is not None
    return AnswerId.read(answer.id, index=INDEX, secret=secret)


def test_an_answer_is_wholly_of_the_release_that_its_stamp_names(
    stage: Stage, server: Server
) -> None:
    stage.canary("v2", share=0.3)
    arms: Counter[Arm] = Counter()
    for n in range(60):
        text = f"document {n % 8} asked by {n}"
        for name in ("v1", "v2"):
            stage.model(name).embedded.clear()
        answer = server.search(text, key=f"user-{n}")
        arms[answer.arm] += 1
        asked = {
            name
            for name in ("v1", "v2")
            if any(purpose is Purpose.QUERY for purpose, _ in stage.model(name).embedded)
        }
        assert asked == {answer.release}
        assert answer.release == ("v2" if answer.arm is Arm.CANARY else "v1")
        assert answer.epoch == 2
        alone = stage.space(answer.release)
        vector = alone.embedding.query(alone.preparer.prepare_query(text), cached=False)
        best = alone.collection.search(vector, limit=1)[0]
        assert answer.hits[0].document == best.document
    assert set(arms) == {Arm.CANARY, Arm.BASELINE, Arm.ACTIVE}


def test_a_key_is_always_answered_by_the_same_release(stage: Stage, server: Server) -> None:
    stage.canary("v2", share=0.3)
    first = {f"u{n}": server.search("document 1", key=f"u{n}").release for n in range(40)}
    again = {key: server.search("document 5", key=key).release for key in first}
    assert again == first
    server.router.close()
    stage.canary("v2", share=0.6)
    other = Server(stage)
    for key, release in first.items():
        if release == "v2":
            assert other.search("document 1", key=key).release == "v2"
    other.router.close()


def test_both_arms_begin_with_empty_caches(stage: Stage, server: Server) -> None:
    warm = server.router.resolve(INDEX)
    warm.embed_query("asked before")
    server.router.close()
    stage.canary("v2", share=0.5)
    other = Server(stage)
    route = other.router.resolve(INDEX)
    route.embed_query("asked before")
    for n in range(40):
        for name in ("v1", "v2"):
            stage.model(name).embedded.clear()
        arm = route.for_key(f"u{n}", None)
        before = arm.space.embedding.cache_counts()
        if before.size == 0:
            other.search("asked before", key=f"u{n}")
            assert arm.space.embedding.cache_counts().size == 1
        assert arm.space.embedding is not route.space.embedding
    other.router.close()


def test_a_tenant_has_its_own_share_and_is_not_compared(stage: Stage, server: Server) -> None:
    stage.canary("v2", share=0.0, tenants={"acme": 1.0})
    theirs = server.search("document 1", key="u1", tenant="acme")
    assert (theirs.release, theirs.arm, theirs.id) == ("v2", Arm.PINNED, "")
    assert server.search("document 1", key="u1").release == "v1"
    assert server.search("document 1", key="u1", tenant="else").release == "v1"


def test_an_interleaved_answer_has_both_releases_hits_each_from_its_own_space(
    stage: Stage, server: Server
) -> None:
    stage.canary("v2", share=1.0, interleaved=True)
    seen: Counter[Team] = Counter()
    for n in range(12):
        answer = server.search(f"document {n}", key=f"u{n}")
        assert (answer.release, answer.interleaved_with) == ("v1", "v2")
        assert answer.arm is Arm.INTERLEAVED
        documents = [hit.document for hit in answer.hits]
        assert len(set(documents)) == len(documents) == 4
        seen.update(read(stage, answer).teams.values())
    assert seen[Team.ACTIVE] == seen[Team.CANDIDATE] == 24


def test_feedback_counts_once_for_an_answer_and_once_for_a_key(
    stage: Stage, server: Server
) -> None:
    stage.canary("v2", share=0.5)
    answer = server.search("document 1", key="u1")
    again = server.search("document 2", key="u1")

    def give(one: Answer, *clicked: str) -> feedback.Counted:
        return feedback.give(stage.session, INDEX, one.id, clicked=clicked, grades=None)

    assert give(answer, answer.hits[0].document) == feedback.Counted(counted=True, outcome=1.0)
    assert not give(answer).counted
    assert not give(again).counted  # the same key


def test_interleaved_feedback_credits_whose_pick_it_was(stage: Stage, server: Server) -> None:
    stage.canary("v2", share=1.0, interleaved=True)
    for n in range(60):
        answer = server.search(f"document {n % 8}", key="one and the same")
        teams = read(stage, answer).teams
        mine = [
            hit.document
            for hit, team in zip(answer.hits, teams.values(), strict=True)
            if team is Team.CANDIDATE
        ]
        done = feedback.give(
            stage.session, INDEX, answer.id, clicked=(), grades=dict.fromkeys(mine, 2)
        )
        assert done == feedback.Counted(counted=True, outcome=1.0)
    found = trial.show(stage.session, INDEX)
    assert found is not None
    assert found.decision.verdict is Verdict.BETTER
    assert found.decision.observations == 60


def test_feedback_on_what_is_over_or_was_never_compared_counts_nothing(
    stage: Stage, server: Server
) -> None:
    stage.canary("v2", share=0.5)
    answer = server.search("document 1", key="u1")
    stage.stop_canary()
    stage.canary("v2", share=0.5)  # another one
    for given in (answer.id, ""):
        done = feedback.give(stage.session, INDEX, given, clicked=["d1"], grades=None)
        assert not done.counted
    with pytest.raises(BadInputError, match="no id"):
        feedback.give(stage.session, INDEX, "made-up", clicked=["d1"], grades=None)
    with pytest.raises(BadInputError, match="below 0"):
        feedback.give(stage.session, INDEX, answer.id, clicked=(), grades={"d1": -1})
    found = trial.show(stage.session, INDEX)
    assert found is not None
    assert found.decision.observations == 0


def test_feedback_needs_a_role(stage: Stage, server: Server) -> None:
    stage.canary("v2", share=0.5)
    answer = server.search("document 1", key="u1")
    with stage.store.begin() as tx:
        tx.access.grant(Actor("ana"), Role.ADMIN, None)
    stranger = stage.open(Actor("eve"), is_owner=False)
    with pytest.raises(NotPermittedError):
        feedback.give(stranger, INDEX, answer.id, clicked=["d1"], grades=None)
    with pytest.raises(NotPermittedError):
        trial.show(stranger, INDEX)


def test_without_a_canary_there_is_nothing_to_show(stage: Stage) -> None:
    assert trial.show(stage.session, INDEX) is None
