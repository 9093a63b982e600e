"""The machine that a process runs on."""

from __future__ import annotations

from datetime import datetime
from typing import Protocol


class Host(Protocol):
    """Knows which processes of this machine are alive, and what is in its files."""

    @property
    def name(self) -> str:
        """What tells this machine from others that share the control store."""
        ...

    def runs(self, pid: int, *, started_at: datetime) -> bool:
        """Return whether that very process still runs: not ended, not a later one's pid.

        When in doubt it says True: a lease ends every doubt.
        """
        ...

    def digest(self, path: str) -> str | None:
        """Return the SHA-256 of a file of this machine; None where none can be read."""
        ...
