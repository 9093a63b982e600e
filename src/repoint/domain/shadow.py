"""A shadow: live queries are also asked of another release, whose answers nobody is given."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime

from repoint.domain.ids import Actor, IndexName, ReleaseName


@dataclass(frozen=True, slots=True, kw_only=True)
class Shadow:
    """Which release also gets an index's live queries, since when and by whom."""

    index: IndexName
    release: ReleaseName
    #: Of all live queries, from above 0 to 1.
    share: float
    actor: Actor
    reason: str
    at: datetime
