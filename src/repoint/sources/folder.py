"""Documents from the files of a folder: new and changed files are read, others are not.

A file that is still being written is read again at the next poll: it counts as read once it
had one size and one modification time from the first line to the last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from functools import partial
from pathlib import Path
from typing import Final, cast

import msgspec

from repoint.domain.document import Document, Json
from repoint.domain.errors import BadInputError, BadLineError, NotFoundError
from repoint.domain.ids import DocumentId
from repoint.domain.source import Batch, FileSettings, Record
from repoint.ports.source import Keys
from repoint.sources.deleted import is_deleted
from repoint.sources.files.opening import has_format, open_source
from repoint.sources.files.places import Place, Places, Standing
from repoint.sources.files.record import document_of

_PAGE: Final = 500
#: Rows between two that are read together, where others can be passed over.
_APART: Final = 2_000
_MARK: Final = b"\xef\xbb\xbf"


class FolderReader:
    """Reads one source of files; see ``ports.source.SourceReader``."""

    def __init__(self, settings: FileSettings, *, places: Places | None = None) -> None:
        """Read nothing yet; ``places`` are those that earlier readers of it found.

        Raises:
            NotFoundError: there is no such folder.
            BadInputError: the pattern leaves the folder.
        """
        self._folder = Path(settings.folder)
        self._pattern = settings.pattern
        self._deleted = settings.deleted
        self._by_reference = settings.by_reference
        self._places = places or Places()
        if not self._folder.is_dir():
            raise NotFoundError(what="folder", name=settings.folder)
        if ".." in Path(self._pattern).parts or Path(self._pattern).is_absolute():
            raise BadInputError(
                f"the pattern {self._pattern!r} leaves the folder",
                hint="for instance *.jsonl or **/*.parquet",
            )

    def changes(self, position: Mapping[str, Json]) -> Iterator[Batch]:
        """Yield what stands in new and changed files, in the order of their names."""
        known = cast("dict[str, dict[str, Json]]", dict(position.get("files") or {}))  # type: ignore[arg-type]  # as it was stored
        names = self._names()
        read = {name: known[name] for name in names if name in known}
        for name in names:
            stamp = self._stamp(name)
            before = read.get(name, {})
            same = before.get("stamp") == stamp
            if same and before.get("line") is None:
                continue
            line = cast("int", before["line"]) if same else 1
            for records, reached in self._pages(name, line):
                read[name] = {"stamp": stamp, "line": reached}
                yield Batch(records=tuple(records), position={"files": dict(read)})
            if self._stamp(name) == stamp:
                read[name] = {"stamp": stamp, "line": None}
            else:
                read.pop(name, None)  # it grew meanwhile: from the start, the next time
        yield Batch(records=(), position={"files": dict(read)})

    def keys(self, position: Mapping[str, Json]) -> Iterator[Keys]:
        """Yield the ids that stand in the files, file by file."""
        after = str(position.get("after") or "")
        for name in self._names():
            if name <= after:
                continue
            for records, _ in self._pages(name, 1):
                yield [one.id for one in records if one.document is not None], {"after": after}
            after = name
            yield [], {"after": after}

    def present(self, ids: Sequence[DocumentId]) -> set[DocumentId]:
        """Return those of which the last word in the files is that they are there."""
        return {name for name, one in self.fetch(ids).items() if one.document is not None}

    def fetch(self, ids: Sequence[DocumentId]) -> dict[DocumentId, Record]:
        """Return what stands of these documents in the files; the last word counts."""
        found: dict[DocumentId, Record] = {}
        for name in reversed(self._names()):
            left = [one for one in dict.fromkeys(ids) if one not in found]
            found |= self._fetched(name, left)
        return found

    def warnings(self) -> Sequence[str]:
        """Say whether the pattern fits nothing."""
        names = self._names()
        if not names:
            return [f"no file of {self._folder} fits {self._pattern!r}"]
        slow = [one for one in names if not (_is_seekable(one) or _has_groups(one))]
        if not self._by_reference or not slow:
            return []
        why = "JSON lines that are not compressed, and Parquet, are read where a document is"
        return [f"{slow[0]} is read from its beginning for each page of documents: {why}"]

    def close(self) -> None:
        """Hold nothing."""

    def _names(self) -> list[str]:
        return sorted(
            str(path.relative_to(self._folder))
            for path in self._folder.glob(self._pattern)
            if path.is_file() and has_format(path) and not path.name.startswith(".")
        )

    def _stamp(self, name: str) -> list[Json]:
        try:
            found = (self._folder / name).stat()
        except FileNotFoundError:
            return []
        return [found.st_size, found.st_mtime_ns]

    def _fetched(self, name: str, ids: Sequence[DocumentId]) -> dict[DocumentId, Record]:
        """Return what one file says of documents, each read at its place."""
        found: dict[DocumentId, Record] = {}
        for afresh in (False, True):
            stamp = self._stamp(name)
            if not stamp or not ids:
                break  # it is gone meanwhile
            places = self._places.of(
                self._folder / name,
                self._deleted,
                stamp=stamp,
                read=partial(self._standing, name),
                afresh=afresh,
            ).of(ids)
            found = self._read(name, places)
            if all(one.document in found for one in places):
                break  # else it was written to without a trace: look once more
        return found

    def _standing(self, name: str) -> Iterator[Standing]:
        return ((one.id, line, byte) for one, line, byte in self._walk(name, 1) if one.id)

    def _read(self, name: str, places: Sequence[Place]) -> dict[DocumentId, Record]:
        if not places:
            return {}
        if _is_seekable(name):
            return self._sought(name, places)
        found: dict[DocumentId, Record] = {}
        for part in _near(places) if _has_groups(name) else [places]:
            wanted = {one.line: one.document for one in part}
            for record, line, _ in self._walk(name, part[0].line):
                if line > part[-1].line:
                    break
                if wanted.get(line) == record.id:
                    found[record.id] = record
        return found

    def _sought(self, name: str, places: Sequence[Place]) -> dict[DocumentId, Record]:
        found: dict[DocumentId, Record] = {}
        path = self._folder / name
        try:
            with path.open("rb") as file:
                for place in places:
                    file.seek(place.byte)
                    lines = (one.removeprefix(_MARK) for one in file)
                    line = next((one for one in lines if not one.isspace()), b"")
                    record = self._record(line, place.line, str(path))
                    if record.id == place.document:
                        found[record.id] = record
        except OSError as error:
            raise BadInputError(f"{path} cannot be read: {error}") from error
        return found

    def _record(self, line: bytes, number: int, source: str) -> Record:
        try:
            document = document_of(msgspec.json.decode(line), source=source, line=number)
        except (BadLineError, msgspec.DecodeError, ValueError, RecursionError):
            return self._tombstone(line) or Record(id=DocumentId(""), problem="no document")
        return self._said(document)

    def _walk(self, name: str, line: int) -> Iterator[tuple[Record, int, int]]:
        """Yield records, bad lines too, with their lines and where the one before ended."""
        bad: list[tuple[Record, int, int]] = []
        ended = 0

        def take(error: BadLineError, raw: bytes) -> None:
            nonlocal ended
            record = self._tombstone(raw) or Record(id=DocumentId(""), problem=error.message)
            bad.append((record, error.line, ended))
            ended = source.position_bytes

        path = self._folder / name
        with open_source(path, start_line=line, on_bad_line=take) as source:
            for number, document in source:
                yield from bad
                bad.clear()
                yield self._said(document), number, ended
                ended = source.position_bytes
            yield from bad

    def _said(self, document: Document) -> Record:
        gone = self._deleted and is_deleted(document.metadata.get(self._deleted))
        return Record(id=document.id, document=None if gone else document)

    def _pages(self, name: str, line: int) -> Iterator[tuple[list[Record], int]]:
        """Yield records with the line at which to go on after them."""
        page: list[Record] = []

        def take(error: BadLineError, raw: bytes) -> None:
            bad = Record(id=DocumentId(""), problem=error.message)
            page.append(self._tombstone(raw) or bad)

        path = self._folder / name
        with open_source(path, start_line=line, on_bad_line=take) as source:
            for number, document in source:
                page.append(self._said(document))
                if len(page) >= _PAGE:
                    yield list(page), number + 1
                    line = number + 1
                    page.clear()
        if page:
            yield list(page), line  # not past its lines: whether the file is through is open

    def _tombstone(self, raw: bytes) -> Record | None:
        """Return the record of a line that has no text because it says that it is deleted."""
        if not self._deleted:
            return None
        try:
            tree = json.loads(raw)
        except (ValueError, RecursionError):
            return None
        if not isinstance(tree, dict):
            return None
        inner = tree.get("metadata")
        fields = {**(inner if isinstance(inner, dict) else {}), **tree}
        name = tree.get("_id") or tree.get("id")
        if not isinstance(name, str) or not is_deleted(fields.get(self._deleted)):
            return None
        return Record(id=DocumentId(name))


def _is_seekable(name: str) -> bool:
    """Return whether a byte of the file is the beginning of a line of its documents."""
    return name.lower().endswith((".jsonl", ".ndjson"))


def _has_groups(name: str) -> bool:
    """Return whether the file is read from any row on without those before."""
    return name.lower().endswith(".parquet")


def _near(places: Sequence[Place]) -> Iterator[list[Place]]:
    part = [places[0]]
    for place in places[1:]:
        if place.line - part[-1].line > _APART:
            yield part
            part = []
        part.append(place)
    yield part
