"""Bridges: how queries still reach a space whose own query model is gone.

A bridge is a map from a living model's space into the old one, learnt from the vectors that
both releases stored for the same texts. It is for emergencies: it loses answers, how many is
measured before anyone may use it, and every answer through it says so.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Final

from repoint.domain.ids import Actor, BridgeId, Fingerprint, IndexName, ReleaseName
from repoint.domain.spec import ModelSpec


class MapMethod(StrEnum):
    """How a map was fitted."""

    #: A rotation (of unequal dimensions: the nearest there is to one), around both means.
    ROTATION = "rotation"
    #: Least squares with a penalty on large weights, around both means.
    RIDGE = "ridge"


class Against(StrEnum):
    """What the answers through a bridge were compared with."""

    #: The judgements of the query set; the old answers give what there was to keep.
    JUDGEMENTS = "judgements"
    #: The old release's own answers: their share that is found again.
    OLD_ANSWERS = "old-answers"


@dataclass(frozen=True, slots=True, kw_only=True)
class Retention:
    """What was measured of a bridge on queries that it was not fitted on."""

    against: Against
    #: ``nDCG@10`` for instance, or ``overlap@10``.
    measure: str
    #: The query set and its version, or ``golden``.
    queries: str
    #: How many of its queries count.
    count: int
    #: The measure through the old model, and through the bridge.
    old: float
    bridged: float
    #: Where the mean difference, bridged less old, lies with 95 % confidence.
    low: float
    high: float

    @property
    def share(self) -> float:
        """Return what is left of the old measure, 0 to 1 and more."""
        return self.bridged / self.old if self.old > 0 else 0.0


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeMap:
    """The map of one bridge: all that a query needs to go over it."""

    id: BridgeId
    index: IndexName
    #: Whose collection is asked.
    release: ReleaseName
    #: Whose model embeds the query.
    source: ReleaseName
    source_fingerprint: Fingerprint
    source_model: ModelSpec
    #: float32, little endian, row by row: one row a source dimension, and one to add.
    weights: bytes


@dataclass(frozen=True, slots=True, kw_only=True)
class Bridge:
    """A map and what was measured of it. Never changed once stored, but for ``enabled``."""

    map: BridgeMap
    method: MapMethod
    #: Pairs of vectors that it was fitted on, and that were held out.
    fitted: int
    held_out: int
    #: Mean cosine of mapped and old vectors over the pairs held out.
    cosine: float
    retention: Retention
    actor: Actor
    at: datetime
    enabled: bool = False

    @property
    def id(self) -> BridgeId:
        """The bridge's id."""
        return self.map.id

    @property
    def release(self) -> ReleaseName:
        """Whose collection is asked."""
        return self.map.release

    @property
    def source(self) -> ReleaseName:
        """Whose model embeds the query."""
        return self.map.source


@dataclass(frozen=True, slots=True, kw_only=True)
class BridgeRule:
    """What a policy asks of bridges; without one there are none."""

    #: The least share of the old measure that must be left.
    floor: float
    #: Compared where the query set has judgements; else the overlap of answers counts.
    measure: str = "nDCG@10"


#: How many answers are compared where there are no judgements.
OVERLAP_DEPTH: Final = 10
