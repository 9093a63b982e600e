"""Each guard of the schema is broken here in raw SQL, and holds, in either database."""

import re
import shutil
import sqlite3
from collections.abc import Iterator
from itertools import chain
from pathlib import Path
from typing import Final, Protocol

import psycopg
import pytest
import sqlalchemy as sa
from tests.unit.stores.guards import every_guard

from repoint.domain.adoption import AdoptionState
from repoint.domain.guarding import DecisionState
from repoint.domain.ids import DocumentId, Epoch, IndexName, Lsn, ReleaseName
from repoint.domain.operation import Hold, Step
from repoint.domain.rollout import Event
from repoint.domain.telemetry import Arm
from repoint.stores.sql import SqliteStore
from repoint.stores.sql.every_table import metadata
from repoint.stores.sql.postgres import PostgresStore
from repoint.stores.sql.store import SqlStore
from repoint.testing.postgres import PostgresServer
from repoint.testing.store_adoption import ADOPTION
from repoint.testing.store_bridges import bridge
from repoint.testing.store_erasing import cleared, erasure
from repoint.testing.store_guarding import decision, drill, look
from repoint.testing.store_judging import POLICY, diagnosis, evaluation, query_set, run
from repoint.testing.store_samples import (
    ANNA,
    DOCS,
    FAR_AHEAD,
    NOW,
    ONE,
    V1,
    V2,
    document,
    operation,
    promotion,
    release,
    with_documents,
)
from repoint.testing.store_traffic import canary, measured, shadow, trying
from repoint.wiring.clock import SystemClock

ONE_MOVE: Final = Epoch(2)
V3: Final = ReleaseName("v3")
GUARDS: Final = every_guard()

#: The pointer of ``fill`` stands at epoch 2 with v1 in front, and tries v2.
MOVE: Final = (
    "INSERT INTO moves SELECT index_name, {epoch}, kind, {before}, NULL, 'v2', NULL, "
    "actor, reason, at, checked FROM moves LIMIT 1"
)
CANARY: Final = (
    "INSERT INTO canaries SELECT index_name, {epoch}, {release}, share, tenants, since, "
    "interleaved FROM canaries LIMIT 1"
)
RECORD: Final = (
    "INSERT INTO audit SELECT {sequence}, at, actor, action, index_name, outcome, reason, "
    "details, {previous}, digest FROM audit LIMIT 1"
)

