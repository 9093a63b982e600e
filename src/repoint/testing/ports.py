"""Ports for servers that a test starts itself."""

from __future__ import annotations

import random
import socket
from pathlib import Path
from typing import Final

#: Where Linux says which ports it gives to whoever connects, or asks for any.
_GIVEN: Final = Path("/proc/sys/net/ipv4/ip_local_port_range")
#: The first of them where nothing says so.
_USUAL: Final = 32_768
#: How many ports below those are chosen from.
_CHOICE: Final = 12_000
_LEAST: Final = 1024


def free_port() -> int:
    """Return a port of this machine that nobody has, and that the system gives to nobody.

    One that it gives away is taken now and then between this look and the server's start, or
    while the server is down; and a client that asks there too early may reach itself.
    """
    first = _first_given()
    chance = random.SystemRandom()
    while True:
        port = chance.randrange(max(_LEAST, first - _CHOICE), first)
        with socket.socket() as probe:
            try:
                probe.bind(("127.0.0.1", port))
            except OSError:
                continue
        return port


def _first_given() -> int:
    try:
        first = int(_GIVEN.read_text(encoding="ascii").split()[0])
    except (OSError, ValueError, IndexError):
        return _USUAL
    return first if first > 2 * _LEAST else _USUAL
