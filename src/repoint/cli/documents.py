"""``repoint ingest`` and ``delete``: documents into the log, and tombstones."""

from __future__ import annotations

import contextlib
import itertools
import json
from collections.abc import Iterator
from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final, TextIO

import typer

from repoint.cli.allocator import give_back_freed_memory
from repoint.cli.arguments import IndexName
from repoint.cli.door import Door, command
from repoint.cli.output import Output
from repoint.cli.progress import Bar
from repoint.domain.errors import BadInputError, BadLineError, FieldTypeError

if TYPE_CHECKING:
    from repoint.client import Index
    from repoint.domain.document import Document, Json
    from repoint.ports.store import Appended
    from repoint.sources.files.opening import Source

app = typer.Typer(rich_markup_mode=None)

#: How long a command that waits for nobody still lets live releases take its writes.
SETTLE_S: Final = 2.0


class WaitFor(StrEnum):
    """What a writer waits for besides the log."""

    NONE = "none"
    ACTIVE = "active"
    ALL = "all"


class Format(StrEnum):
    """How documents are written in a file."""

    JSONL = "jsonl"
    CSV = "csv"
    PARQUET = "parquet"


Wait = Annotated[
    WaitFor,
    typer.Option("--wait", help="Return when the active release, or all live ones, have it."),
]


