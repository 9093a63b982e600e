"""Opening a source by its path, and turning what its format brings into documents."""

from __future__ import annotations

import sys
import zlib
from collections.abc import Callable, Iterator
from enum import StrEnum
from pathlib import Path
from types import TracebackType
from typing import Final, Self, TypeAlias

from repoint.domain.document import Document
from repoint.domain.errors import BadInputError, BadLineError, NotFoundError, UnsupportedError
from repoint.sources.files.lines import ByteLines
from repoint.sources.files.reader import Reader, Row
from repoint.sources.files.record import document_of
from repoint.sources.files.seen import SeenIds


class SourceFormat(StrEnum):
    """How documents are written in a file."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


#: Given a bad line and its bytes: return to skip it, raise to stop.
OnBadLine: TypeAlias = Callable[[BadLineError, bytes], None]

#: The path that means standard input.
STANDARD_INPUT: Final = "-"

_ENDINGS: Final = {
    ".jsonl": SourceFormat.JSONL,
    ".ndjson": SourceFormat.JSONL,
    ".csv": SourceFormat.CSV,
    ".parquet": SourceFormat.PARQUET,
}


class Source:
    """Documents of one file with their lines; iterate once, close after.

    An id that stands twice is a bad line where it stands again: which of the two is meant
    cannot be known. Only hashes of ids are kept, so memory stays small for any file.
    """

    def __init__(
        self,
        name: str,
        reader: Reader,
        *,
        size_bytes: int | None,
        start_line: int = 1,
        on_bad_line: OnBadLine | None = None,
    ) -> None:
        #: The path as it was given, for messages.
        self.name = name
        #: Bytes on the disk; None for standard input.
        self.size_bytes = size_bytes
        self._reader = reader
        self._start_line = start_line
        self._on_bad_line = on_bad_line

    @property
    def position_bytes(self) -> int:
        """Bytes read so far; reaches ``size_bytes`` at the end."""
        return self._reader.position

    def __iter__(self) -> Iterator[tuple[int, Document]]:
        """Yield each document with the line at which it begins.

        Raises:
            BadLineError: a line is no document, and nobody takes bad lines.
            BadInputError: the file cannot be read to its end.
        """
        seen = SeenIds()
        for line, record, raw in self._rows():
            try:
                document = self._document(record, line, seen)
            except BadLineError as error:
                if self._on_bad_line is None:
                    raise
                self._on_bad_line(error, raw)
            else:
                yield line, document

    def _rows(self) -> Iterator[Row]:
        try:
            yield from self._reader.rows(self._start_line)
        except (OSError, EOFError, zlib.error) as error:
            raise BadInputError(f"{self.name} cannot be read to its end: {error}") from error

    def _document(self, record: object, line: int, seen: SeenIds) -> Document:
        if isinstance(record, BadLineError):
            raise record
        document = document_of(record, source=self.name, line=line)
        first = seen.first(document.id, line)
        if first:
            why = f"the id {document.id!r} stands already in line {first}"
            raise BadLineError(source=self.name, line=line, why=why)
        return document

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def open_source(
    path: Path | str,
    *,
    format: SourceFormat | None = None,  # noqa: A002  # the word that users type
    start_line: int = 1,
    on_bad_line: OnBadLine | None = None,
) -> Source:
    """Open a file, or with ``-`` standard input, as documents.

    Without a format the name's ending decides, before a ``.gz``; standard input is JSON
    lines. ``start_line`` skips what an earlier attempt has taken. Bad lines raise, unless
    ``on_bad_line`` takes them.

    Raises:
        NotFoundError: there is no such file.
        BadInputError: it cannot be opened, or its ending names no format.
        UnsupportedError: Parquet from standard input or compressed once more.
    """
    name = str(path)
    if name == STANDARD_INPUT:
        kind, size = format or SourceFormat.JSONL, None
        if kind is SourceFormat.PARQUET:
            raise UnsupportedError(
                driver="parquet", what="standard input", hint="write it to a file first"
            )
        reader = _reader(kind, ByteLines(sys.stdin.buffer, gzipped=False), "standard input")
        name = "standard input"
    else:
        path = Path(path)
        kind = format or _format(path)
        size, reader = _opened(path, kind)
    return Source(name, reader, size_bytes=size, start_line=start_line, on_bad_line=on_bad_line)


def _opened(path: Path, kind: SourceFormat) -> tuple[int, Reader]:
    try:
        if path.is_dir():
            raise BadInputError(f"{path} is a folder", hint="name a file in it")
        size = path.stat().st_size
        if kind is not SourceFormat.PARQUET:
            return size, _reader(kind, ByteLines.of(path), str(path))
        if path.suffix.lower() == ".gz":
            hint = "unpack it: Parquet compresses by itself"
            raise UnsupportedError(driver="parquet", what="files in .gz", hint=hint)
        from repoint.sources.files.parquet import ParquetFile  # noqa: PLC0415  # pyarrow is heavy

        return size, ParquetFile(path, source=str(path))
    except FileNotFoundError as error:
        raise NotFoundError(what="file", name=str(path)) from error
    except OSError as error:
        raise BadInputError(f"{path} cannot be opened: {error.strerror or error}") from error


def _reader(kind: SourceFormat, lines: ByteLines, name: str) -> Reader:
    if kind is SourceFormat.CSV:
        from repoint.sources.files.csv_file import CsvFile  # noqa: PLC0415  # only when it is one

        return CsvFile(lines, source=name)
    from repoint.sources.files.jsonl import JsonLines  # noqa: PLC0415  # only when it is one

    return JsonLines(lines, source=name)


def has_format(path: Path) -> bool:
    """Return whether the name's ending says a format."""
    return path.name.lower().removesuffix(".gz").endswith(tuple(_ENDINGS))


def _format(path: Path) -> SourceFormat:
    ending = path.suffix.lower()
    if ending == ".gz":
        ending = path.with_suffix("").suffix.lower()
    if ending not in _ENDINGS:
        raise BadInputError(
            f"the name of {path} says no format",
            hint=f"say it: --format {', '.join(SourceFormat)}",
        )
    return _ENDINGS[ending]
