"""What a process keeps for the live queries that it answers, made by the first of them."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING

from repoint.domain.ids import ProcessId
from repoint.operations.spaces import Spaces
from repoint.ports.clock import Clock
from repoint.ports.store import Store

if TYPE_CHECKING:
    from repoint.operations.shadowing import Shadower
    from repoint.operations.telemetry import Meter


class Live:
    """Holds them; a process that answers nothing, like a rollback's, loads none of it."""

    def __init__(
        self, store: Store, spaces: Spaces, *, clock: Clock, process: ProcessId
    ) -> None:
        self._store, self._spaces, self._clock = store, spaces, clock
        self._process = process
        self._making = threading.Lock()
        self._meter: Meter | None = None
        self._shadower: Shadower | None = None

    @property
    def meter(self) -> Meter:
        """What counts the live queries of this process."""
        return self._meter or self._make_meter()

    @property
    def shadower(self) -> Shadower:
        """What asks shadows the live queries of this process."""
        return self._shadower or self._make_shadower()

    def flush(self) -> None:
        """Store what was counted so far, so that whoever reads sees it."""
        if self._meter is not None:
            self._meter.flush()

    def close(self) -> None:
        """Ask no more, and store what was counted; before the store is closed."""
        if self._shadower is not None:
            self._shadower.close()
        if self._meter is not None:
            self._meter.close()

    def _make_meter(self) -> Meter:
        from repoint.operations.telemetry import Meter  # noqa: PLC0415 - see the class

        with self._making:
            if self._meter is None:
                self._meter = Meter(self._store, clock=self._clock, process=self._process)
            return self._meter

    def _make_shadower(self) -> Shadower:
        from repoint.operations.shadowing import Shadower  # noqa: PLC0415 - see the class

        meter = self.meter
        with self._making:
            if self._shadower is None:
                self._shadower = Shadower(
                    self._store, self._spaces, clock=self._clock, meter=meter
                )
            return self._shadower
