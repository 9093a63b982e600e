"""The engine, imported without what a local folder never uses, and the loop it runs on.

``import lancedb`` takes more than a second, and a rollback should be over by then. Most of
it goes into the generated client of remote catalogues (``lance_namespace``), and on Python
3.11 into ``overrides``, which reads byte code to check decorators that later Pythons only
note. While lancedb is imported, stand-ins take the place of these packages; afterwards they
are taken out again, so other code of this process gets the real ones. What lancedb picked
from a stand-in turns into the real thing when it is first called.

pyarrow looks for pandas when it makes its first array, and imports it where it is installed,
which takes as long as all the rest. In a process of repoint's own nobody has a data frame, so
it finds none there while lancedb is imported; asked for one later, it looks again.

``REPOINT_PLAIN_LANCEDB_IMPORT=1`` imports lancedb as it is.

The engine writes warnings to standard error, at the levels that ``LANCEDB_LOG`` names when
it is imported. Unless somebody set that, two modules are held to errors; see ``LOG_LEVELS``.
"""

from __future__ import annotations

import asyncio
import gc
import importlib
import os
import sys
import threading
from collections.abc import Coroutine, Iterator, Sequence
from contextlib import contextmanager
from importlib.abc import Loader, MetaPathFinder
from importlib.machinery import ModuleSpec
from types import ModuleType
from typing import Final, TypeVar

from repoint import own_process

T = TypeVar("T")

CATALOGUES: Final = frozenset({"lance_namespace", "lance_namespace_urllib3_client"})
DECORATORS: Final = "overrides"
DATA_FRAMES: Final = "pandas"

_LOG: Final = "LANCEDB_LOG"
#: An index grows by parts with partitions of their own, in numbers that differ. When the
#: engine splits a partition it asks every part for the rows of each, and warns of each one
#: that a part does not have. It has no such rows, so nothing is left out; there can be
#: hundreds of these lines, and nobody could do anything about them. Of two processes that put
#: the same fragments together the second gives way, and tries again at its next occasion.
LOG_LEVELS: Final = "warn,lance::index::vector::builder=error,lance::dataset::optimize=error"


class _Later(type):
    """A class of a package that was not imported; the real one answers when it is used."""

    def _real(cls) -> type:
        found: type = getattr(importlib.import_module(cls.__module__), cls.__name__)
        return found

    def __call__(cls, *args: object, **kwargs: object) -> object:
        return cls._real()(*args, **kwargs)

    def __instancecheck__(cls, instance: object) -> bool:
        return isinstance(instance, cls._real())

    def __getattr__(cls, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        return getattr(cls._real(), name)


class _StandIn(ModuleType):
    """A module whose names are made when they are asked for."""

    def __getattr__(self, name: str) -> object:
        if name.startswith("__"):
            raise AttributeError(name)
        # An exception class, because some of the names stand in ``except`` clauses.
        made = _Later(name, (Exception,), {"__module__": self.__name__})
        setattr(self, name, made)
        return made


class _StandIns(MetaPathFinder, Loader):
    """Finds stand-ins for the packages, for the one thread that imports lancedb."""

    def __init__(self, *, without: str = "") -> None:
        self._thread = threading.get_ident()
        self._without = without

    def find_spec(
        self, fullname: str, path: Sequence[str] | None, target: ModuleType | None = None
    ) -> ModuleSpec | None:
        """Answer for the catalogues and the decorators, and for nothing else.

        Raises:
            ModuleNotFoundError: the package is to be left out.
        """
        del path, target
        if threading.get_ident() != self._thread:
            return None
        if fullname == self._without:
            raise ModuleNotFoundError(f"{fullname} is left out", name=fullname)
        if fullname.partition(".")[0] not in CATALOGUES and fullname != DECORATORS:
            return None
        return ModuleSpec(fullname, self, is_package=True)

    def create_module(self, spec: ModuleSpec) -> ModuleType:
        """Return an empty stand-in."""
        return _StandIn(spec.name)

    def exec_module(self, module: ModuleType) -> None:
        """Fill the decorators' stand-in: what Python 3.12 has in their place."""
        if module.__name__ == DECORATORS:
            vars(module).update(override=lambda method: method, EnforceOverrides=object)


@contextmanager
def _log_levels() -> Iterator[None]:
    """Let the engine find its log levels where nobody set any; later children find none."""
    if _LOG in os.environ:
        yield
        return
    os.environ[_LOG] = LOG_LEVELS
    try:
        yield
    finally:
        del os.environ[_LOG]


def imported() -> ModuleType:
    """Import lancedb, as fast as it goes, and return it."""
    loaded = sys.modules.keys() & {"lancedb", DECORATORS, *CATALOGUES}
    if loaded or os.environ.get("REPOINT_PLAIN_LANCEDB_IMPORT") == "1":
        return importlib.import_module("lancedb")
    stand_ins = _StandIns(without=DATA_FRAMES if own_process.declared() else "")
    collecting = gc.isenabled()
    gc.disable()  # an import makes many objects and no garbage
    sys.meta_path.insert(0, stand_ins)
    try:
        return importlib.import_module("lancedb")
    finally:
        sys.meta_path.remove(stand_ins)
        for name in [n for n, m in sys.modules.items() if isinstance(m, _StandIn)]:
            del sys.modules[name]
        if collecting:
            gc.enable()


with _log_levels():
    imported()


class _Loop:
    """One event loop on a thread of its own, on which all engine calls of the process run."""

    def __init__(self) -> None:
        self._loop = asyncio.new_event_loop()
        threading.Thread(
            target=self._loop.run_forever, name="repoint-lance", daemon=True
        ).start()

    def run(self, call: Coroutine[object, object, T]) -> T:
        future = asyncio.run_coroutine_threadsafe(call, self._loop)
        try:
            return future.result()
        except BaseException:
            future.cancel()
            raise


_LOOP: Final = _Loop()


def run(call: Coroutine[object, object, T]) -> T:
    """Run an engine call to its end and return what it returns."""
    return _LOOP.run(call)
