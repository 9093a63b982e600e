"""The collections of one folder, as tables of an embedded LanceDB."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import timedelta
from pathlib import Path
from threading import Lock
from typing import TYPE_CHECKING, Final

import lancedb
from lancedb import AsyncConnection, AsyncTable

from repoint.backends.lancedb import indexes
from repoint.backends.lancedb.collection import LanceCollection
from repoint.backends.lancedb.engine import run
from repoint.backends.lancedb.failures import FAILURES, exists, translated
from repoint.backends.lancedb.schema import spec_of, table_schema
from repoint.domain.errors import (
    CollectionMissingError,
    FingerprintMismatchError,
    MissingSettingError,
    UnsupportedError,
)
from repoint.domain.ids import CollectionName, Fingerprint
from repoint.domain.spec import Distance
from repoint.ports.backend import Capabilities, CollectionSpec
from repoint.ports.settings import BackendSettings

if TYPE_CHECKING:
    from repoint.backends.lancedb.adopting import LanceAdopter

CAPABILITIES: Final = Capabilities(
    name="lancedb",
    aliases=False,
    lexical=True,
    conditional_writes=True,
    durable=True,
    shared=True,
    approximate=True,
    distances=frozenset(Distance),
    forgets=True,
    served=False,
    adopts=True,
)


class LanceBackend:
    """One folder of collections. Any number of processes may open it at once."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._lock = Lock()
        self._connected: AsyncConnection | None = None

    @property
    def capabilities(self) -> Capabilities:
        """What it can do beyond the common promises."""
        return CAPABILITIES

    def create(self, spec: CollectionSpec) -> LanceCollection:
        """Make the collection, or open it when it is already there."""
        indexes.check(spec.ann)
        at = self._at(spec.name)
        with translated(at, making=True):
            if not exists(at):
                self._folder.mkdir(parents=True, exist_ok=True)
                try:
                    run(self._connection().create_table(spec.name, schema=table_schema(spec)))
                except (ValueError, *FAILURES):
                    if not exists(at):
                        raise
                    # Another process made it in the meantime; what it made is checked below.
        return self.open(spec.name, fingerprint=spec.fingerprint)

    def open(self, name: CollectionName, *, fingerprint: Fingerprint) -> LanceCollection:
        """Open a collection whose schema carries this fingerprint."""
        at = self._at(name)
        if not exists(at):
            raise CollectionMissingError(collection=name)
        with translated(at):
            table: AsyncTable = run(self._connection().open_table(name))
            spec = spec_of(run(table.schema()), name)
            if spec is None or spec.fingerprint != fingerprint:
                found = spec.fingerprint if spec else None
                raise FingerprintMismatchError(
                    collection=name, expected=fingerprint, found=found
                )
            if spec.adopted is not None:
                return self.adopter().opened(name)
            if spec.lexical:
                run(indexes.add_text_index(table))
        return LanceCollection(spec=spec, table=table, connection=self._connection(), at=at)

    def drop(self, name: CollectionName) -> None:
        """Delete a collection's table and its files; of an adopted one what was noted."""
        at = self._at(name)
        if exists(at):
            with translated(at):
                spec = spec_of(run(run(self._connection().open_table(name)).schema()), name)
            if spec is not None and spec.adopted is not None:
                self.adopter().let_go(spec)
        with translated(at):
            try:
                if at.is_dir():
                    run(self._connection().drop_table(name))
            except (ValueError, *FAILURES):
                if at.is_dir():
                    raise

    def collections(self) -> Sequence[CollectionName]:
        """Return the names of the tables that carry a spec of ours, sorted."""
        return sorted(name for name in self._tables() if self._is_ours(name))

    def set_alias(self, alias: str, name: CollectionName) -> None:
        """Refuse: tables of a folder have no second names."""
        del alias, name
        raise UnsupportedError(
            driver=CAPABILITIES.name,
            what="aliases",
            hint="read through repoint: its pointer is the one name that moves",
        )

    def alias_target(self, alias: str) -> CollectionName | None:
        """Return None: there are no aliases."""
        del alias
        return None

    def adopter(self) -> LanceAdopter:
        """Return what takes over tables that a team made itself."""
        from repoint.backends.lancedb.adopting import LanceAdopter  # noqa: PLC0415 - few need it

        return LanceAdopter(
            self._folder, connection=self._connection, collections=self.collections
        )

    def close(self) -> None:
        """Let the connection go; open handles end with it."""
        with self._lock:
            if self._connected is not None:
                self._connected.close()  # type: ignore[no-untyped-call]  # the engine's gap
                self._connected = None

    def _connection(self) -> AsyncConnection:
        with self._lock:
            if self._connected is None:
                # An interval of zero: every call looks for commits of other processes first.
                self._connected = run(
                    lancedb.connect_async(
                        str(self._folder), read_consistency_interval=timedelta(0)
                    )
                )
            return self._connected

    def _at(self, name: str) -> Path:
        return self._folder / f"{name}.lance"

    def _tables(self) -> list[CollectionName]:
        return [
            CollectionName(path.stem) for path in self._folder.glob("*.lance") if exists(path)
        ]

    def _is_ours(self, name: CollectionName) -> bool:
        with translated(self._at(name)):
            table = run(self._connection().open_table(name))
            return spec_of(run(table.schema()), name) is not None


class LanceDriver:
    """Opens the backend in the workspace's own folder, or in the one that is named."""

    capabilities = CAPABILITIES

    @staticmethod
    def from_settings(settings: BackendSettings) -> LanceBackend:
        """Return the backend of the workspace's own folder, or of the one that ``url`` names.

        Raises:
            MissingSettingError: an option is given; there are none.
        """
        if settings.options or settings.api_key:
            raise MissingSettingError(
                backend=settings.name,
                setting=f"options.{min(settings.options)}"
                if settings.options
                else "api_key_env",
                why="this kind has only url, a folder",
            )
        return LanceBackend(
            Path(settings.url).expanduser() if settings.url else settings.folder
        )