#: What is refused by each trigger.
BREAKS: Final = {
    "head_never_falls": "UPDATE indexes SET head = head - 1",
    "index_is_never_removed": "DELETE FROM indexes WHERE name = 'empty'",
    "document_never_goes_back": "UPDATE documents SET lsn = 1 WHERE id = 'd1'",
    "first_lsn_is_kept": "UPDATE documents SET first_lsn = 2 WHERE id = 'd1'",
    "field_type_is_kept": "UPDATE fields SET type = 'boolean' WHERE name = 'year'",
    "spec_is_immutable": "UPDATE releases SET spec = '{}' WHERE name = 'v1'",
    "release_is_never_removed": "DELETE FROM releases WHERE name = 'v3'",
    "needed_release_is_never_dropped": (
        "UPDATE releases SET state = 'dropped' WHERE name = 'v1'"
    ),
    "watermark_never_falls": "UPDATE watermarks SET watermark = 3 WHERE release = 'v2'",
    "watermark_never_passes_head": "UPDATE watermarks SET watermark = 99 WHERE release = 'v2'",
    "watermark_starts_at_zero": (
        "INSERT INTO watermarks (index_name, release, watermark, generation, windows) "
        "VALUES ('docs', 'v9', 1, 0, 0)"
    ),
    "watermark_is_never_removed": "DELETE FROM watermarks WHERE release = 'v3'",
    "attempts_never_fall": "UPDATE ranges SET attempt = 0 WHERE number = 2",
    "done_stays_done": "UPDATE ranges SET done = 0 WHERE number = 1",
    "slots_never_fall": "UPDATE slots SET slots = slots - 1",
    "epoch_rises_by_one": MOVE.format(epoch=4, before="'v1'"),
    "moves_are_a_chain": MOVE.format(epoch=3, before="'v2'"),
    "moves_are_append_only": "UPDATE moves SET reason = 'another'",
    "moves_are_never_removed": "DELETE FROM moves",
    "finished_operation_stays_finished": (
        "UPDATE operations SET notes = '{}' WHERE step = 'done'"
    ),
    "moved_operation_stays_moved": (
        "UPDATE operations SET step = 'intended' WHERE step = 'moved'"
    ),
    "finished_rollout_stays_finished": (
        "UPDATE rollouts SET phase = 'preparing' WHERE phase = 'aborted'"
    ),
    "audit_is_append_only": "UPDATE audit SET reason = 'another'",
    "audit_is_never_removed": "DELETE FROM audit WHERE sequence = 2",
    "audit_is_a_chain": RECORD.format(sequence=3, previous="previous"),
    "query_set_versions_rise_by_one": (
        "INSERT INTO query_sets SELECT index_name, name, 3, kind, queries, judgements, groups, "
        "source, digest, actor, at, content FROM query_sets"
    ),
    "query_sets_are_append_only": "UPDATE query_sets SET content = '{}'",
    "query_sets_are_never_removed": "DELETE FROM query_sets",
    "runs_are_append_only": "UPDATE runs SET content = '{}'",
    "runs_are_never_removed": "DELETE FROM runs",
    "evaluations_are_append_only": "UPDATE evaluations SET k = 5",
    "evaluations_are_never_removed": "DELETE FROM evaluations",
    "policy_versions_rise_by_one": (
        "INSERT INTO policies SELECT index_name, 3, actor, reason, at, content FROM policies"
    ),
    "policies_are_append_only": "UPDATE policies SET content = '{}'",
    "policies_are_never_removed": "DELETE FROM policies",
    "diagnoses_are_append_only": "UPDATE diagnoses SET content = '{}'",
    "diagnoses_are_never_removed": "DELETE FROM diagnoses",
    "erasures_never_go_back": "UPDATE erasures SET stage = 'open' WHERE id = 'e-1'",
    "erasures_are_never_removed": "DELETE FROM erasures",
    "bridges_are_immutable": "UPDATE bridges SET retention = '{}'",
    "bridges_are_never_removed": "DELETE FROM bridges",
    "bridges_begin_disabled": (
        "INSERT INTO bridges SELECT 'b-9', 9, index_name, release, source, source_fingerprint, "
        "method, fitted, held_out, cosine, retention, weights, actor, at, 1 FROM bridges"
    ),
    "rollout_keeps_its_policy": "UPDATE rollouts SET policy = 0 WHERE phase = 'preparing'",
    "canary_is_part_of_the_newest_move": CANARY.format(epoch=1, release="'v2'"),
    "canary_tries_another_release": CANARY.format(epoch=2, release="'v1'"),
    "canaries_are_append_only": "UPDATE canaries SET share = 1",
    "canaries_are_never_removed": "DELETE FROM canaries",
    "canary_is_never_dropped": "UPDATE releases SET state = 'dropped' WHERE name = 'v2'",
    "answer_key_is_kept": "UPDATE answer_keys SET secret = 'another'",
    "answer_key_is_never_removed": "DELETE FROM answer_keys",
    "feedback_is_append_only": "UPDATE feedback SET outcome = 0",
    "feedback_is_never_removed": "DELETE FROM feedback",
    "rollout_begins_with_the_policy_in_force": (
        "INSERT INTO rollouts VALUES (9, 'docs', 'v2', 'preparing', 1, 1, 0)"
    ),
    "decision_numbers_rise_by_one": (
        "INSERT INTO guard_decisions SELECT index_name, 7, epoch, at, actor, act, 'done', why, "
        "policy, look, content, outcome FROM guard_decisions WHERE number = 1"
    ),
    "settled_decision_stays_settled": (
        "UPDATE guard_decisions SET outcome = '{}' WHERE state = 'held-back'"
    ),
    "decision_keeps_its_grounds": (
        "UPDATE guard_decisions SET why = 'another' WHERE state = 'decided'"
    ),
    "decisions_are_never_removed": "DELETE FROM guard_decisions",
    "looks_are_append_only": "UPDATE guard_looks SET content = '{}'",
    "drills_are_append_only": "UPDATE drills SET ready = 0",
    "drills_are_never_removed": "DELETE FROM drills",
    "adoption_goes_forward": "UPDATE adoptions SET state = 'scanning'",
    "adoption_is_never_removed": "DELETE FROM adoptions",
}

