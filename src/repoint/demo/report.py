"""What came of the demo, as one value: printed, written as JSON, drawn."""

from __future__ import annotations

import os
import platform
import statistics
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from importlib import metadata
from typing import TYPE_CHECKING, Final

from repoint.demo.claims import Claims
from repoint.demo.records import Asked, Turn, Written
from repoint.domain.document import Json

if TYPE_CHECKING:
    from repoint.demo.acts import Story
    from repoint.demo.stage import Crowd

#: Broken claims that the report spells out; the figures count all of them.
_NAMED: Final = 10
_PACKAGES: Final = ("repoint", "lancedb", "onnxruntime", "tokenizers", "numpy", "sqlalchemy")


@dataclass(frozen=True, slots=True, kw_only=True)
class Report:
    """The figures, what was claimed, and the answers that the picture is drawn from."""

    figures: dict[str, Json]
    claims: Claims
    #: Seconds of the machine's clock between which everybody was at work.
    span: tuple[float, float]
    asked: Sequence[Asked]
    turns: Sequence[Turn]
    writes: Sequence[Written]
    #: By question number, the document that answers it.
    answers: Sequence[str]

    @staticmethod
    def of(
        story: Story,
        people: Crowd,
        judged: Claims,
        *,
        audit_records: int,
        span: tuple[float, float],
    ) -> Report:
        """Return the report of a story that was told to its end."""
        assert story.rollback is not None  # noqa: S101 - told to its end
        asked = people.asked()
        writes = people.writer.ledger.writes()
        kinds = [one.what for one in writes]
        back = story.rollback
        figures: dict[str, Json] = {
            "documents": len(story.corpus.documents),
            "questions": len(story.corpus.questions),
            "writes": {
                "acknowledged": len(writes),
                "add": kinds.count("add"),
                "edit": kinds.count("edit"),
                "delete": kinds.count("delete"),
            },
            "relevance": {
                phase: _rounded(asdict(found)) for phase, found in story.relevance.items()
            },
            "latency_ms": _latencies(asked),
            "timings_s": {name: round(took, 3) for name, took in story.timings.items()},
            "moves": [
                {
                    "what": turn.what,
                    "release": turn.release,
                    "epoch": turn.epoch,
                    "seconds": round(turn.done - turn.began, 3),
                }
                for turn in story.turns
            ],
            "rollback": _rounded(asdict(back)),
            "audit_records": audit_records,
            "environment": _environment(),
            "broken": [
                *judged.mixed_space[:_NAMED],
                *judged.failed[:_NAMED],
                *judged.lost[:_NAMED],
                *judged.resurrected[:_NAMED],
                *judged.stale[:_NAMED],
                *judged.other[:_NAMED],
            ],
            "queries": len(asked),
            "mixed_space_queries": len(judged.mixed_space),
            "failed_queries": len(judged.failed),
            "stale_answers": len(judged.stale),
            "lost_writes": len(judged.lost),
            "resurrected_deletes": len(judged.resurrected),
            "rollback_seconds": round(back.seconds, 3),
            "rollback_process_seconds": round(back.process_seconds, 3),
            "verified": back.verified and judged.hold,
        }
        return Report(
            figures=figures,
            claims=judged,
            span=span,
            asked=asked,
            turns=tuple(story.turns),
            writes=writes,
            answers=[one.document for one in story.corpus.questions],
        )


def percentile(values: Sequence[float], share: float) -> float:
    """Return the value below which that share of them lies; 0 when there are none."""
    if not values:
        return 0.0
    ordered = sorted(values)
    return ordered[min(len(ordered) - 1, int(share * len(ordered)))]


def _latencies(asked: Sequence[Asked]) -> dict[str, Json]:
    found: dict[str, Json] = {}
    for release in sorted({one.release for one in asked if one.release}):
        took = [(one.ended - one.began) * 1000 for one in asked if one.release == release]
        found[release] = {
            "queries": len(took),
            "p50": round(statistics.median(took), 2),
            "p95": round(percentile(took, 0.95), 2),
            "max": round(max(took), 2),
        }
    return found


def _environment() -> dict[str, Json]:
    return {
        "python": platform.python_version(),
        "system": f"{platform.system()} {platform.machine()}",
        "cores": os.cpu_count(),
        **{name: metadata.version(name) for name in _PACKAGES},
    }


def _rounded(fields: dict[str, float | int | str | bool]) -> Json:
    return {
        name: round(value, 4) if isinstance(value, float) else value
        for name, value in fields.items()
    }
