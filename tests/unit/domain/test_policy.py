import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoint.domain.errors import CorruptionError
from repoint.domain.policy import BUILT_IN, GATES, UNSET, Gate, Policy, as_tree, from_tree


@given(
    st.lists(st.sampled_from([kind() for kind in GATES.values()]), min_size=1),
    st.floats(0.1, 1000),
    st.integers(0, 9999),
    st.booleans(),
)
def test_a_policy_comes_back_from_its_tree(
    gates: list[Gate],
    hours: float,
    max_lag: int,
    refuses: bool,  # noqa: FBT001 - drawn
) -> None:
    policy = Policy(
        queries="clinic",
        expires_hours=hours,
        max_lag=max_lag,
        inconclusive_refuses=refuses,
        gates=tuple(gates),
    )
    assert from_tree(as_tree(policy)) == policy


def test_every_gate_has_a_name_of_its_own() -> None:
    assert len(GATES) == len({kind.gate for kind in GATES.values()}) == 9


def test_the_built_in_policy_asks_for_relevance_and_is_version_0() -> None:
    assert UNSET.version == 0
    assert UNSET.policy == BUILT_IN
    assert "relevance" in {gate.gate for gate in BUILT_IN.gates}
    assert BUILT_IN.inconclusive_refuses


@pytest.mark.parametrize("gates", [None, [3], [{"gate": "no"}], [{"gate": "cost", "x": 1}]])
def test_a_stored_policy_that_is_none_is_damage(gates: object) -> None:
    tree = as_tree(BUILT_IN) | {"gates": gates}
    with pytest.raises(CorruptionError, match="stored policy"):
        from_tree(tree)  # type: ignore[arg-type]  # what no policy holds
