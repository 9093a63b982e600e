"""Comparing collections with the log: every kind of damage is found, and nothing else."""

import random
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from repoint.domain.comparison import Kind
from repoint.domain.document import Chunk, Entry
from repoint.domain.ids import DocumentId, Lsn, ReleaseName
from repoint.domain.readiness import Status
from repoint.operations import diff
from repoint.operations.diff_releases import Side, compare_releases
from repoint.operations.fingerprints import Wanted, hashes_of
from repoint.operations.spaces import Space
from repoint.operations.sync import sync
from repoint.ports.backend import SpaceMatrix, StoredBatch
from repoint.testing.workbench import DIMENSIONS, INDEX, RELEASE, WORKER, Workbench

DOCUMENTS = {
    f"d{n}": f"Document number {n}. It has a sentence or {n % 4}. " * (n % 4 + 1)
    for n in range(40)
}


@pytest.fixture
def bench(tmp_path: Path) -> Iterator[Workbench]:
    with Workbench(tmp_path) as made:
        made.write(DOCUMENTS)
        made.write({"d1": None, "d2": "changed", "blank": " "})
        caught_up(made)
        yield made


def caught_up(bench: Workbench, release: ReleaseName = RELEASE) -> None:
    space = bench.space(bench.add_release(release))
    sync(bench.store, space, owner=WORKER, clock=bench.clock)


def compared(bench: Workbench, space: Space | None = None) -> diff.DiffReport:
    return diff.compare(bench.store, space or bench.space(), upto=bench.watermark())


def lsn_of(bench: Workbench, name: str) -> Lsn:
    with bench.store.read() as view:
        return view.log.get(INDEX, [DocumentId(name)])[DocumentId(name)].lsn


def put(bench: Workbench, name: str, lsn: int, *texts: str, vector: float = 0.25) -> None:
    """Write behind the log's back; 16 dimensions of 0.25 have the norm 1."""
    chunks = [Chunk.of(text, start=0, end=len(text)) for text in texts]
    values = np.full((len(chunks), DIMENSIONS), vector, dtype=np.float32)
    entry = Entry(document=DocumentId(name), lsn=Lsn(lsn), chunks=chunks, slots=len(chunks))
    bench.collection().put([entry], SpaceMatrix(bench.release.fingerprint, values))


def texts_of(bench: Workbench, name: str) -> list[str]:
    with bench.store.read() as view:
        row = view.log.get(INDEX, [DocumentId(name)])[DocumentId(name)]
    assert row.document is not None
    return [chunk.text for chunk in bench.space().preparer.prepare(row.document)]


def test_a_collection_that_is_in_step_has_no_differences(bench: Workbench) -> None:
    report = compared(bench)
    assert report.clean
    assert (report.counts, report.examples) == ({}, ())
    assert report.compared == len(DOCUMENTS) + 1
    finding = diff.clean(bench.store, bench.space(), upto=bench.watermark())
    assert finding.status is Status.OK


def test_every_kind_of_damage_is_found_by_name(bench: Workbench) -> None:
    collection = bench.collection()
    collection.purge([DocumentId("d3"), DocumentId("d4"), DocumentId("d7")])
    put(bench, "d4", lsn_of(bench, "d4") - 1, "an older version")
    put(bench, "d7", lsn_of(bench, "d7"), texts_of(bench, "d7")[0])
    put(bench, "d8", lsn_of(bench, "d8"), *texts_of(bench, "d8"), vector=9.0)
    put(bench, "d9", lsn_of(bench, "d9"), *[f"{t}!" for t in texts_of(bench, "d9")])
    put(bench, "d10", lsn_of(bench, "d10") + 1, *texts_of(bench, "d10"))
    collection.purge([DocumentId("d1")])
    put(bench, "d1", 1, "deleted and back")
    put(bench, "unknown", 3, "never written")
    report = compared(bench)
    assert {example.document: example.kind for example in report.examples} == {
        "d3": Kind.MISSING,
        "d4": Kind.STALE,
        "d7": Kind.PARTIAL,
        "d8": Kind.WRONG_VECTOR,
        "d9": Kind.WRONG_TEXT,
        "d10": Kind.AHEAD,
        "d1": Kind.EXTRA,
        "unknown": Kind.EXTRA,
    }
    assert report.counts[Kind.EXTRA] == 2
    assert not report.clean
    finding = diff.clean(bench.store, bench.space(), upto=bench.watermark())
    assert finding.status is Status.FAILED
    assert finding.remedy == "repoint diff docs r1 --repair"
    assert finding.figures["extra"] == 2