#: What is refused by a constraint, and the words in which SQLite and PostgreSQL say which.
CONSTRAINTS: Final = {
    "lsn_unique": (
        "UPDATE documents SET lsn = 3 WHERE id = 'd2'",
        "documents.index_name, documents.lsn",
        "documents_.*index_name_lsn_key",
    ),
    "one_row_a_document": (
        """INSERT INTO documents SELECT index_name, id, 9, 9, deleted, characters, written_at,
        content_hash, title, text, metadata, source, version FROM documents WHERE id = 'd1'""",
        "documents.index_name, documents.id",
        "documents_.*pkey",
    ),
    "first_lsn_is_not_later": (
        """INSERT INTO documents SELECT index_name, 'new', 8, 9, deleted, characters,
        written_at, content_hash, title, text, metadata, source, version FROM documents
        WHERE id = 'd1'""",
        "first_lsn_is_not_later",
        "first_lsn_is_not_later",
    ),
    "tombstones_are_empty": (
        "UPDATE documents SET deleted = 1 WHERE id = 'd1'",
        "tombstones_are_empty",
        "tombstones_are_empty",
    ),
    "content_by_reference_is_elsewhere": (
        "UPDATE documents SET source = 'crm' WHERE id = 'd1'",
        "content_by_reference_is_elsewhere",
        "content_by_reference_is_elsewhere",
    ),
    "epoch_unique": (
        MOVE.format(epoch=1, before="NULL"),
        "moves_are_a_chain|epoch_rises_by_one|moves.epoch",
        "moves_are_a_chain|epoch_rises_by_one|moves_pkey",
    ),
    "phase_is_known": (
        "INSERT INTO rollouts VALUES (9, 'docs', 'v2', 'Soaking', 1, 1, 1)",
        "phase_is_known",
        "phase_is_known",
    ),
    "step_is_known": (
        "UPDATE operations SET step = 'moving' WHERE step = 'moved'",
        "step_is_known",
        "step_is_known",
    ),
    "one_open_rollout_per_index": (
        "INSERT INTO rollouts VALUES (9, 'docs', 'v2', 'soaking', 1, 1, 1)",
        "rollouts.index_name",
        "one_open_rollout_per_index",
    ),
    "one_open_operation_per_index": (
        """INSERT INTO operations SELECT 'new', index_name, kind, release, actor, reason, owner,
        'intended', epoch, started_at, notes FROM operations WHERE step = 'done'""",
        "operations.index_name",
        "one_open_operation_per_index",
    ),
    "one_open_window_per_release": (
        "INSERT INTO windows VALUES ('docs', 'v1', 2, 0, 4)",
        "windows.index_name, windows.release",
        "windows_pkey",
    ),
    "a_pointer_names_releases": (
        """INSERT INTO moves SELECT index_name, 3, kind, 'v1', NULL, 'v9', NULL, actor, reason,
        at, checked FROM moves LIMIT 1""",
        "FOREIGN KEY",
        "moves_index_name_after_active_fkey",
    ),
    "values_have_their_columns_type": (
        "UPDATE processes SET pid = 'many'",
        "processes.pid",
        "invalid input syntax for type bigint",
    ),
    "run_name_unique": (
        """INSERT INTO runs SELECT 'new', 9, index_name, release, fingerprint, query_set,
        version, depth, lsn, actor, at, name, content FROM runs""",
        "runs.index_name, runs.name",
        "run_name_unique",
    ),
    "run_ordinal_unique": (
        """INSERT INTO runs SELECT 'new', ordinal, index_name, release, fingerprint, query_set,
        version, depth, lsn, actor, at, NULL, content FROM runs""",
        "runs.index_name, runs.ordinal",
        "run_ordinal_unique",
    ),
    "evaluation_ordinal_unique": (
        """INSERT INTO evaluations SELECT 'new', ordinal, index_name, candidate, baseline,
        candidate_fingerprint, baseline_fingerprint, query_set, version, candidate_run,
        baseline_run, k, actor, at FROM evaluations""",
        "evaluations.index_name, evaluations.ordinal",
        "evaluation_ordinal_unique",
    ),
    "outcome_is_between_0_and_1": (
        """INSERT INTO feedback SELECT index_name, since, 'new', 9, arm, 1.5, at
        FROM feedback""",
        "outcome_is_between_0_and_1",
        "outcome_is_between_0_and_1",
    ),
    "feedback_ordinal_unique": (
        """INSERT INTO feedback SELECT index_name, since, 'new', ordinal, arm, outcome, at
        FROM feedback""",
        "feedback.index_name, feedback.since, feedback.ordinal",
        "feedback_ordinal_unique",
    ),
    "canary_share_is_a_share": (
        """INSERT INTO canaries SELECT index_name, epoch, release, 1.5, tenants, since,
        interleaved FROM canaries""",
        "canary_share_is_a_share",
        "canary_share_is_a_share",
    ),
    "canary_began_before": (
        """INSERT INTO canaries SELECT index_name, epoch, release, share, tenants, 3,
        interleaved FROM canaries""",
        "canary_began_before",
        "canary_began_before",
    ),
    "shadow_share_is_a_share": (
        "UPDATE shadows SET share = 1.5",
        "shadow_share_is_a_share",
        "shadow_share_is_a_share",
    ),
    "adoption_state_is_known": (
        "UPDATE adoptions SET state = 'somewhere'",
        "adoption_state_is_known",
        "adoption_state_is_known",
    ),
    "diagnosis_ordinal_unique": (
        """INSERT INTO diagnoses SELECT 'new', ordinal, index_name, release, actor, at, content
        FROM diagnoses""",
        "diagnoses.index_name, diagnoses.ordinal",
        "diagnosis_ordinal_unique",
    ),
    "finished_erasures_name_no_document": (
        """INSERT INTO erasures SELECT 'new', 9, index_name, actor, reason, owner, at,
        stage, documents, unknown, upto, 'd1', findings FROM erasures""",
        "finished_erasures_name_no_document",
        "finished_erasures_name_no_document",
    ),
    "stage_is_known": (
        """INSERT INTO erasures SELECT 'new', 9, index_name, actor, reason, owner, at,
        'gone', documents, unknown, upto, secret, findings FROM erasures""",
        "stage_is_known",
        "stage_is_known",
    ),
    "erasure_ordinal_unique": (
        """INSERT INTO erasures SELECT 'new', ordinal, index_name, actor, reason, owner, at,
        stage, documents, unknown, upto, secret, findings FROM erasures""",
        "erasures.ordinal",
        "erasure_ordinal_unique",
    ),
    "a_run_was_asked_a_stored_set": (
        """INSERT INTO runs SELECT 'new', 9, index_name, release, fingerprint, query_set, 7,
        depth, lsn, actor, at, NULL, content FROM runs""",
        "FOREIGN KEY",
        "runs_index_name_query_set_version_fkey",
    ),
    "decision_state_is_known": (
        """INSERT INTO guard_decisions SELECT index_name, 3, epoch, at, actor, act, 'decide',
        why, policy, look, content, outcome FROM guard_decisions WHERE number = 1""",
        "decision_state_is_known",
        "decision_state_is_known",
    ),
    "one_open_decision_per_index": (
        """INSERT INTO guard_decisions SELECT index_name, 3, epoch, at, actor, act, 'decided',
        why, policy, look, content, outcome FROM guard_decisions WHERE number = 1""",
        "guard_decisions.index_name",
        "one_open_decision_per_index",
    ),
    "a_drill_names_releases": (
        """INSERT INTO drills SELECT index_name, 2, epoch, at, actor, 'v9', ahead_fingerprint,
        back, back_fingerprint, ready, content FROM drills""",
        "FOREIGN KEY",
        "drills_index_name_ahead_fkey",
    ),
}


