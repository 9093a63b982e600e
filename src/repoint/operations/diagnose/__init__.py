"""Diagnose: what made a release worse, by asking again with one thing changed at a time."""

from repoint.operations.diagnose.diagnosing import diagnose, last, plan
from repoint.operations.diagnose.values import Estimate, Given, Options, Step

__all__ = ["Estimate", "Given", "Options", "Step", "diagnose", "last", "plan"]
