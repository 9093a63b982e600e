"""Notice that a model changed behind its name: sentinels, kept with their vectors.

A provider may swap the model, a file may be replaced, a library may compute otherwise.
``measure`` runs when a release is made; ``probe`` before every move, at start and on a
schedule.
"""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from typing import Final

import numpy as np
import numpy.typing as npt

from repoint.domain.document import Json
from repoint.domain.errors import InputRejectedError, RepointError
from repoint.domain.readiness import Finding, Status
from repoint.domain.release import Probe, ProbeSet
from repoint.operations.embedding import Embedding
from repoint.ports.embedder import Purpose

#: The stable name of the finding.
CHECK: Final = "query-model"

#: Added to what was measured: another processor sums in another order. A cosine distance
#: grows with the square of the relative error, so this admits 0.4 % and no other model.
FLOAT_SLACK: Final = 1e-5

DOCUMENT_SENTINELS: Final = (
    "Measles is a viral infection that spreads through the air; a vaccine prevents it.",
    "def median(values):\n    ordered = sorted(values)\n    return ordered[len(ordered) // 2]",
    "Q3 2024 revenue: 1,284,000 EUR (+7.5 %), net margin 12.3 %, 3 open positions.",
    "Die Bürgerinnen und Bürger wählen den Bundestag für vier Jahre.",
    "東京は日本の首都であり、世界最大級の都市圏を形成している。",
    "Москва — столица России. القاهرة عاصمة مصر. Η Αθήνα είναι πρωτεύουσα.",  # noqa: RUF001 - Greek
    "naïve café, re\u0301sume\u0301, \ufb01ne, \U0001d518\U0001d52b\U0001d526, \U0001f680",
    "ok",
    "|---|---|\n| a | b |\n\n   indented\ttabbed   spaced   ",
    # Longer than the models that cut at 256 tokens, so that where they cut is probed too.
    " ".join(
        f"Section {number} describes how part {number * 7 % 31} of the machine is cleaned, "
        "oiled and put together again."
        for number in range(1, 31)
    ),
)

QUERY_SENTINELS: Final = (
    "how does measles spread?",
    "median of a list in python",
    "revenue third quarter 2024",
    "wer wählt den Bundestag",
    "日本の首都はどこですか",
    "ok",
)


def measure(
    embedding: Embedding,
    *,
    documents: Sequence[str] = DOCUMENT_SENTINELS,
    queries: Sequence[str] = QUERY_SENTINELS,
) -> ProbeSet:
    """Return the sentinels' vectors and how far the model strays from itself.

    Each text is embedded alone twice, and in batches of different neighbours. Texts that
    the model refuses (too long, for instance) are left out.

    Raises:
        InputRejectedError: it refuses them all.
        UnavailableError: the model did not answer.
    """
    probes: list[Probe] = []
    widest = 0.0
    for purpose, texts in ((Purpose.DOCUMENT, documents), (Purpose.QUERY, queries)):
        alone = _alone(embedding, purpose, texts)
        kept = list(alone)
        again = [vectors_of(embedding, purpose, [text])[0] for text in kept]
        half = kept[: len(kept) // 2]
        backwards = vectors_of(embedding, purpose, kept[::-1])[::-1]
        rounds = (
            zip(kept, again, strict=True),
            zip(kept, vectors_of(embedding, purpose, kept), strict=True),
            zip(kept, backwards, strict=True),
            zip(half, vectors_of(embedding, purpose, half), strict=True),
        )
        widest = max(
            widest,
            *(cosine_distance(alone[text], other) for one in rounds for text, other in one),
        )
        probes += [
            Probe(text=text, purpose=purpose.value, vector=[float(x) for x in vector])
            for text, vector in alone.items()
        ]
    return ProbeSet(probes=probes, noise_band=widest + FLOAT_SLACK)


def distances(embedding: Embedding, probes: ProbeSet) -> list[float]:
    """Return each probe's cosine distance to its stored vector, in order.

    Raises:
        UnavailableError: the model did not answer.
        InputRejectedError: it refuses a text that it once took.
        DimensionsError: its vectors have another length now.
    """
    found: dict[tuple[str, str], npt.NDArray[np.float32]] = {}
    for purpose in Purpose:
        texts = [probe.text for probe in probes.probes if probe.purpose == purpose.value]
        vectors = vectors_of(embedding, purpose, texts)
        found |= {(purpose.value, text): v for text, v in zip(texts, vectors, strict=True)}
    return [
        cosine_distance(np.array(probe.vector), found[probe.purpose, probe.text])
        for probe in probes.probes
    ]


def probe(embedding: Embedding, probes: ProbeSet) -> Finding:
    """Return whether the model still answers as it did when the release was made."""
    try:
        return judged(distances(embedding, probes), probes)
    except RepointError as error:
        return unanswered(error)


def unanswered(error: RepointError) -> Finding:
    """Return the finding that the model does not take its probes."""
    return Finding(
        check=CHECK,
        status=Status.FAILED,
        summary=f"the query model does not answer its probes: {error}",
        figures={"error": error.code},
        remedy=error.hint,
    )


def judged(found: Sequence[float], probes: ProbeSet) -> Finding:
    """Return what the probes' distances say."""
    worst = max(found, default=0.0)
    beyond = sum(distance > probes.noise_band for distance in found)
    figures: dict[str, Json] = {
        "probes": len(found),
        "beyond": beyond,
        "largest_distance": worst,
        "noise_band": probes.noise_band,
    }
    said = f"largest distance {worst:.2g}, noise band {probes.noise_band:.2g}"
    if beyond:
        return Finding(
            check=CHECK,
            status=Status.FAILED,
            summary=f"{beyond} of {len(found)} probes are off: the model changed ({said})",
            figures=figures,
            remedy="find out what replaced it; vectors already stored do not fit its queries",
        )
    return Finding(
        check=CHECK,
        status=Status.OK,
        summary=f"the query model answers its {len(found)} probes as stored ({said})",
        figures=figures,
    )


def vectors_of(
    embedding: Embedding, purpose: Purpose, texts: Sequence[str]
) -> list[npt.NDArray[np.float32]]:
    """Return fresh vectors, past every cache."""
    if purpose is Purpose.QUERY:
        return [vector.values for vector in embedding.queries(texts)]
    return list(embedding.documents(texts).values)


def cosine_distance(one: npt.ArrayLike, other: npt.ArrayLike) -> float:
    """Return the cosine distance, computed in double precision, never below zero."""
    a, b = np.asarray(one, dtype=np.float64), np.asarray(other, dtype=np.float64)
    # Through the difference of the unit vectors: 1 - a.b would lose the last eight digits.
    apart = a / np.linalg.norm(a) - b / np.linalg.norm(b)
    return float(apart @ apart) / 2


def _alone(
    embedding: Embedding, purpose: Purpose, texts: Iterable[str]
) -> dict[str, npt.NDArray[np.float32]]:
    kept: dict[str, npt.NDArray[np.float32]] = {}
    refusal: InputRejectedError | None = None
    for text in texts:
        try:
            kept[text] = vectors_of(embedding, purpose, [text])[0]
        except InputRejectedError as error:
            refusal = error
    if refusal is not None and not kept:
        raise refusal
    return kept
