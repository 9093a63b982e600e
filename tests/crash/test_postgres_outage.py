"""A control store on PostgreSQL that goes away in the middle of a move, and comes back."""

from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from dataclasses import replace
from itertools import count
from pathlib import Path
from typing import Final

import pytest

from repoint.domain.document import Document
from repoint.domain.errors import RefusedError, StoreUnavailableError
from repoint.domain.pointer import MoveKind
from repoint.operations import reconcile
from repoint.operations.in_step import catch_up
from repoint.operations.session import Session
from repoint.ports.store import Store, Transaction
from repoint.stores.sql.postgres import PostgresStore
from repoint.testing import invariants
from repoint.testing.clock import FrozenClock
from repoint.testing.postgres import NoServerError, PostgresServer
from repoint.testing.stage import INDEX, CountedIds, Stage, StageBackend
from repoint.wiring.clock import SystemClock

pytestmark = pytest.mark.server("postgres")

TEXTS: Final = {f"d{n}": f"document {n} " + "word " * (n % 5) for n in range(8)}
Act = Callable[[Stage, Session], object]


@pytest.fixture(scope="module")
def own_server() -> Iterator[PostgresServer]:
    """A server that only these tests end."""
    try:
        server = PostgresServer()
    except NoServerError as problem:
        pytest.skip(str(problem))
    with server:
        yield server


class FailingStore:
    """A store whose n-th writing transaction is struck in its middle or at its end."""

    def __init__(
        self, store: Store, *, at: int, late: bool, strike: Callable[[], None]
    ) -> None:
        self._store = store
        self._left = at
        self._late = late
        self._strike = strike
        self.watch, self.read, self.close = store.watch, store.read, store.close
        self.scrub = store.scrub

    @property
    def struck(self) -> bool:
        return self._left <= 0

    @contextmanager
    def begin(self) -> Iterator[Transaction]:
        self._left -= 1
        with self._store.begin() as tx:
            if self._left == 0 and not self._late:
                self._strike()
            yield tx
            if self._left == 0 and self._late:
                self._strike()


@pytest.fixture(scope="module")
def promoted(
    own_server: PostgresServer, tmp_path_factory: pytest.TempPathFactory
) -> tuple[Stage, str]:
    """v2 answers, and v1 behind it lacks an edit and a delete: a stage, and its database."""
    name = own_server.database()
    stage = on_postgres(own_server, name, folder=tmp_path_factory.mktemp("promoted"))
    stage.write(dict(TEXTS))
    for release, seed in (("v1", 1), ("v2", 2)):
        stage.create(release, seed=seed)
        stage.revive(release)
    stage.promote("v1")
    stage.promote("v2")
    stage.write({"d1": "another text", "d3": None, "new": "a new one"})
    catch_up(stage.session, stage.space("v2"))
    stage.store.close()
    return stage, name


def on_postgres(
    server: PostgresServer, name: str, *, folder: Path, of: Stage | None = None
) -> Stage:
    """Return a stage on a database, which with another one has all that outlives processes."""
    return Stage(
        folder=folder,
        clock=FrozenClock(of.clock.now()) if of else FrozenClock(),
        backend=of.backend.copy() if of else StageBackend(),
        ids=of.ids if of else CountedIds(),
        pids=of.pids if of else count(1000),
        opening=lambda: PostgresStore.open(server.url(name), clock=SystemClock()),
    )


def end_sessions(server: PostgresServer, name: str) -> None:
    server.execute(
        f"SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = '{name}'"  # noqa: S608 - ours
    )


def rolled_back(stage: Stage, by: Session) -> None:
    stage.rollback(by=by)


def accepted(stage: Stage, by: Session) -> None:
    stage.accept("v2", by=by)


def written(stage: Stage) -> dict[str, Document | None]:
    with stage.store.read() as view:
        rows = view.log.scan(INDEX, after=None, limit=1000)
    return {row.id: row.document for row in rows}


def broken(stage: Stage) -> list[str]:
    return invariants.broken(stage.store, stage.session.spaces, INDEX, written=written(stage))


def check(stage: Stage, where: object) -> None:
    found = [
        *invariants.broken(stage.store, stage.session.spaces, INDEX, written=written(stage)),
        *invariants.settled(stage.store, stage.session.spaces, INDEX),
    ]
    assert found == [], where


def moves(stage: Stage, kind: MoveKind) -> int:
    with stage.store.read() as view:
        return sum(move.kind is kind for move in view.pointers.moves(INDEX))


@pytest.mark.slow
@pytest.mark.parametrize("late", [False, True], ids=["middle", "end"])
@pytest.mark.parametrize(
    ("act", "kind"),
    [(rolled_back, MoveKind.ROLLBACK), (accepted, MoveKind.ACCEPT)],
    ids=["rollback", "accept"],
)
@pytest.mark.parametrize("outage", ["sessions ended", "server killed"])
def test_a_store_lost_within_a_move_leaves_what_the_next_one_finishes(  # noqa: PLR0913 - all ways
    own_server: PostgresServer,
    promoted: tuple[Stage, str],
    tmp_path: Path,
    outage: str,
    act: Act,
    kind: MoveKind,
    *,
    late: bool,
) -> None:
    before, template = promoted
    struck = 0
    # A server that has to be started again takes its time: every second transaction then.
    for at in count(1) if outage == "sessions ended" else count(1, 2):
        name = own_server.database(template=template)
        stage = on_postgres(own_server, name, folder=tmp_path / str(at), of=before)
        with stage:

            def strike(name: str = name) -> None:
                if outage == "sessions ended":
                    end_sessions(own_server, name)
                else:
                    own_server.kill()

            store = FailingStore(stage.store, at=at, late=late, strike=strike)
            dying = replace(stage.open(), store=store)
            with suppress(StoreUnavailableError):
                act(stage, dying)
            if outage == "server killed" and store.struck:
                own_server.start()
            stage.kill(dying)
            where = f"{outage} in transaction {at}"
            # Nothing broken, before anybody repairs anything: who answers has no deleted one.
            assert broken(stage) == [], where
            assert moves(stage, kind) <= 1, where
            second = stage.open()
            _, left = reconcile.reconcile(second)
            assert left == [], where
            if not moves(stage, kind):
                with suppress(RefusedError):
                    act(stage, second)
            assert moves(stage, kind) == 1, where
            for release in ("v1", "v2"):
                catch_up(stage.session, stage.space(release))
            check(stage, where)
        own_server.execute(f"DROP DATABASE {name} WITH (FORCE)")
        if not store.struck:
            break
        struck += 1
    assert struck