class Rejects:
    """Where bad lines go: each with its source, its number and why, as JSON lines."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.count = 0
        self._file: TextIO | None = None

    def take(self, error: BadLineError, raw: bytes) -> None:
        """Write one bad line down."""
        if self._file is None:
            try:
                self._file = self.path.open("w", encoding="utf-8")
            except OSError as failed:
                raise BadInputError(
                    f"the bad lines cannot be written to {self.path}: {failed.strerror}",
                    hint="name another file: --rejects FILE",
                ) from failed
        row = {
            "source": error.source,
            "line": error.line,
            "why": error.why,
            "raw": raw.decode("utf-8", "backslashreplace").rstrip("\r\n"),
        }
        self._file.write(json.dumps(row, ensure_ascii=False) + "\n")
        self.count += 1

    def close(self) -> None:
        """Close the file, if there was anything to write."""
        if self._file is not None:
            self._file.close()


@command(
    app,
    "ingest",
    example="repoint ingest docs corpus.jsonl\n"
    "repoint ingest docs monday.csv tuesday.parquet --wait all\n"
    "zcat dump.jsonl.gz | repoint ingest docs - --skip-bad-lines",
    interrupted="every batch that was taken is in the log; the same command goes on from there",
)
def ingest(  # noqa: PLR0913 - each is an option that people type
    door: Door,
    *,
    index: IndexName,
    files: Annotated[
        list[str],
        typer.Argument(metavar="FILE…", help="JSON lines, CSV or Parquet; - is stdin."),
    ],
    wait: Wait = WaitFor.NONE,
    format_: Annotated[
        Format | None, typer.Option("--format", help="The format, where the name does not say.")
    ] = None,
    start_line: Annotated[
        int, typer.Option("--start-line", metavar="N", min=1, help="Skip the lines before it.")
    ] = 1,
    skip_bad_lines: Annotated[
        bool, typer.Option("--skip-bad-lines", help="Go on past bad lines and write them down.")
    ] = False,
    rejects: Annotated[
        Path, typer.Option("--rejects", metavar="FILE", help="Where the bad lines go.")
    ] = Path("rejects.jsonl"),
) -> None:
    """Write documents from files into an index's log.

    A line is {"_id": …, "title": …, "text": …, "metadata": {…}}. Repeating the command
    changes nothing for what is already there, so that is how one goes on after a failure.
    """
    if start_line > 1 and len(files) > 1:
        raise typer.BadParameter("--start-line is for one file")
    from repoint.sources.files.opening import SourceFormat, open_source  # noqa: PLC0415

    give_back_freed_memory()
    bad = Rejects(rejects)
    kind = SourceFormat(format_) if format_ else None
    head = written = unchanged = 0
    with door.workspace(keep_in_step=True) as opened, contextlib.closing(bad):
        handle = opened.index(index)
        for file in files:
            taker = bad.take if skip_bad_lines else None
            with open_source(
                file, format=kind, start_line=start_line, on_bad_line=taker
            ) as source:
                for done in _take(handle, source, bad=bad if skip_bad_lines else None):
                    head = done.head
                    written, unchanged = written + done.written, unchanged + done.unchanged
        _wait(handle, wait)
        door.out.json(
            {
                "index": index,
                "written": written,
                "unchanged": unchanged,
                "rejected": bad.count,
                "rejects": str(bad.path) if bad.count else None,
                "head": head,
                "lag": _lags(handle),
            }
        )
        door.out.say(f"{index}: {written:,} written, {unchanged:,} unchanged (head {head:,})")
        if bad.count:
            door.out.say(f"{bad.count:,} bad lines were left out; they are in {bad.path}")
        _tell_lag(door.out, handle)


@command(
    app,
    "delete",
    example="repoint delete docs 4711\nrepoint delete docs 4711 4712 --wait all",
    interrupted="either all tombstones are in the log or none; the same command makes sure",
)
def delete(
    door: Door,
    index: IndexName,
    ids: Annotated[list[str], typer.Argument(metavar="ID…", help="The documents' own ids.")],
    wait: Wait = WaitFor.NONE,
) -> None:
    """Write tombstones: every live release loses the documents."""
    with door.workspace(keep_in_step=True) as opened:
        handle = opened.index(index)
        done = handle.delete(ids)
        _wait(handle, wait)
        door.out.json(
            {
                "index": index,
                "deleted": done.written,
                "absent": done.unchanged,
                "head": done.head,
                "lag": _lags(handle),
            }
        )
        absent = f", {done.unchanged:,} were not there" if done.unchanged else ""
        door.out.say(f"{index}: {done.written:,} deleted{absent} (head {done.head:,})")
        _tell_lag(door.out, handle)


class _Intake:
    """The documents of a file on their way into the log, and the lines that they came from."""

    def __init__(self, source: Source) -> None:
        self._source = source
        self._unread = iter(source)
        #: Handed on and not in the log yet: a batch, at most.
        self._pending: list[tuple[int, Document]] = []
        self.taken = 0

    def documents(self) -> Iterator[Document]:
        """Hand on what is not in the log: first what an earlier call handed on in vain."""
        again, self._pending = self._pending, []
        for line, document in itertools.chain(again, self._unread):
            self._pending.append((line, document))
            yield document

    def settle(self, done: Appended) -> None:
        """Take note that all that was handed on is in the log."""
        self._pending.clear()
        self.taken += done.written + done.unchanged

    def blame(self, error: FieldTypeError) -> BadLineError:
        """Take the document out of those that are not in the log, and name its line."""
        at = max(n for n, (_, one) in enumerate(self._pending) if one.id == error.document)
        line, _ = self._pending.pop(at)
        return BadLineError(
            source=self._source.name, line=line, why=error.message, hint=error.hint
        )


def _take(handle: Index, source: Source, *, bad: Rejects | None) -> Iterator[Appended]:
    """Write a file batch by batch; yield what each batch did."""
    intake = _Intake(source)
    with Bar(f"ingest {source.name}", total=source.size_bytes) as bar:
        while True:
            try:
                for done in handle.ingest(intake.documents()):
                    intake.settle(done)
                    bar.show(source.position_bytes, note=f"{intake.taken:,} documents")
                    yield done
            except BadLineError as error:
                raise _noted(error, intake.taken) from None
            except FieldTypeError as error:
                told = intake.blame(error)
                if bad is None:
                    raise _noted(told, intake.taken) from error
                bad.take(told, error.document.encode())
            else:
                return


def _noted(error: BadLineError, taken: int) -> BadLineError:
    error.add_note(
        f"{taken:,} documents before it are in the log; correct the line and repeat "
        "the command, or go past bad lines with --skip-bad-lines"
    )
    return error


def _wait(handle: Index, wait: WaitFor) -> None:
    if wait is WaitFor.NONE:
        handle.settle(seconds=SETTLE_S)
    else:
        handle.wait("active" if wait is WaitFor.ACTIVE else "all")


def _lags(handle: Index) -> dict[str, Json]:
    return {one.name: one.lag for one in handle.status().releases}


def _tell_lag(out: Output, handle: Index) -> None:
    behind = {one.name: one.lag for one in handle.status().releases if one.lag}
    if behind:
        lags = ", ".join(f"{name} by {lag:,}" for name, lag in behind.items())
        first = next(iter(behind))
        out.say(
            f"not searchable everywhere yet: {lags}",
            f"  -> repoint sync {handle.name} {first}, or keep all in step: "
            f"repoint worker {handle.name}",
        )
