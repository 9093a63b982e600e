"""What a process keeps for the live queries that it answers, made by the first of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from repoint.domain.ids import ProcessId
from repoint.ports.clock import Clock
from repoint.ports.store import Store

if TYPE_CHECKING:
    from repoint.operations.telemetry import Meter


class Live:
    """Holds them; a process that answers nothing, like a rollback's, loads none of it."""

    def __init__(self, store: Store, *, clock: Clock, process: ProcessId) -> None:
        self._store, self._clock, self._process = store, clock, process
        self._making = threading.Lock()
        self._meter: Meter | None = None

    @property
    def meter(self) -> Meter:
        """What counts the live queries of this process."""
        return self._meter or self._make_meter()

    def flush(self) -> None:
        """Store what was counted so far, so that whoever reads sees it."""
        if self._meter is not None:
            self._meter.flush()

    def close(self) -> None:
        """Store what was counted and end; before the store is closed."""
        if self._meter is not None:
            self._meter.close()

    def _make_meter(self) -> Meter:
        from repoint.operations.telemetry import Meter  # noqa: PLC0415 - see the class

        with self._making:
            if self._meter is None:
                self._meter = Meter(self._store, clock=self._clock, process=self._process)
            return self._meter
