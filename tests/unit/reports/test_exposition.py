"""What Prometheus is given: its own parser reads it, and the figures are those measured."""

from collections import Counter

from prometheus_client.parser import text_string_to_metric_families

from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.telemetry import Arm, ArmReading, Count, Stage, Tally, Window
from repoint.reports.exposition import exposition
from repoint.testing.clock import NOON


def window() -> Window:
    tally = Tally(
        counts=Counter({Count.QUERIES: 4, Count.FAILED: 1}),
        errors=Counter({"rate-limited": 1}),
        cost=0.5,
    )
    for value in (2.0, 3.0, 40.0, 30_000.0):
        tally.measure(Stage.TOTAL, value)
    reading = ArmReading(release=ReleaseName("v1"), arm=Arm.ACTIVE, tally=tally)
    return Window(index=IndexName("docs"), since=NOON, until=NOON, arms=(reading,))


def test_prometheus_own_parser_reads_every_figure() -> None:
    found = {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(exposition([window()]))
        for sample in family.samples
    }
    arm = (("arm", "active"), ("index", "docs"), ("release", "v1"))
    stage = (("arm", "active"), ("index", "docs"), ("release", "v1"), ("stage", "total"))

    def below(bound: str) -> float:
        labels = (*arm[:1], ("index", "docs"), ("le", bound), *stage[2:])
        return found["repoint_stage_seconds_bucket", labels]

    assert found["repoint_queries_total", arm] == 4
    assert found["repoint_failed_total", arm] == 1
    assert found["repoint_cost_total", arm] == 0.5
    code = (*arm[:1], ("code", "rate-limited"), *arm[1:])
    assert found["repoint_errors_total", code] == 1
    assert [below(bound) for bound in ("0.001", "0.0025", "0.005", "0.05", "10.0", "+Inf")] == [
        0,
        1,
        2,
        3,
        3,
        4,
    ]
    assert found["repoint_stage_seconds_count", stage] == 4
    assert found["repoint_stage_seconds_sum", stage] == 30.045


def test_an_index_that_nobody_asked_is_an_empty_page() -> None:
    assert "repoint_queries_total{" not in exposition([])
