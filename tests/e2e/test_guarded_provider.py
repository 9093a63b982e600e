"""A release whose model is behind real HTTP, under guard: rate limits, and a silent change."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path

import pytest

from repoint import Repoint
from repoint.client import Index
from repoint.domain.errors import RateLimitedError
from repoint.domain.guarding import DecisionState
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.operations.promote import PromoteOptions
from repoint.testing.provider import Provider, Reply

POLICY = """
gates: [{gate: empty-answers}]
triggers:
  - {trigger: provider-errors, share: 0.2, rate_limited: 0.02, window: 1h}
  - {trigger: empty-answers}
  - {trigger: latency, p95_ms: 30000}
  - {trigger: model-drift}
"""
#: More patience than anybody has: the error is raised at once.
BUSY = Reply(status=429, headers={"Retry-After": "3600"})


@pytest.fixture
def provider() -> Iterator[Provider]:
    with Provider(dimensions=32) as provider:
        yield provider


@pytest.fixture
def docs(provider: Provider, tmp_path: Path) -> Iterator[Index]:
    """v2 answers by a model of the provider; v1 is a model of this machine."""
    with Repoint.init(tmp_path / "ws") as repoint:
        docs = repoint.create_index("docs")
        docs.upsert(
            {"id": f"d{n}", "text": f"number {n} is of topic {n % 7}"} for n in range(20)
        )
        docs.create_release(
            "v1", ReleaseSpec(model=ModelSpec(provider="hashing", dimensions=64))
        )
        docs.sync("v1")
        docs.promote("v1")
        docs.judging.set_policy(POLICY)
        model = ModelSpec(provider="openai", name="small", dimensions=32, location=provider.url)
        docs.create_release("v2", ReleaseSpec(model=model))
        docs.sync("v2")
        docs.promote("v2", options=PromoteOptions(without_evaluation="a test"))
        for number in range(60):
            assert docs.search(f"number {number} please").release == "v2"
        yield docs


def test_rate_limits_of_live_questions_go_back(docs: Index, provider: Provider) -> None:
    docs.telemetry(since=timedelta(hours=1))  # stores what this process counted
    seen = docs.guarding.look()
    assert seen.decision is None, seen.look
    provider.reply(*[BUSY] * 12)
    for number in range(12):
        with pytest.raises(RateLimitedError):
            docs.search(f"a new question {number}")
    docs.telemetry(since=timedelta(hours=1))

    seen = docs.guarding.look()

    assert seen.look is not None
    outcomes = {one.trigger: one.outcome.value for one in seen.look.results}
    assert outcomes["provider-errors"] == "pass"  # 12 of 72, where a fifth may fail
    assert outcomes["provider-errors:rate-limited"] == "fail"
    assert seen.decision is not None
    assert seen.decision.state is DecisionState.DONE, seen.decision
    assert docs.search("number 3 please").release == "v1"


def test_another_model_behind_the_same_name_goes_back(docs: Index, provider: Provider) -> None:
    provider.change(seed=9)
    seen = docs.guarding.look()
    assert seen.decision is not None, seen.look
    assert seen.decision.why.startswith("model-drift: 16 of 16 probes are off")
    assert seen.decision.outcome["verified"] is True
    assert docs.search("number 3 please").release == "v1"
