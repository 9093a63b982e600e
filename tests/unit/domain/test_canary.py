"""Who is in a canary: sticky, growing with the share, against as many keys as baseline."""

from collections import Counter
from dataclasses import replace

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoint.domain.canary import Canary, checked_shares
from repoint.domain.errors import BadInputError
from repoint.domain.ids import Epoch, IndexName, ReleaseName
from repoint.domain.telemetry import Arm

DOCS = IndexName("docs")
SHARES = st.floats(min_value=0, max_value=1)
CANDIDATE = {Arm.CANARY, Arm.PINNED}


def canary(share: float, *, since: int = 2, tenants: dict[str, float] | None = None) -> Canary:
    return Canary(
        release=ReleaseName("v2"),
        share=share,
        tenants=tuple(sorted((tenants or {}).items())),
        since=Epoch(since),
    )


@given(st.text(), SHARES, SHARES)
def test_a_key_that_is_in_stays_in_while_the_share_grows(
    key: str, one: float, other: float
) -> None:
    small, large = sorted((one, other))
    if canary(small).arm(DOCS, key, None) in CANDIDATE:
        assert canary(large).arm(DOCS, key, None) in CANDIDATE


@given(st.text(), SHARES)
def test_a_key_s_arm_is_always_the_same(key: str, share: float) -> None:
    assert canary(share).arm(DOCS, key, "acme") is canary(share).arm(DOCS, key, "acme")
    assert canary(0).arm(DOCS, key, None) is Arm.ACTIVE
    assert canary(1).arm(DOCS, key, None) is Arm.PINNED


@pytest.mark.parametrize("share", [0.01, 0.05, 0.2, 0.5, 0.7, 0.95])
def test_the_baseline_has_as_many_keys_and_none_in_common(share: float) -> None:
    keys = 20_000
    arms = Counter(canary(share).arm(DOCS, f"user-{n}", None) for n in range(keys))
    compared = min(share, 1 - share) * keys
    slack = 4 * compared**0.5
    assert abs(arms[Arm.CANARY] - compared) < slack
    assert abs(arms[Arm.BASELINE] - compared) < slack
    assert abs(arms[Arm.CANARY] + arms[Arm.PINNED] - share * keys) < 4 * keys**0.5
    assert arms.total() == keys


def test_another_canary_draws_other_keys() -> None:
    keys = [f"user-{n}" for n in range(4_000)]
    first, second = (
        {key for key in keys if canary(0.1, since=since).arm(DOCS, key, None) is Arm.CANARY}
        for since in (2, 7)
    )
    assert len(first & second) < 80  # one per cent of all, as chance has it


def test_a_tenant_s_rule_counts_for_that_tenant_alone() -> None:
    one = canary(0.05, tenants={"acme": 1.0, "initech": 0.0})
    for n in range(200):
        key = f"user-{n}"
        assert one.arm(DOCS, key, "acme") is Arm.PINNED
        assert one.arm(DOCS, key, "initech") is Arm.ACTIVE
        assert one.arm(DOCS, key, "other") is one.arm(DOCS, key, None)


def test_an_interleaved_canary_has_one_arm() -> None:
    one = replace(canary(0.3), interleaved=True)
    arms = {one.arm(DOCS, f"user-{n}", None) for n in range(300)}
    assert arms == {Arm.INTERLEAVED, Arm.ACTIVE}


def test_it_grows_when_anyone_gets_in_who_was_not() -> None:
    before = canary(0.1, tenants={"acme": 0.5})
    assert canary(0.2, tenants={"acme": 0.5}).grows_from(before)
    assert canary(0.1, tenants={"acme": 0.6}).grows_from(before)
    assert canary(0.1, tenants={"acme": 0.5, "new": 0.2}).grows_from(before)
    assert canary(0.1).grows_from(None)
    assert replace(before, release=ReleaseName("v3")).grows_from(before)
    assert not canary(0.05, tenants={"acme": 0.5}).grows_from(before)
    assert not canary(0.1).grows_from(before)
    assert not canary(0.1, tenants={"acme": 0.5, "new": 0.0}).grows_from(before)


@pytest.mark.parametrize(
    ("share", "tenants"),
    [
        (1.1, []),
        (-0.1, []),
        (float("nan"), []),
        (0.0, []),
        (0.0, [("acme", 0.0)]),
        (0.1, [("acme", 2.0)]),
        (0.1, [("", 0.5)]),
        (0.1, [("acme", 0.5), ("acme", 0.6)]),
    ],
)
def test_shares_that_are_none_are_refused(
    share: float, tenants: list[tuple[str, float]]
) -> None:
    with pytest.raises(BadInputError):
        checked_shares(share, tenants)
