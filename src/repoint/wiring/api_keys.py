"""Keys of the HTTP server: 256 random bits, of which only the SHA-256 is kept."""

from __future__ import annotations

import hashlib
import hmac
import secrets
from collections.abc import Mapping
from typing import Final

#: Tells a key of repoint in a leak from any other secret.
PREFIX: Final = "rpk_"


def new_key() -> str:
    """Return a fresh key; it is shown once and stored nowhere."""
    return PREFIX + secrets.token_hex(32)


def digest(key: str) -> str:
    """Return what the configuration keeps of a key.

    Keys are random, so a fast hash is as good as a slow one: there is nothing to guess.
    """
    return hashlib.sha256(key.encode()).hexdigest()


def owner(key: str, digests: Mapping[str, str]) -> str | None:
    """Return whose key this is; every stored digest is compared, each in constant time."""
    given = digest(key)
    found = None
    for name, kept in digests.items():
        if hmac.compare_digest(given, kept):
            found = name
    return found
