"""Profiles, the data folder, and a summary that says what did not run.

A test says what it needs with a marker: ``backend(name)`` and ``server(name)`` also put the
name into the summary's table. A server's tests run only if ``REPOINT_<NAME>_URL`` is set, but
PostgreSQL is started here, wherever its programs are (``repoint.testing.postgres``).
"""

import faulthandler
import os
import re
import sys
from collections import Counter, defaultdict
from collections.abc import Callable, Generator, Iterator
from functools import partial
from pathlib import Path
from typing import Final

import pytest
from hypothesis import HealthCheck, settings

from repoint.testing.postgres import NoServerError, PostgresServer
from repoint.wiring.clock import SystemClock

ROOT: Final = Path(__file__).resolve().parent.parent
#: Where the judged data sets are, unless ``REPOINT_DATA`` says otherwise.
DEFAULT_DATA: Final = ROOT.parent / "shared" / "data"

#: Servers that a fixture starts.
STARTED_HERE: Final = frozenset({"postgres"})

# Timing is not what a property is about, and a busy machine must not turn one red.
_ANY_SPEED: Final = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.register_profile("dev", _ANY_SPEED, max_examples=25)
settings.register_profile("ci", _ANY_SPEED, max_examples=200, derandomize=True)
settings.register_profile("nightly", _ANY_SPEED, max_examples=5_000)
settings.load_profile(os.environ.get("REPOINT_HYPOTHESIS", "dev"))


#: A test that did not heed its timeout is ended after as long again, or this.
_LONGEST_GRACE_S: Final = 60.0
#: Where a process's last word goes, whatever captures its output.
_STDERR: Final = pytest.StashKey[int]()


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


@pytest.fixture(scope="session")
def postgres_server() -> Iterator[PostgresServer]:
    """A real PostgreSQL of this run's own; skips, saying why, where none can be started."""
    try:
        server = PostgresServer()
    except NoServerError as problem:
        pytest.skip(str(problem))
    with server:
        yield server


@pytest.fixture(scope="session")
def postgres_template(postgres_server: PostgresServer) -> str:
    """A database with an empty control store: a copy of it takes less time than making one."""
    from repoint.stores.sql.postgres import PostgresStore  # noqa: PLC0415 - only with a server

    name = postgres_server.database()
    PostgresStore.open(postgres_server.url(name), clock=SystemClock()).close()
    return name


@pytest.fixture
def postgres_url(postgres_server: PostgresServer, postgres_template: str) -> Iterator[str]:
    """The URL of an empty control store, gone after the test."""
    name = postgres_server.database(template=postgres_template)
    yield postgres_server.url(name)
    postgres_server.execute(f"DROP DATABASE {name} WITH (FORCE)")


def pytest_configure(config: pytest.Config) -> None:
    assert sys.__stderr__ is not None
    config.stash[_STDERR] = os.dup(sys.__stderr__.fileno())


def pytest_unconfigure(config: pytest.Config) -> None:
    os.close(config.stash[_STDERR])


@pytest.hookimpl(tryfirst=True)
def pytest_runtest_setup(item: pytest.Item) -> None:
    _end_what_hangs(item)
    _require_servers(item)


@pytest.hookimpl(wrapper=True, tryfirst=True)
def pytest_runtest_teardown(item: pytest.Item) -> Generator[None, object, object]:
    _end_what_hangs(item)  # again: whoever told of a failure let go of it
    try:
        return (yield)
    finally:
        faulthandler.cancel_dump_traceback_later()


def _end_what_hangs(item: pytest.Item) -> None:
    """End the process, with every thread's stack, where a timeout cannot end the test.

    An error raised in a test that waits for its threads waits for them, too; and what hangs
    outside Python hears of no error. The process that hands out tests names the one at which
    another ended.
    """
    limit = _timeout(item)
    if limit > 0:
        later = limit + min(limit, _LONGEST_GRACE_S)
        faulthandler.dump_traceback_later(later, file=item.config.stash[_STDERR], exit=True)


def _timeout(item: pytest.Item) -> float:
    mark = item.get_closest_marker("timeout")
    if mark is not None:
        return float(mark.args[0])
    return float(item.config.getoption("timeout") or item.config.getini("timeout") or 0)


def pytest_itemcollected(item: pytest.Item) -> None:
    names = {_name(mark) for kind in ("backend", "server") for mark in item.iter_markers(kind)}
    item.user_properties += [("backend", name) for name in sorted(names)]


def _require_servers(item: pytest.Item) -> None:
    for mark in item.iter_markers("server"):
        variable = f"REPOINT_{_name(mark).upper()}_URL"
        if _name(mark) not in STARTED_HERE and not os.environ.get(variable):
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
