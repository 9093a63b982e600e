"""Who judges a candidate against what answers now."""

from __future__ import annotations

from typing import Protocol

from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.readiness import Finding


class Evaluations(Protocol):
    """Knows how candidates were measured."""

    def verdict(
        self, index: IndexName, release: ReleaseName, *, against: ReleaseName | None
    ) -> Finding | None:
        """Return the finding ``evaluation``, or None when nobody measured the release."""
        ...
