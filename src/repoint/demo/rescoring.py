"""Scores computed apart from repoint's search: what an answer's own release must have said.

Only the model's driver is shared. Text, prefix, normalisation and product are written out
here again, so that an error in the search path cannot hide in its own check.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence

import numpy as np
import numpy.typing as npt

from repoint.demo.claims import Version
from repoint.demo.records import Asked
from repoint.domain.document import Document
from repoint.domain.release import Release
from repoint.ports.drivers import Drivers
from repoint.ports.embedder import Purpose

_BATCH = 256


def expected_scores(
    asked: Iterable[Asked],
    *,
    releases: Mapping[str, Release],
    questions: Sequence[str],
    versions: Mapping[Version, Document],
    drivers: Drivers,
) -> dict[tuple[str, int, Version], float]:
    """Return, for each answer's best hit, the score by the model of the release on its stamp.

    A hit whose version nobody wrote has no score: there is no such text.
    """
    wanted: dict[str, dict[tuple[int, Version], Document]] = {}
    for one in asked:
        if one.hits:
            version = Version(document=one.hits[0].document, lsn=one.hits[0].lsn)
            if version in versions:
                pairs = wanted.setdefault(one.release, {})
                pairs[one.question, version] = versions[version]
    scores: dict[tuple[str, int, Version], float] = {}
    for name, pairs in wanted.items():
        if name not in releases:
            continue
        texts = {version: _text(document) for (_, version), document in pairs.items()}
        numbers = sorted({number for number, _ in pairs})
        asks = _vectors(releases[name], [questions[n] for n in numbers], drivers, query=True)
        held = _vectors(releases[name], list(texts.values()), drivers, query=False)
        row = {number: place for place, number in enumerate(numbers)}
        column = {version: place for place, version in enumerate(texts)}
        for number, version in pairs:
            score = float(asks[row[number]] @ held[column[version]])
            scores[name, number, version] = score
    return scores


def _text(document: Document) -> str:
    return f"{document.title}\n{document.text}".strip()


def _vectors(
    release: Release, texts: list[str], drivers: Drivers, *, query: bool
) -> npt.NDArray[np.float64]:
    model = release.spec.model
    prefix = model.query_prefix if query else model.document_prefix
    embedder = drivers.embedder(model)
    purpose = Purpose.QUERY if query else Purpose.DOCUMENT
    rows = [
        np.asarray(
            embedder.embed([prefix + one for one in texts[at : at + _BATCH]], purpose=purpose)
        )
        for at in range(0, len(texts), _BATCH)
    ]
    matrix = np.concatenate(rows).astype(np.float64)
    unit: npt.NDArray[np.float64] = matrix / np.linalg.norm(matrix, axis=1, keepdims=True)
    return unit
