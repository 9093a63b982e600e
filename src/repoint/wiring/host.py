"""This machine: its name, its user, and which of its processes still run."""

from __future__ import annotations

import getpass
import hashlib
import os
import socket
from datetime import datetime, timedelta
from pathlib import Path
from typing import Final

from repoint.ports.clock import Clock

#: Two clocks tell when a process began: the kernel's, in ticks since boot, and repoint's.
_SLACK: Final = timedelta(seconds=5)
_ENDED: Final = frozenset("ZXx")


class LocalHost:
    """The machine that this process runs on."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock

    @property
    def name(self) -> str:
        """What tells this machine from others that share the control store."""
        return socket.gethostname()

    def digest(self, path: str) -> str | None:
        """Return the SHA-256 of a file of this machine; None where none can be read."""
        try:
            return hashlib.sha256(Path(path).read_bytes()).hexdigest()
        except OSError:
            return None

    def runs(self, pid: int, *, started_at: datetime) -> bool:
        """Return whether that very process still runs; True when in doubt."""
        try:
            os.kill(pid, 0)
        except ProcessLookupError:
            return False
        except OSError:
            return True  # someone else's process, but it is there
        try:
            stat = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
            uptime = Path("/proc/uptime").read_text(encoding="ascii")
        except OSError:
            return True  # no /proc on this system
        fields = stat.rpartition(")")[2].split()
        if fields[0] in _ENDED:
            return False
        age = float(uptime.split()[0]) - int(fields[19]) / os.sysconf("SC_CLK_TCK")
        began = self._clock.now() - timedelta(seconds=age)
        # It registers after it began; a process that began later only took over its pid.
        return began <= started_at + _SLACK


def user_name() -> str:
    """Return the operating system's name for whoever runs this process."""
    try:
        return getpass.getuser()
    except (KeyError, OSError):
        return f"uid-{os.getuid()}"
