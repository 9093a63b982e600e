import pytest

from repoint.domain.gates import Change, GateResult, Outcome, finding, not_worse, worst
from repoint.domain.readiness import Status


def change(difference: float, low: float, high: float, *, fail_high: float) -> Change:
    return Change(difference=difference, low=low, high=high, fail_high=fail_high)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        (change(0.1, 0.05, 0.15, fail_high=0.16), Outcome.PASS),
        (change(-0.01, -0.02, 0.0, fail_high=0.01), Outcome.PASS),
        (change(-0.01, -0.03, 0.01, fail_high=0.02), Outcome.INCONCLUSIVE),
        (change(0.1, -0.03, 0.23, fail_high=0.3), Outcome.INCONCLUSIVE),
        # A sure loss that is small, and a large one that may be chance.
        (change(-0.015, -0.025, -0.005, fail_high=-0.001), Outcome.INCONCLUSIVE),
        (change(-0.2, -0.4, -0.01, fail_high=0.02), Outcome.INCONCLUSIVE),
        (change(-0.2, -0.3, -0.1, fail_high=-0.05), Outcome.FAIL),
        (change(0.0, 0.0, 0.0, fail_high=0.0), Outcome.PASS),
    ],
)
def test_a_wide_interval_is_no_permission_and_no_proof(
    given: Change, expected: Outcome
) -> None:
    assert not_worse(given, tolerance=0.02) is expected


def test_the_worst_outcome_counts_and_no_data_is_no_pass() -> None:
    assert worst([]) is Outcome.FAIL
    assert worst([Outcome.PASS, Outcome.PASS]) is Outcome.PASS
    assert worst([Outcome.PASS, Outcome.INCONCLUSIVE]) is Outcome.INCONCLUSIVE
    assert worst([Outcome.INCONCLUSIVE, Outcome.ERROR]) is Outcome.ERROR
    assert worst([Outcome.ERROR, Outcome.FAIL]) is Outcome.FAIL


@pytest.mark.parametrize(
    ("outcome", "refusing", "warning"),
    [
        (Outcome.PASS, Status.OK, Status.OK),
        (Outcome.FAIL, Status.FAILED, Status.FAILED),
        (Outcome.ERROR, Status.FAILED, Status.FAILED),
        (Outcome.INCONCLUSIVE, Status.FAILED, Status.WARNING),
    ],
)
def test_only_a_pass_or_a_tolerated_doubt_is_not_in_the_way(
    outcome: Outcome, refusing: Status, warning: Status
) -> None:
    result = GateResult(gate="cost", outcome=outcome, summary="so much", figures={"value": 1})
    strict = finding(result, inconclusive_refuses=True)
    assert strict.status is refusing
    assert finding(result, inconclusive_refuses=False).status is warning
    assert strict.check == "gate:cost"
    assert strict.figures == {"outcome": outcome.value, "value": 1}
