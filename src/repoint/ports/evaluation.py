"""Who judges a candidate against what answers now."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Protocol

from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.readiness import Finding


class Evaluations(Protocol):
    """Knows how candidates were measured."""

    def verdict(
        self, index: IndexName, release: ReleaseName, *, against: ReleaseName | None
    ) -> Sequence[Finding]:
        """Return the finding ``evaluation`` and one a gate; empty when nobody measured it.

        A finding that is in the way has ``outcome`` among its figures: ``fail`` says that
        the release is worse, ``inconclusive`` and ``error`` that nobody can tell.
        """
        ...
