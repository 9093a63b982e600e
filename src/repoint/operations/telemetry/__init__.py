"""Telemetry of live queries: counted in process, kept in the control store, read by window."""

from repoint.operations.telemetry.meter import Meter
from repoint.operations.telemetry.reading import read, totals

__all__ = ["Meter", "read", "totals"]