class BrokenError(Exception):
    """The database refused a statement; the text says by which guard or constraint."""


class Raw(Protocol):
    """A connection past all code of ours."""

    def run(self, statement: str) -> list[tuple[object, ...]]:
        """Run a statement of which nothing stays when it is refused."""
        ...

    def dump(self) -> list[object]:
        """Return every row of every table."""
        ...

    def words(self, constraint: str) -> str:
        """Return how the database says which constraint it is."""
        ...

    def triggers(self) -> set[str]:
        """Return the names of the guards that are there."""
        ...

    def names(self) -> str:
        """Return the names of all constraints and indexes, and more."""
        ...


class RawSqlite:
    def __init__(self, file: Path) -> None:
        self.connection = sqlite3.connect(file, isolation_level=None)
        self.connection.execute("PRAGMA foreign_keys = ON")

    def run(self, statement: str) -> list[tuple[object, ...]]:
        try:
            return self.connection.execute(statement).fetchall()
        except sqlite3.IntegrityError as refused:
            raise BrokenError(str(refused)) from refused

    def dump(self) -> list[object]:
        return list(self.connection.iterdump())

    def words(self, constraint: str) -> str:
        return CONSTRAINTS[constraint][1]

    def triggers(self) -> set[str]:
        rows = self.run("SELECT name FROM sqlite_schema WHERE type = 'trigger'")
        return {str(name) for (name,) in rows}

    def names(self) -> str:
        return str(self.run("SELECT sql FROM sqlite_schema"))


