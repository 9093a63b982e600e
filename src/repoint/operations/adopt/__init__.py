"""Taking over a collection that a team made itself, and what bypasses repoint afterwards."""

from repoint.operations.adopt.absorbing import (
    Absorbed,
    AbsorbReport,
    Prefer,
    absorb,
    require_none,
)
from repoint.operations.adopt.absorbing import plan as plan_absorbing
from repoint.operations.adopt.adopting import AdoptionReport, adopt
from repoint.operations.adopt.planning import AdoptionPlan, Declaration, refusal
from repoint.operations.adopt.planning import plan as plan_adoption
from repoint.operations.adopt.proving import Difference, Proof
from repoint.operations.adopt.scanning import AdoptionProgress

__all__ = [
    "AbsorbReport",
    "Absorbed",
    "AdoptionPlan",
    "AdoptionProgress",
    "AdoptionReport",
    "Declaration",
    "Difference",
    "Prefer",
    "Proof",
    "absorb",
    "adopt",
    "plan_absorbing",
    "plan_adoption",
    "refusal",
    "require_none",
]
