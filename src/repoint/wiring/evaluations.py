"""Where verdicts on candidates come from while nothing measures them."""

from __future__ import annotations

from repoint.domain.ids import IndexName, ReleaseName
from repoint.domain.readiness import Finding


class NoEvaluations:
    """Knows of no measurement, so a promotion must be given ``--without-evaluation``."""

    def verdict(
        self, index: IndexName, release: ReleaseName, *, against: ReleaseName | None
    ) -> Finding | None:
        """Return None: nobody measured the release."""
        del index, release, against
        return None
