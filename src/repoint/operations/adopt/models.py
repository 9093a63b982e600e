"""Models for a proof: the declared one, and one at a time of those that are tried."""

from __future__ import annotations

from dataclasses import replace
from types import TracebackType
from typing import Protocol, Self

from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.ports.drivers import Drivers
from repoint.ports.embedder import Embedder
from repoint.ports.text import Preparer


class ProvingDrivers(Drivers, Protocol):
    """Drivers that also open a model for a moment."""

    def open_once(self, model: ModelSpec) -> Embedder:
        """Return the model, opened for the caller, who closes it; raises as ``embedder``."""
        ...


class Models:
    """Opens models by what a driver reads of them; a context manager.

    A transformer takes as much memory as its files, so what is tried is closed before the
    next is opened.
    """

    def __init__(self, drivers: ProvingDrivers, declared: ModelSpec) -> None:
        self._drivers = drivers
        self._declared = declared
        self._tried: tuple[ModelSpec, Embedder] | None = None

    def embedder(self, model: ModelSpec) -> Embedder:
        """Return the model, opened; the one before it is closed."""
        bare = _bare(model)
        if bare == _bare(self._declared):
            return self._drivers.embedder(self._declared)
        if self._tried is None or self._tried[0] != bare:
            self._close()
            self._tried = (bare, self._drivers.open_once(bare))
        return self._tried[1]

    def preparer(self, spec: ReleaseSpec) -> Preparer:
        """Return a spec's preprocessing."""
        return self._drivers.preparer(spec)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._close()

    def _close(self) -> None:
        if self._tried is not None:
            self._tried[1].close()
            self._tried = None


def _bare(model: ModelSpec) -> ModelSpec:
    """Return the model without what is done to its texts and vectors outside the driver."""
    return replace(model, document_prefix="", query_prefix="", normalise=True)
