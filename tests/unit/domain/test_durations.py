from datetime import timedelta

import pytest

from repoint.domain.durations import duration, written
from repoint.domain.errors import BadInputError


@pytest.mark.parametrize(
    ("text", "length"),
    [
        ("90s", timedelta(seconds=90)),
        ("15m", timedelta(minutes=15)),
        ("1.5h", timedelta(minutes=90)),
        ("7d", timedelta(days=7)),
        ("0.25s", timedelta(milliseconds=250)),
    ],
)
def test_a_duration_is_read_and_written_back(text: str, length: timedelta) -> None:
    assert duration(text) == length
    assert duration(written(length)) == length


def test_the_longest_whole_unit_is_written() -> None:
    assert [written(timedelta(seconds=n)) for n in (30, 120, 7200, 86_400)] == [
        "30s",
        "2m",
        "2h",
        "1d",
    ]


@pytest.mark.parametrize("text", ["", "5", "5 minutes", "-1s", "0s", "9999999d", "1e3s"])
def test_what_is_no_duration_is_refused(text: str) -> None:
    with pytest.raises(BadInputError):
        duration(text)
