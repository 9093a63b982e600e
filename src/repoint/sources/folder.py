"""Documents from the files of a folder: new and changed files are read, others are not.

A file that is still being written is read again at the next poll: it counts as read once it
had one size and one modification time from the first line to the last.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Final, cast

from repoint.domain.document import Json
from repoint.domain.errors import BadInputError, BadLineError, NotFoundError
from repoint.domain.ids import DocumentId
from repoint.domain.source import Batch, FileSettings, Record
from repoint.ports.source import Keys
from repoint.sources.deleted import is_deleted
from repoint.sources.files.opening import has_format, open_source

_PAGE: Final = 500


class FolderReader:
    """Reads one source of files; see ``ports.source.SourceReader``."""

    def __init__(self, settings: FileSettings) -> None:
        """Read nothing yet.

        Raises:
            NotFoundError: there is no such folder.
            BadInputError: the pattern leaves the folder.
        """
        self._folder = Path(settings.folder)
        self._pattern = settings.pattern
        self._deleted = settings.deleted
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
        """Return those that stand in any file."""
        wanted, found = set(ids), set[DocumentId]()
        for name in self._names():
            for records, _ in self._pages(name, 1):
                found.update(
                    one.id for one in records if one.document is not None and one.id in wanted
                )
        return found

    def fetch(self, ids: Sequence[DocumentId]) -> dict[DocumentId, Record]:
        """Return what stands of these documents in the files; the last word counts."""
        wanted, found = set(ids), dict[DocumentId, Record]()
        for name in self._names():
            for records, _ in self._pages(name, 1):
                found.update({one.id: one for one in records if one.id in wanted})
        return found

    def warnings(self) -> Sequence[str]:
        """Say whether the pattern fits nothing."""
        if self._names():
            return []
        return [f"no file of {self._folder} fits {self._pattern!r}"]

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

    def _pages(self, name: str, line: int) -> Iterator[tuple[list[Record], int]]:
        """Yield records with the line at which to go on after them."""
        page: list[Record] = []

        def take(error: BadLineError, raw: bytes) -> None:
            bad = Record(id=DocumentId(""), problem=error.message)
            page.append(self._tombstone(raw) or bad)

        path = self._folder / name
        with open_source(path, start_line=line, on_bad_line=take) as source:
            for number, document in source:
                gone = self._deleted and is_deleted(document.metadata.get(self._deleted))
                page.append(Record(id=document.id, document=None if gone else document))
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
