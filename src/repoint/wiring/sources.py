"""Opening the sources that feed an index, and their settings as people give them."""

from __future__ import annotations

from dataclasses import replace
from pathlib import Path

from repoint.domain.errors import BadInputError
from repoint.domain.source import FileSettings, Source, SqlSettings
from repoint.ports.clock import Clock
from repoint.ports.source import SourceReader
from repoint.sources.files.places import Places


def open_reader(source: Source, *, clock: Clock, places: Places | None = None) -> SourceReader:
    """Open a source for reading; raises as its reader.

    ``places`` keep where documents stand in files, for whoever reads by id again and again.
    """
    settings = source.settings
    if isinstance(settings, SqlSettings):
        from repoint.sources.sql.reader import SqlReader  # noqa: PLC0415 - loads SQLAlchemy

        return SqlReader(settings, clock=clock)
    from repoint.sources.folder import FolderReader  # noqa: PLC0415 - reads Parquet

    return FolderReader(settings, places=places)


def checked(settings: SqlSettings | FileSettings) -> SqlSettings | FileSettings:
    """Return settings as they may be stored.

    Raises:
        BadInputError: something is missing, contradicts itself, or is a secret.
    """
    if isinstance(settings, FileSettings):
        return replace(settings, folder=str(Path(settings.folder).absolute()))
    from repoint.sources.sql.engine import storable  # noqa: PLC0415 - loads SQLAlchemy

    if not settings.id or not settings.text:
        raise BadInputError(
            "a source needs a column for ids and one for text",
            hint="for instance: --id id --text body",
        )
    if settings.overlap is not None and settings.overlap < 0:
        raise BadInputError("an overlap is not negative", hint="0 reads nothing twice")
    return replace(settings, url=storable(settings.url))
