"""Releases: a spec with a name, a state, and what was measured of its model."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from repoint.domain.bridge import BridgeMap
from repoint.domain.ids import CollectionName, Fingerprint, IndexName, ReleaseName
from repoint.domain.spec import ReleaseSpec


class ReleaseState(StrEnum):
    """How far a release is in its life."""

    #: Its spec is stored; nothing was embedded.
    CREATED = "created"
    #: Kept in step with the log: candidate, active, fallback or standing by.
    LIVE = "live"
    #: No longer kept in step; it may be dropped.
    RETIRED = "retired"
    #: Its collection is gone; its spec, runs and records stay.
    DROPPED = "dropped"


@dataclass(frozen=True, slots=True, kw_only=True)
class Release:
    """One immutable release and its present state."""

    index: IndexName
    name: ReleaseName
    spec: ReleaseSpec
    fingerprint: Fingerprint
    collection: CollectionName
    state: ReleaseState
    created_at: datetime
    #: Backfill is held by hand; catch-up of what answers is not (see ``freeze``).
    paused: bool = False
    #: Rows a second at most; None is as fast as it goes.
    throttle: float | None = None
    #: Stands in for its query model, which is gone.
    bridge: BridgeMap | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """A sentinel text and the vector that the model gave when the release was made."""

    text: str
    #: ``query`` or ``document``.
    purpose: str
    vector: Sequence[float]


@dataclass(frozen=True, slots=True, kw_only=True)
class ProbeSet:
    """A release's sentinels and how far the model strays from itself."""

    probes: Sequence[Probe]
    #: Largest cosine distance seen between repeated embeddings of the same text, alone
    #: and in batches, when the release was made; a probe beyond it is an alarm.
    noise_band: float
