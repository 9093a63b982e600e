"""The metadata with every table in it, for whoever goes through all of them.

A table is in the metadata once its module was imported, and most commands import few.
"""

from __future__ import annotations

from typing import Final

from repoint.stores.sql import (
    adoption_table,
    bridge_tables,
    diagnosing_tables,
    erasing_tables,
    feeding_tables,
    guarding_tables,
    judging_tables,
    traffic_tables,
)
from repoint.stores.sql.tables import metadata

MODULES: Final = (
    adoption_table,
    bridge_tables,
    diagnosing_tables,
    erasing_tables,
    feeding_tables,
    guarding_tables,
    judging_tables,
    traffic_tables,
)

__all__ = ["MODULES", "metadata"]