@pytest.mark.parametrize("value", [0.0, np.nan, np.inf, 1.0])
def test_a_vector_that_no_model_gave_is_found(bench: Workbench, value: float) -> None:
    put(bench, "d8", lsn_of(bench, "d8"), *texts_of(bench, "d8"), vector=value)
    assert compared(bench).counts == {Kind.WRONG_VECTOR: 1}


class Doubling:
    """A collection that tells its first chunk twice, as one with a lost key would."""

    def __init__(self, bench: Workbench) -> None:
        self._inner = bench.collection()
        self.spec = self._inner.spec
        self.put, self.search = self._inner.put, self._inner.search
        self.search_text, self.counts = self._inner.search_text, self._inner.counts
        self.purge, self.optimise = self._inner.purge, self._inner.optimise

    def stored(
        self, documents: Sequence[DocumentId], *, with_vectors: bool = False
    ) -> StoredBatch:
        return self._doubled(self._inner.stored(documents, with_vectors=with_vectors))

    def scan(self, *, with_vectors: bool = False) -> Iterator[StoredBatch]:
        for batch in self._inner.scan(with_vectors=with_vectors):
            yield self._doubled(batch)

    def _doubled(self, batch: StoredBatch) -> StoredBatch:
        if "d0" not in batch.documents:
            return batch
        place = list(batch.documents).index(DocumentId("d0"))
        every = [*range(len(batch.documents)), place]
        return StoredBatch(
            documents=[batch.documents[p] for p in every],
            slots=batch.slots[every],
            lsns=batch.lsns[every],
            digests=[batch.digests[p] for p in every],
            vectors=None if batch.vectors is None else batch.vectors[every],
        )


def test_a_chunk_that_stands_twice_is_found(bench: Workbench) -> None:
    report = compared(bench, bench.space(collection=Doubling(bench)))
    assert report.counts == {Kind.DOUBLED: 1}
    assert report.examples[0].document == "d0"


def test_what_changed_above_the_watermark_is_left_out(bench: Workbench) -> None:
    upto = bench.watermark()
    bench.write({"d3": "edited later", "d5": None, "new": "written later"})
    assert diff.compare(bench.store, bench.space(), upto=upto).clean
    put(bench, "new", upto + 3, "written later")
    assert diff.compare(bench.store, bench.space(), upto=upto).clean


def test_a_document_that_was_refused_is_its_own_kind_and_no_fault(bench: Workbench) -> None:
    bench.write({"d6": "poison"})
    caught_up(bench)
    report = compared(bench)
    assert report.counts == {Kind.DEAD_LETTERED: 1}
    assert report.clean
    assert report.examples[0].document == "d6"


def test_an_empty_collection_misses_every_document_and_names_a_bounded_few(
    tmp_path: Path,
) -> None:
    with Workbench(tmp_path) as bench:
        head = bench.write({f"d{n}": "text" for n in range(1_500)})
        report = diff.compare(bench.store, bench.space(), upto=head)
        assert report.counts == {Kind.MISSING: 1_500}
        assert len(report.examples) == diff.EXAMPLES
        every = list(diff.differences(bench.store, bench.space(), upto=head))
        assert len({difference.document for difference in every}) == 1_500


def test_an_empty_log_and_an_empty_collection_agree(tmp_path: Path) -> None:
    with Workbench(tmp_path) as bench:
        assert diff.compare(bench.store, bench.space(), upto=Lsn(0)).clean
        assert diff.sample(bench.store, bench.space(), upto=Lsn(0), count=5, seed=1).clean
        put(bench, "unknown", 3, "never written")
        assert diff.compare(bench.store, bench.space(), upto=Lsn(0)).counts == {Kind.EXTRA: 1}