class RawPostgres:
    """One transaction that is never committed, a savepoint for each statement."""

    def __init__(self, url: str) -> None:
        self.connection = psycopg.connect(url, options="-c search_path=repoint")
        self.connection.execute("SELECT 1")  # begins the transaction

    def run(self, statement: str) -> list[tuple[object, ...]]:
        try:
            with self.connection.transaction():
                done = self.connection.execute(statement.encode())
                return done.fetchall() if done.description else []
        except (psycopg.IntegrityError, psycopg.DataError) as refused:
            raise BrokenError(refused.diag.constraint_name or str(refused)) from refused

    def dump(self) -> list[object]:
        return [
            row
            for table in metadata.sorted_tables
            for row in self.run(f"SELECT * FROM {table.name} AS t ORDER BY t")  # noqa: S608 - ours
        ]

    def words(self, constraint: str) -> str:
        return CONSTRAINTS[constraint][2]

    def triggers(self) -> set[str]:
        rows = self.run(
            "SELECT tgname FROM pg_trigger WHERE NOT tgisinternal AND tgparentid = 0"
        )
        return {str(name).removesuffix("_at_once") for (name,) in rows}

    def names(self) -> str:
        return str(self.run("SELECT conname FROM pg_constraint")) + str(
            self.run("SELECT relname FROM pg_class")
        )


DATABASES: Final = ["sqlite", pytest.param("postgres", marks=pytest.mark.server("postgres"))]


@pytest.fixture(scope="module")
def filled_file(tmp_path_factory: pytest.TempPathFactory) -> Path:
    file = tmp_path_factory.mktemp("filled") / "store.db"
    store = SqliteStore.open(file, clock=SystemClock())
    fill(store)
    store.close()
    return file


@pytest.fixture(scope="module")
def filled_url(postgres_server: PostgresServer, postgres_template: str) -> str:
    url = postgres_server.url(postgres_server.database(template=postgres_template))
    store = PostgresStore.open(url, clock=SystemClock())
    fill(store)
    store.close()
    return url


