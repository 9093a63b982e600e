"""Findings: single checked facts with their figures, and what they add up to."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from enum import StrEnum

from repoint.domain.document import Json


class Status(StrEnum):
    """How a check ended."""

    OK = "ok"
    #: Worth knowing; stands in nobody's way.
    WARNING = "warning"
    FAILED = "failed"
    #: The check does not apply, and says why.
    SKIPPED = "skipped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One check: its stable name, how it ended, the sentence with its figure, what to do."""

    check: str
    status: Status
    summary: str
    #: The figures behind the sentence.
    figures: Mapping[str, Json] = field(default_factory=dict)
    #: What to type next when it failed.
    remedy: str = ""


def failures(findings: Iterable[Finding]) -> Sequence[Finding]:
    """Return the findings that stand in the way."""
    return [finding for finding in findings if finding.status is Status.FAILED]
