"""``repoint telemetry`` as people type it."""

from typing import cast

import pytest
from tests.unit.cli.conftest import Shell


def test_what_was_asked_is_shown_by_release_and_arm(shell: Shell) -> None:
    shell.promoted()
    shell.ok("search", "docs", "number 3")
    shell.refused(3, "search", "docs", "number", "--filter", "nosuch = 1")

    shown = shell.ok("telemetry", "docs")
    found = shell.json("telemetry", "docs", "--since", "15m")

    assert "v2" in shown
    assert "unknown-field" in shown
    arms = cast("list[dict[str, dict[str, int]]]", found["arms"])
    by_release = {str(arm["release"]): arm for arm in arms}
    assert by_release["v2"]["counts"]["queries"] == 1
    assert by_release["None"]["errors"] == {"unknown-field": 1}


def test_an_index_that_nobody_asked_says_so(shell: Shell) -> None:
    shell.promoted()
    assert "nobody asked docs anything" in shell.ok("telemetry", "docs")
    assert shell.json("telemetry", "docs")["arms"] == []


def test_prometheus_is_given_what_was_ever_measured(shell: Shell) -> None:
    shell.promoted()
    shell.ok("search", "docs", "number 3")
    text = shell.ok("telemetry", "docs", "--format", "prometheus")
    assert 'repoint_queries_total{arm="active",index="docs",release="v2"} 1.0' in text


@pytest.mark.parametrize("given", ["1", "h", "-1h", "1w", "99999d", ""])
def test_a_length_of_time_that_is_none_is_a_usage_error(moved: Shell, given: str) -> None:
    assert "no length of time" in moved.refused(2, "telemetry", "docs", "--since", given)


def test_a_search_by_name_is_no_live_query(shell: Shell) -> None:
    shell.promoted()
    shell.ok("search", "docs", "number 3", "--release", "v1")
    assert shell.json("telemetry", "docs")["arms"] == []