def test_random_damage_is_found_exactly(bench: Workbench) -> None:
    chance = random.Random(7)  # noqa: S311  # which documents suffer is no secret
    for _ in range(10):
        damaged = set(chance.sample(sorted(set(DOCUMENTS) - {"d1"}), 5))
        bench.collection().purge([DocumentId(name) for name in damaged])
        found = diff.differences(bench.store, bench.space(), upto=bench.watermark())
        assert {difference.document for difference in found} == damaged
        for name in damaged:
            put_back(bench, name)


def put_back(bench: Workbench, name: str) -> None:
    put(bench, name, lsn_of(bench, name), *texts_of(bench, name))


def test_a_sample_finds_damage_and_the_same_seed_draws_the_same(bench: Workbench) -> None:
    bench.collection().purge([DocumentId(name) for name in DOCUMENTS])
    reports = [
        diff.sample(bench.store, bench.space(), upto=bench.watermark(), count=10, seed=3)
        for _ in range(2)
    ]
    assert reports[0] == reports[1]
    assert 1 <= reports[0].compared <= 10
    assert reports[0].counts[Kind.MISSING] >= 1
    finding = diff.sampled(bench.store, bench.space(), upto=bench.watermark(), count=10, seed=3)
    assert (finding.check, finding.status) == ("sampled-diff", Status.FAILED)


def test_a_sample_of_everything_compares_every_row_that_stands(bench: Workbench) -> None:
    report = diff.sample(bench.store, bench.space(), upto=bench.watermark(), count=999, seed=1)
    assert report.compared == len(DOCUMENTS) + 1
    assert report.clean


def test_two_releases_in_step_hold_the_same_documents(bench: Workbench) -> None:
    other = bench.add_release(ReleaseName("r2"), chunk=60)
    caught_up(bench, ReleaseName("r2"))
    report = compare_releases(bench.store, bench.space(), bench.space(other))
    assert report.clean
    assert report.documents_a == report.documents_b == len(DOCUMENTS) - 1


def test_what_only_one_release_has_is_named(bench: Workbench) -> None:
    other = bench.add_release(ReleaseName("r2"))
    caught_up(bench, ReleaseName("r2"))
    bench.collection().purge([DocumentId("d3")])
    bench.collection(other).purge([DocumentId("d4"), DocumentId("d5")])
    put(bench, "d6", lsn_of(bench, "d6") + 1, "another version")
    bench.write({"d7": "changed later"})
    report = compare_releases(bench.store, bench.space(), bench.space(other))
    assert report.counts == {Side.ONLY_A: 2, Side.ONLY_B: 1, Side.OTHER_VERSION: 1}
    assert set(report.examples[Side.ONLY_A]) == {"d4", "d5"}
    assert report.examples[Side.ONLY_B] == ("d3",)
    assert report.examples[Side.OTHER_VERSION] == ("d6",)


def test_a_release_that_lags_is_compared_at_its_own_watermark(bench: Workbench) -> None:
    other = bench.add_release(ReleaseName("r2"))
    caught_up(bench, ReleaseName("r2"))
    bench.write({"d3": None, "new": "only r1 has it"})
    caught_up(bench)
    report = compare_releases(bench.store, bench.space(), bench.space(other))
    assert report.upto == bench.watermark(other) < bench.watermark()
    assert report.clean


def test_a_wanted_name_is_found_once() -> None:
    names = [DocumentId(name) for name in ("a", "b", "c")]
    wanted = Wanted(np.sort(hashes_of([*names[1:], DocumentId("z")])))
    assert wanted.among([*names, names[1]]) == [1, 2]
    assert wanted.among(names) == []
    assert not wanted.done()


def test_vectors_of_a_space_without_normalisation_may_have_any_norm(bench: Workbench) -> None:
    space = bench.space()
    model = replace(space.release.spec.model, normalise=False)
    raw = replace(
        space, release=replace(space.release, spec=replace(space.release.spec, model=model))
    )
    put(bench, "d8", lsn_of(bench, "d8"), *texts_of(bench, "d8"), vector=9.0)
    assert compared(bench, raw).clean
