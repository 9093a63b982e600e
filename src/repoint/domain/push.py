"""Pushes: changes that a team's own system sends, and what became of them."""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Final

from repoint.domain.ids import Actor, IndexName, Lsn

#: How long a key is remembered: whoever has not resent a push by then does not resend it.
REMEMBERED: Final = timedelta(days=7)
#: Changes of one push: they go into the log in one transaction, and others wait for it.
MOST_CHANGES: Final = 20_000
#: Characters of a key.
LONGEST_KEY: Final = 200


@dataclass(frozen=True, slots=True, kw_only=True)
class Push:
    """A push under its sender's key, and its answer."""

    index: IndexName
    actor: Actor
    key: str
    #: Of the changes as they were sent: a key is for one push only.
    digest: str
    at: datetime
    #: The log's head right after it.
    head: Lsn
    written: int
    unchanged: int
