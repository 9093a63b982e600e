"""A workspace that an earlier version made is brought to today's schema when it is opened."""

from __future__ import annotations

from contextlib import closing
from pathlib import Path

import pytest
import sqlalchemy as sa
from alembic import command
from alembic.config import Config
from tests.unit.stores.guards import every_guard

from repoint.domain.rollout import Event
from repoint.stores.sql import SqliteStore, schema
from repoint.stores.sql.sqlite import APPLICATION_ID
from repoint.testing.store_judging import POLICY, query_set, run
from repoint.testing.store_samples import ANNA, DOCS, NOW, SOON, V1, V2, release
from repoint.wiring.clock import SystemClock


@pytest.fixture
def first(tmp_path: Path) -> Path:
    """A store of the first schema, with two releases and an open rollout of v1."""
    file = tmp_path / "store.db"
    engine = sa.create_engine(f"sqlite:///{file}")
    config = Config()
    config.set_main_option("script_location", "repoint.stores.sql:migrations")
    config.set_main_option("path_separator", "os")
    with engine.begin() as connection:
        config.attributes["connection"] = connection
        command.upgrade(config, "0001")
        connection.exec_driver_sql(f"PRAGMA application_id = {APPLICATION_ID}")
        connection.exec_driver_sql("PRAGMA user_version = 1")
        connection.exec_driver_sql(
            "INSERT INTO indexes (name, head, created_at) VALUES ('docs', 0, 0)"
        )
        for ordinal, one in enumerate((release(V1), release(V2)), start=1):
            connection.exec_driver_sql(
                "INSERT INTO releases (index_name, name, ordinal, spec, fingerprint, "
                "collection, state, created_at, paused) "
                'VALUES (\'docs\', ?, ?, \'{"model": {"provider": "hashing", '
                "\"dimensions\": 8}}', ?, ?, 'created', 0, 0)",
                (one.name, ordinal, one.fingerprint, one.collection),
            )
            connection.exec_driver_sql(
                "INSERT INTO watermarks VALUES ('docs', ?, 0, 0, 0)", (one.name,)
            )
        connection.exec_driver_sql(
            "INSERT INTO rollouts VALUES (1, 'docs', 'v1', 'preparing', 1, 1)"
        )
    engine.dispose()
    return file


def test_what_was_there_stays_and_what_is_new_can_be_used(first: Path) -> None:
    with closing(SqliteStore.open(first, clock=SystemClock())) as store:
        with store.begin() as tx:
            rollout = tx.pointers.rollout(DOCS)
            assert rollout is not None
            assert (rollout.release, rollout.policy) == (V1, 0)
            tx.policies.set(DOCS, POLICY, actor=ANNA, reason="", at=NOW)
            tx.query_sets.add(query_set())
            tx.runs.add(run())
            tx.pointers.advance(rollout, Event.ABORT, at=SOON)
            assert tx.pointers.open_rollout(DOCS, V2, at=SOON).policy == 1
        with store.read() as view:
            assert [one.name for one in view.releases.all(DOCS)] == [V1, V2]
            assert view.runs.all(DOCS)[0].release == V1


def test_every_guard_is_in_the_file_afterwards(first: Path) -> None:
    SqliteStore.open(first, clock=SystemClock()).close()
    engine = sa.create_engine(f"sqlite:///{first}")
    with engine.connect() as connection:
        triggers = connection.exec_driver_sql(
            "SELECT name FROM sqlite_schema WHERE type = 'trigger'"
        )
        assert {name for (name,) in triggers} == set(every_guard())
        version = connection.exec_driver_sql("PRAGMA user_version").scalar()
        assert version == schema.VERSION
    engine.dispose()
