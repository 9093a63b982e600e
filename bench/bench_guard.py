"""A guard: how often it acts on nothing, and how soon it is back after a fault.

False alarms are counted over simulated days on which nothing is wrong
(``repoint.testing.guard_days``), a look every five minutes, and over one watch as long as all
of them; beside it, the same days judged by a t-test that is repeated at every look. The times
are of real releases on LanceDB: a guard runs in this process, looking every second; documents
vanish from the collection that answers, or an alert comes in over HTTP.
"""

from __future__ import annotations

import math
import threading
import time
from collections.abc import Callable
from datetime import timedelta
from functools import cache

import httpx2
import numpy as np
from bench.models import MINILM, STATIC
from bench.texts import documents
from bench.workspaces import fill, in_step, workspace
from scipy import stats

from repoint.client import Index, Repoint
from repoint.domain.ids import DocumentId
from repoint.domain.policy import EmptyAnswersGate, Policy
from repoint.domain.triggers import (
    AlertTrigger,
    GuardRules,
    MissingDocumentsTrigger,
    ModelDriftTrigger,
    RelevanceTrigger,
    SearchProbesTrigger,
)
from repoint.operations.evaluate.statistics import Floats
from repoint.operations.guard.looking import Seen
from repoint.operations.promote import PromoteOptions
from repoint.testing.guard_days import LOOKS_A_DAY, Day, alarm_at, alarm_days

TOKEN = "0123456789abcdef0123456789abcdef"  # noqa: S105 - of this benchmark alone
#: The chance of an alarm on nothing that a single test is made for.
LEVEL = 0.01
EVERY = timedelta(seconds=1)
#: Seconds after which a guard that does nothing is given up on.
PATIENCE = 120.0


def measure(*, seed: int, smoke: bool) -> dict[str, float]:
    """Return alarms on nothing, and seconds from a fault to the end of its rollback."""
    days, looks = (3, 12) if smoke else (200, LOOKS_A_DAY)
    random = np.random.default_rng(seed)
    figures = {
        "false_alarm_days": float(alarm_days(random, days=days, looks=looks)),
        "of_days": float(days),
        "false_alarms_of_one_long_watch": float(
            alarm_at(Day(random), days * looks) is not None
        ),
        "repeated_t_test_alarm_days": float(_repeated(random, days=days, looks=looks)),
    }
    return {**figures, **_times(seed=seed, smoke=smoke)}


def _repeated(random: np.random.Generator, *, days: int, looks: int) -> int:
    """Return on how many days a test at one in a hundred, at each look, finds a loss."""
    return sum(_finds_a_loss(Day(random), looks) for _ in range(days))


def _finds_a_loss(day: Day, looks: int) -> bool:
    return any(_is_surely_lower(part) for _ in range(looks) for part in day.differences())


def _is_surely_lower(part: Floats) -> bool:
    error = float(part.std(ddof=1)) / math.sqrt(part.size)
    return float(part.mean()) + _student(part.size - 1) * error < 0.0


@cache
def _student(freedom: int) -> float:
    return float(stats.t.ppf(1.0 - LEVEL, freedom))


def _times(*, seed: int, smoke: bool) -> dict[str, float]:
    size, questions = (200, 20) if smoke else (2_000, 200)
    with workspace() as (repoint, _):
        docs = repoint.create_index("docs")
        fill(docs, documents(size, seed=seed))
        in_step(repoint, "docs", "v1", STATIC)
        docs.promote("v1")
        docs.judging.known_items("items", count=questions, seed=seed)
        docs.judging.set_policy(_policy())
        in_step(repoint, "docs", "v2", STATIC if smoke else MINILM)
        docs.judging.evaluate("v2", queries="items")
        figures = {
            "alert_to_rolled_back_s": _until_back(docs, _alert),
            "documents_vanish_to_rolled_back_s": _until_back(
                docs, lambda _: _vanish(repoint, docs, size)
            ),
        }
        looks = [one.seconds for one in docs.guarding.looks(limit=1_000)]
        figures["one_look_s"] = float(np.median(looks))
    return figures


def _policy() -> Policy:
    return Policy(
        queries="items",
        gates=(EmptyAnswersGate(),),
        guard=GuardRules(every=EVERY, cool_down=timedelta(seconds=1), rollbacks=9),
        triggers=(
            RelevanceTrigger(measure="RR@10"),
            MissingDocumentsTrigger(share=0.01),
            ModelDriftTrigger(),
            SearchProbesTrigger(),
            AlertTrigger(alert="Slow"),
        ),
    )


def _until_back(docs: Index, fault: Callable[[str], None]) -> float:
    """Promote v2 under guard, let the fault happen, and return the seconds to v1's proof."""
    docs.promote("v2", options=PromoteOptions(without_evaluation="benchmark"))
    looked, back = threading.Event(), threading.Event()
    proofs: list[object] = []

    def told(seen: Seen) -> None:
        looked.set()
        if seen.decision is not None and "verified" in seen.decision.outcome:
            proofs.append(seen.decision.outcome["verified"])
            back.set()

    with docs.guarding.run(listen="127.0.0.1:0", token=TOKEN, tell=told) as guard:
        if not looked.wait(PATIENCE) or guard.webhook_url is None:
            raise RuntimeError(f"the guard does not look: {guard.last_error}")
        began = time.perf_counter()
        fault(guard.webhook_url)
        if not back.wait(PATIENCE):
            raise RuntimeError(f"the guard does not go back: {guard.last_error}")
        taken = time.perf_counter() - began
    if proofs != [True]:
        raise RuntimeError("the rollback was not verified")
    return taken


def _vanish(repoint: Repoint, docs: Index, size: int) -> None:
    space = repoint.session.spaces.open(docs.release("v2"))
    space.collection.purge([DocumentId(f"d{number}") for number in range(0, size, 2)])


def _alert(url: str) -> None:
    headers = {"Authorization": f"Bearer {TOKEN}"}
    httpx2.post(url, json={"alert": "Slow", "status": "firing"}, headers=headers)
