"""Alarms: what was noticed between two commands, kept until it is seen to be over."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from repoint.domain.document import Json
from repoint.domain.ids import IndexName, ReleaseName

#: An alarm that nobody has seen again for so long is of a machine that is gone.
FORGOTTEN_AFTER: Final = timedelta(days=1)


@dataclass(frozen=True, slots=True, kw_only=True)
class Alarm:
    """One thing that is wrong with a release, as one machine sees it."""

    index: IndexName
    release: ReleaseName
    #: The finding's stable name, for instance ``query-model``.
    check: str
    #: The machine that sees it: another may have another model under the same name.
    host: str
    #: When it was first seen, and when last.
    since: datetime
    at: datetime
    summary: str
    figures: Mapping[str, Json]
