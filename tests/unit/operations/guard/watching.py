"""A release under guard: v2 answers, v1 stands behind it, by a policy with triggers."""

from __future__ import annotations

from collections.abc import Mapping
from datetime import timedelta
from typing import Final

from repoint.domain.ids import Actor, query_set_name
from repoint.domain.pointer import Pointer
from repoint.domain.policy import EmptyAnswersGate, Policy
from repoint.domain.triggers import GuardRules, Trigger
from repoint.operations import policies, query_sets
from repoint.operations.guard.looking import Seen, look_once
from repoint.operations.session import Session
from repoint.testing.stage import INDEX, Stage

ITEMS: Final = query_set_name("items")
_WORDS: Final = (
    "amber basalt cedar dune ember fjord garnet heron indigo juniper kelp lichen maple nettle "
    "onyx poplar quartz raven sedge tundra umber violet willow yarrow zinnia"
)
WORDS: Final = tuple(_WORDS.split())


class FakeMetrics:
    """A metrics server whose answers the test writes."""

    def __init__(self) -> None:
        self.values: dict[str, float | None] = {}
        self.fails: Exception | None = None

    def value(
        self, url: str, query: str, *, token_env: str, timeout: timedelta
    ) -> float | None:
        del url, token_env, timeout
        if self.fails is not None:
            raise self.fails
        return self.values.get(query)


def corpus(count: int = 40) -> Mapping[str, str | None]:
    """Return documents whose first sentences tell them apart."""
    return {
        f"d{n}": f"the {WORDS[n % 25]} of {WORDS[n * 7 % 24]} and {WORDS[n // 3]} number {n}. "
        "more"
        for n in range(count)
    }


def prepare(stage: Stage, *, documents: int = 40) -> None:
    """Write the corpus, its questions, and two releases of which v1 answers."""
    stage.write(corpus(documents))
    stage.clock.advance(timedelta(seconds=1))
    for seed, name in enumerate(("v1", "v2"), start=1):
        stage.create(name, seed=seed, chunk=None)
    stage.revive("v1")
    stage.promote("v1")
    query_sets.known_items(stage.session, INDEX, ITEMS, count=documents, seed=0)


def watch(stage: Stage, *triggers: Trigger, rules: GuardRules | None = None) -> None:
    """Set a policy with these triggers, and promote v2 under it."""
    policy = Policy(
        queries="items",
        gates=(EmptyAnswersGate(),),
        guard=rules or GuardRules(),
        triggers=triggers,
    )
    policies.set_policy(stage.session, INDEX, policy, reason="before the update")
    stage.revive("v2")
    stage.promote("v2")
    stage.clock.advance(timedelta(seconds=1))


def guard(stage: Stage) -> Session:
    """Return a guard's session, in a process of its own."""
    return stage.open(Actor("guard"))


def look(
    stage: Stage,
    by: Session | None = None,
    *,
    metrics: FakeMetrics | None = None,
    dry_run: bool = False,
    after: timedelta = timedelta(minutes=5),
) -> Seen:
    """Look once, so long after the last time."""
    stage.clock.advance(after)
    session = by or guard(stage)
    session.announce()
    return look_once(session, INDEX, metrics=metrics or FakeMetrics(), dry_run=dry_run)


def outcomes(seen: Seen) -> dict[str, str]:
    """Return each trigger's outcome."""
    assert seen.look is not None
    return {one.trigger: one.outcome.value for one in seen.look.results}


def pointer(stage: Stage) -> Pointer:
    """Return who answers."""
    with stage.store.read() as view:
        return view.pointers.pointer(INDEX)
