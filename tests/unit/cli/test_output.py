"""Columns, durations and plain values, as people and machines read them."""

from datetime import UTC, datetime, timedelta

import pytest

from repoint.cli.failures import plain
from repoint.cli.output import columns, harmless, shortened
from repoint.cli.progress import duration
from repoint.domain.readiness import Finding, Status


def test_columns_of_numbers_are_aligned_to_the_right() -> None:
    lines = columns(("name", "rows"), [("v1", 5), ("second", 12_000)])
    assert lines == ["name      rows", "v1           5", "second  12,000"]


def test_what_is_absent_is_a_dash_and_truth_is_a_word() -> None:
    assert columns(("a", "b", "c"), [(None, True, "")])[1].split() == ["-", "yes", "-"]


def test_no_rows_are_only_the_head() -> None:
    assert columns(("a", "b"), []) == ["a  b"]


def test_a_long_text_is_cut_on_one_line() -> None:
    assert shortened("one\n two  three", 9) == "one two …"


@pytest.mark.parametrize(
    ("seconds", "said"),
    [(0.25, "250 ms"), (4.21, "4.2 s"), (200, "3 min 20 s"), (7500, "2 h 5 min")],
)
def test_a_duration_is_said_as_people_say_it(seconds: float, said: str) -> None:
    assert duration(seconds) == said


def test_a_finding_becomes_plain_json() -> None:
    finding = Finding(check="lag", status=Status.OK, summary="in step", figures={"rows": 0})
    assert plain(finding) == {
        "check": "lag",
        "status": "ok",
        "summary": "in step",
        "figures": {"rows": 0},
        "remedy": "",
    }


def test_moments_and_durations_become_iso_and_seconds() -> None:
    assert plain(datetime(2026, 1, 2, 3, 4, 5, tzinfo=UTC)) == "2026-01-02T03:04:05.000+00:00"
    assert plain([timedelta(seconds=1.5), {"a": (1, 2)}]) == [1.5, {"a": [1, 2]}]


def test_control_characters_of_others_are_shown_and_not_obeyed() -> None:
    assert harmless("\x1b]0;title\x07 text\u202e") == "\\x1b]0;title\\x07 text\\u202e"
    assert harmless("one\ttwo\nthree é") == "one\ttwo\nthree é"
