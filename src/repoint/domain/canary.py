"""A canary: a sticky share of live queries is answered by a candidate.

Each key (a user, a session) has a place on a ring from 0 to 1, which depends on the index, on
when the canary began, and on the key. Those below the share are answered by the candidate: a
key that is in at 5 % is in at 20 %. As many keys from the ring's other end are its baseline:
answered by the active release, from caches as new as the candidate's, and compared with it.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from repoint.domain.errors import BadInputError
from repoint.domain.ids import Epoch, IndexName, ReleaseName
from repoint.domain.telemetry import Arm

_RING: Final = 2**64


@dataclass(frozen=True, slots=True, kw_only=True)
class Canary:
    """Which release answers which share of the live queries."""

    release: ReleaseName
    #: Of all keys, from 0 to 1.
    share: float
    #: Shares of single tenants in place of the general one, by tenant, in their order.
    tenants: tuple[tuple[str, float], ...] = ()
    #: The epoch at which it began: what it is told from other canaries by.
    since: Epoch
    #: Keys below the share get both releases' answers in one list instead.
    interleaved: bool = False

    def share_of(self, tenant: str | None) -> float:
        """Return the share that counts for a tenant."""
        for name, share in self.tenants:
            if name == tenant:
                return share
        return self.share

    def arm(self, index: IndexName, key: str, tenant: str | None) -> Arm:
        """Return the arm of a key: always the same while no share falls."""
        share = self.share_of(tenant)
        place = self.place(index, key)
        if self.interleaved:
            return Arm.INTERLEAVED if place < share else Arm.ACTIVE
        # Of a share above one half only as many are compared as have a baseline.
        compared = min(share, 1 - share)
        if place < compared:
            return Arm.CANARY
        if place < share:
            return Arm.PINNED
        return Arm.BASELINE if place >= 1 - compared else Arm.ACTIVE

    def place(self, index: IndexName, key: str) -> float:
        """Return where a key is on the ring."""
        named = f"{index}\0{self.since}\0{key}".encode("utf-8", "surrogatepass")
        digest = blake2b(named, digest_size=8).digest()
        return int.from_bytes(digest, "big") / _RING

    def grows_from(self, before: Canary | None) -> bool:
        """Return whether anyone may get the candidate's answers who did not before."""
        if before is None or before.release != self.release:
            return True
        names = {name for name, _ in (*self.tenants, *before.tenants)}
        return self.share > before.share or any(
            self.share_of(name) > before.share_of(name) for name in names
        )


def checked_shares(
    share: float, tenants: Iterable[tuple[str, float]]
) -> tuple[float, tuple[tuple[str, float], ...]]:
    """Return the shares in their one form.

    Raises:
        BadInputError: one is not between 0 and 1, a tenant is named twice, or nobody is in.
    """
    given = list(tenants)
    rules = dict(given)
    for one in (share, *rules.values()):
        if not 0 <= one <= 1:
            raise BadInputError(
                f"a share of {one:g} is none", hint="give 0 to 1, or 0% to 100%"
            )
    if len(rules) != len(given) or "" in rules:
        raise BadInputError("each tenant needs a name and one share")
    if not any((share, *rules.values())):
        raise BadInputError("a canary of nobody is none", hint="end it with --stop instead")
    return share, tuple(sorted(rules.items()))
