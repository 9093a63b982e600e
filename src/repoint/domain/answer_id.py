"""The id of an answer that was given while a canary is on, and feedback on it.

The id carries all that feedback needs (which canary, which arm, whose pick each hit was), so
that giving an answer writes nothing. It is signed: only answers that were given count.
"""

from __future__ import annotations

import base64
import binascii
import hmac
import struct
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from hashlib import blake2b
from typing import Final

from repoint.domain.errors import BadInputError
from repoint.domain.ids import Epoch, IndexName
from repoint.domain.interleaving import Team
from repoint.domain.telemetry import Arm

#: Hits further down carry no credit.
CREDITED: Final = 50
_ARMS: Final = (Arm.CANARY, Arm.BASELINE, Arm.INTERLEAVED)
_TEAMS: Final = tuple(Team)
_HEAD: Final = struct.Struct(">BQB16s8s")
_HIT: Final = struct.Struct(">4sB")
_SIGNATURE: Final = 12
_VERSION: Final = 1


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerId:
    """What is known of one answer."""

    index: IndexName
    since: Epoch
    arm: Arm
    #: What tells the answer from others.
    nonce: bytes
    #: What tells the key that it was given to from others.
    key: bytes
    #: Whose pick each hit was, by the hit's mark; of an interleaved answer.
    teams: Mapping[bytes, Team]

    @property
    def unit(self) -> str:
        """What may be counted once: an interleaved answer, or in an arm of its own a key."""
        whole = self.nonce if self.arm is Arm.INTERLEAVED else self.key
        return f"{self.arm.value}:{whole.hex()}"

    def written(self, secret: bytes) -> str:
        """Return the id as text."""
        body = _HEAD.pack(_VERSION, self.since, _ARMS.index(self.arm), self.nonce, self.key)
        body += b"".join(
            _HIT.pack(mark, _TEAMS.index(team)) for mark, team in self.teams.items()
        )
        signed = body + _signature(self.index, body, secret)
        return base64.urlsafe_b64encode(signed).decode().rstrip("=")

    @staticmethod
    def read(text: str, *, index: IndexName, secret: bytes) -> AnswerId:
        """Return what an id says.

        Raises:
            BadInputError: no answer of this index was given that id.
        """
        wrong = BadInputError(
            "that is no id of an answer of this index",
            hint="pass the answer's own `id` as it came, and to the index that gave it",
        )
        try:
            signed = base64.urlsafe_b64decode(text + "=" * (-len(text) % 4))
        except (ValueError, binascii.Error):
            raise wrong from None
        body, signature = signed[:-_SIGNATURE], signed[-_SIGNATURE:]
        if len(body) < _HEAD.size or (len(body) - _HEAD.size) % _HIT.size:
            raise wrong
        if not hmac.compare_digest(signature, _signature(index, body, secret)):
            raise wrong
        _, since, arm, nonce, key = _HEAD.unpack_from(body)
        teams = {mark: _TEAMS[team] for mark, team in _HIT.iter_unpack(body[_HEAD.size :])}
        return AnswerId(
            index=index, since=Epoch(since), arm=_ARMS[arm], nonce=nonce, key=key, teams=teams
        )


def mark(document: str) -> bytes:
    """Return what stands for a document in an id."""
    return blake2b(document.encode("utf-8", "surrogatepass"), digest_size=4).digest()


def marked(documents: Sequence[str], teams: Sequence[Team]) -> dict[bytes, Team]:
    """Return whose pick each of the first hits was."""
    pairs = zip(documents[:CREDITED], teams[:CREDITED], strict=True)
    return {mark(document): team for document, team in pairs}


def key_mark(key: str) -> bytes:
    """Return what stands for a key in an id; the key itself is in none."""
    return blake2b(key.encode("utf-8", "surrogatepass"), digest_size=8).digest()


def _signature(index: IndexName, body: bytes, secret: bytes) -> bytes:
    return hmac.digest(secret, index.encode() + b"\0" + body, "sha256")[:_SIGNATURE]
