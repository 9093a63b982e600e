"""Profiles, the data folder, and a summary that says what did not run.

A test says what it needs with a marker: ``backend(name)`` and ``server(name)`` also put the
name into the summary's table. A server's tests run only if ``REPOINT_<NAME>_URL`` is set.
"""

import os
import re
from collections import Counter, defaultdict
from collections.abc import Callable, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

ROOT: Final = Path(__file__).resolve().parent.parent
#: Where the judged data sets are, unless ``REPOINT_DATA`` says otherwise.
DEFAULT_DATA: Final = ROOT.parent / "shared" / "data"

# Timing is not what a property is about, and a busy machine must not turn one red.
settings.register_profile("dev", max_examples=25, deadline=None)
settings.register_profile(
    "ci",
    max_examples=200,
    deadline=None,
    derandomize=True,
    suppress_health_check=[HealthCheck.too_slow],
)
settings.register_profile("nightly", max_examples=5_000, deadline=None)
settings.load_profile(os.environ.get("REPOINT_HYPOTHESIS", "dev"))


class Backends:
    """Which backends this run exercised, and which it left out and why.

    A worker process learns a backend's name, its report carries it to the process that
    prints: what is counted here comes from reports alone.
    """

    def __init__(self) -> None:
        self.outcomes: defaultdict[str, Counter[str]] = defaultdict(Counter)
        self.reasons: defaultdict[str, set[str]] = defaultdict(set)

    def learn(self, report: pytest.TestReport) -> None:
        """Count a test once for each backend that its report names."""
        names = {str(value) for key, value in report.user_properties if key == "backend"}
        for name in names:
            if report.skipped and not hasattr(report, "wasxfail"):
                self.outcomes[name]["skipped"] += 1
                self.reasons[name].add(_reason(report))
            elif report.when == "call" or report.failed:
                self.outcomes[name]["xfailed" if report.skipped else report.outcome] += 1

    def lines(self) -> Iterator[str]:
        """Yield one line a backend, those that ran first."""
        for name, counts in sorted(self.outcomes.items(), key=lambda row: _order(*row)):
            tally = ", ".join(f"{n} {outcome}" for outcome, n in sorted(counts.items()))
            why = "; ".join(sorted(self.reasons[name]))
            state = "ran" if _has_run(counts) else "SKIPPED"
            yield f"{name:<14} {state:<8} {tally}{f' ({why})' if why else ''}"


def _has_run(counts: Counter[str]) -> bool:
    return any(n for outcome, n in counts.items() if outcome != "skipped")


def _order(name: str, counts: Counter[str]) -> tuple[bool, str]:
    return not _has_run(counts), name


BACKENDS: Final = Backends()


@pytest.fixture
def backends_seen(record_property: Callable[[str, object], None]) -> Callable[[str], None]:
    """For a test that learns a backend's name only while it runs: call it with the name."""
    return partial(record_property, "backend")


@pytest.fixture(scope="session")
def judged_data() -> Path:
    """The folder with the judged data sets, one folder each; skips where there is none."""
    folder = Path(os.environ.get("REPOINT_DATA") or DEFAULT_DATA)
    if not any(folder.glob("*/corpus.jsonl")):
        source = "REPOINT_DATA" if os.environ.get("REPOINT_DATA") else "the default"
        pytest.skip(f"no judged data sets in {os.path.relpath(folder, ROOT)} ({source})")
    return folder


@pytest.fixture(scope="session")
def campaign_seconds() -> float:
    """How long one campaign test may keep searching: ``REPOINT_CAMPAIGN_SECONDS``, or 600."""
    return float(os.environ.get("REPOINT_CAMPAIGN_SECONDS") or 600)


@pytest.fixture(scope="session")
def campaign_share() -> float:
    """Which share of a campaign's kills or moves to run: ``REPOINT_CAMPAIGN_SHARE``, or 1."""
    return float(os.environ.get("REPOINT_CAMPAIGN_SHARE") or 1)


def pytest_itemcollected(item: pytest.Item) -> None:
    names = {_name(mark) for kind in ("backend", "server") for mark in item.iter_markers(kind)}
    item.user_properties += [("backend", name) for name in sorted(names)]


def pytest_runtest_setup(item: pytest.Item) -> None:
    for mark in item.iter_markers("server"):
        variable = f"REPOINT_{_name(mark).upper()}_URL"
        if not os.environ.get(variable):
            pytest.skip(f"no server: {variable} is not set")


def pytest_runtest_logreport(report: pytest.TestReport) -> None:
    BACKENDS.learn(report)


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    if BACKENDS.outcomes:
        terminalreporter.section("backends")
        for line in BACKENDS.lines():
            terminalreporter.write_line(line)
    reports = terminalreporter.stats.get("skipped", [])
    reasons = Counter(_reason(report) for report in reports)
    if reasons:
        terminalreporter.section("not run, by reason")
        for reason, count in reasons.most_common():
            terminalreporter.write_line(f"{count:>5}  {reason}")


def _name(mark: pytest.Mark) -> str:
    return str(mark.args[0])


def _reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    text = report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)
    return re.sub(r"^Skipped: ", "", text)