@pytest.fixture(params=DATABASES)
def raw(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Raw]:
    """A store in which every table has a row, past all code of ours."""
    opened: RawSqlite | RawPostgres
    if request.param == "sqlite":
        shutil.copy(request.getfixturevalue("filled_file"), tmp_path / "store.db")
        opened = RawSqlite(tmp_path / "store.db")
    else:
        opened = RawPostgres(request.getfixturevalue("filled_url"))
    yield opened
    opened.connection.close()


@pytest.fixture(params=DATABASES)
def raw_empty(request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[Raw]:
    """A store in which nothing is."""
    opened: RawSqlite | RawPostgres
    if request.param == "sqlite":
        SqliteStore.open(tmp_path / "store.db", clock=SystemClock()).close()
        opened = RawSqlite(tmp_path / "store.db")
    else:
        opened = RawPostgres(request.getfixturevalue("postgres_url"))
    yield opened
    opened.connection.close()


def fill(store: SqlStore) -> None:
    with_documents(store, 3)
    with store.begin() as tx:
        tx.indexes.create(IndexName("empty"), at=NOW)
        tx.releases.add(release(V3))
        tx.log.append(DOCS, [document("d1", year=2020)], at=NOW)
        tx.access.place_hold(Hold(index=DOCS, release=V3, reason="why", actor=ANNA, at=NOW))
        tx.catchup.open_window(DOCS, V2, bounds=[], high=Lsn(4))
        tx.catchup.open_window(DOCS, V1, bounds=[Lsn(3), Lsn(4)], high=Lsn(4))
        for _ in range(2):
            lease = tx.catchup.lease(DOCS, V1, owner=ONE, now=NOW, until=FAR_AHEAD)
            assert lease is not None
            if lease.number == 1:
                tx.catchup.declare_slots(lease, {DocumentId("d1"): 4})
                tx.catchup.complete(lease)
        tx.pointers.move(promotion(tx.pointers.pointer(DOCS), V1))
        tx.diagnoses.add(diagnosis())
        tx.policies.set(DOCS, POLICY, actor=ANNA, reason="", at=NOW)
        tx.query_sets.add(query_set())
        tx.runs.add(run(called="summer"))
        tx.adoptions.begin(ADOPTION)
        tx.adoptions.set_state(DOCS, V1, AdoptionState.ADOPTED, at=NOW)
        tx.runs.add_evaluation(evaluation(candidate=run(), baseline=run()))
        tx.bridges.add(bridge())
        tx.pointers.advance(tx.pointers.open_rollout(DOCS, V1, at=NOW), Event.ABORT, at=NOW)
        tx.pointers.open_rollout(DOCS, V2, at=NOW)
        tx.pointers.move(trying(tx.pointers.pointer(DOCS), canary()))
        tx.feedback.keep_secret(DOCS, "secret")
        tx.feedback.add(DOCS, since=ONE_MOVE, unit="u", arm=Arm.CANARY, outcome=1.0, at=NOW)
        tx.telemetry.put([measured()])
        tx.shadows.put(shadow())
        tx.operations.begin(operation("first"))
        tx.operations.reach(operation("first"), Step.DONE)
        tx.operations.begin(operation("second"))
        tx.operations.reach(operation("second"), Step.MOVED)
        tx.guarding.add_look(look())
        tx.guarding.decide(decision(state=DecisionState.HELD_BACK))
        tx.guarding.decide(decision())
        tx.drills.add(drill())
        tx.erasures.begin(erasure())
        tx.erasures.advance(cleared(erasure()))
        for action in ("promote", "freeze"):
            tx.audit.append(at=NOW, actor=ANNA, action=action)


@pytest.mark.parametrize("guard", list(GUARDS))
def test_a_guard_holds_what_its_name_says(raw: Raw, guard: str) -> None:
    before = raw.dump()

    with pytest.raises(BrokenError, match=f"^{guard}$"):
        raw.run(BREAKS[guard])

    assert raw.dump() == before


@pytest.mark.parametrize("constraint", list(CONSTRAINTS))
def test_a_constraint_holds_what_its_name_says(raw: Raw, constraint: str) -> None:
    raw.run("INSERT INTO processes VALUES ('p', 'host', 1, 1, 'program', 1, '{}')")

    with pytest.raises(BrokenError, match=raw.words(constraint)):
        raw.run(CONSTRAINTS[constraint][0])


def test_a_held_release_is_not_dropped(raw: Raw) -> None:
    with pytest.raises(BrokenError, match="needed_release_is_never_dropped"):
        raw.run("UPDATE releases SET state = 'dropped' WHERE name = 'v3'")


def test_a_watermark_falls_only_to_zero_and_only_with_its_generation(raw: Raw) -> None:
    for change in (
        "watermark = 0",
        "watermark = 3, generation = 1",
        "watermark = 0, generation = 2",
        "generation = -1",
    ):
        with pytest.raises(BrokenError, match="watermark_never_falls"):
            raw.run("UPDATE watermarks SET " + change + " WHERE release = 'v2'")  # noqa: S608 - ours

    raw.run("UPDATE watermarks SET watermark = 0, generation = 1 WHERE release = 'v2'")


def test_only_an_open_erasure_rewrites_what_was_measured_and_only_the_answers(
    raw: Raw,
) -> None:
    raw.run(
        "INSERT INTO erasures SELECT 'open', 2, index_name, actor, reason, owner, at, 'open', "
        "documents, unknown, upto, '{}', findings FROM erasures"
    )

    raw.run("UPDATE query_sets SET content = '{}', digest = 'd', judgements = 0")
    raw.run("UPDATE runs SET content = '{}'")

    for change in ("queries = 9", "version = 2", "actor = 'another'", "kind = 'log'"):
        with pytest.raises(BrokenError, match="query_sets_are_append_only"):
            raw.run("UPDATE query_sets SET " + change)  # noqa: S608 - ours
    for change in ("ordinal = 9", "name = 'other'", "lsn = 1", "fingerprint = 'f'"):
        with pytest.raises(BrokenError, match="runs_are_append_only"):
            raw.run("UPDATE runs SET " + change)  # noqa: S608 - ours


def test_the_first_record_of_the_audit_is_the_genesis(raw_empty: Raw) -> None:
    for sequence, previous in ((2, "0" * 64), (1, "1" * 64)):
        with pytest.raises(BrokenError, match="audit_is_a_chain"):
            raw_empty.run(
                f"INSERT INTO audit VALUES ({sequence}, 1, 'a', 'b', '', 'done', '', '{{}}', "  # noqa: S608 - ours
                f"'{previous}', 'd')"
            )


def test_every_guard_has_a_statement_that_it_refuses(raw: Raw) -> None:
    assert raw.triggers() == set(BREAKS) == set(GUARDS)


@pytest.mark.server("postgres")
@pytest.mark.parametrize(
    "guard", [name for name, (stands, _) in GUARDS.items() if stands.startswith("DELETE")]
)
def test_what_is_never_removed_is_not_truncated_either(filled_url: str, guard: str) -> None:
    raw = RawPostgres(filled_url)
    table = GUARDS[guard][0].removeprefix("DELETE ON ")

    with pytest.raises(BrokenError, match=r"(is|are)_never_removed$"):
        raw.run(f"TRUNCATE {table} CASCADE")

    raw.connection.close()


def test_every_named_check_and_index_of_the_tables_is_in_the_database(raw: Raw) -> None:
    items = chain.from_iterable(
        [*table.constraints, *table.indexes] for table in metadata.tables.values()
    )
    named = {
        str(item.name)
        for item in items
        if isinstance(item, sa.Constraint | sa.Index) and item.name is not None
    }
    there = raw.names()

    assert {"lsn_unique", "one_open_rollout_per_index", "tombstones_are_empty"} <= named
    assert {name for name in named if not re.search(rf"\b{name}\b", there)} == set()
