"""What the engine raises, as errors that say what to do next.

The engine gives every failure as ``RuntimeError`` or ``OSError`` with a text. Two parts of
the text are read, because they have no other place: the operating system's error number,
and the name of the file that was not there, which is then looked for.
"""

from __future__ import annotations

import errno
import re
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from repoint.domain.errors import (
    BackendUnavailableError,
    CollectionMissingError,
    CorruptionError,
    RepointError,
    RowsRefusedError,
)

#: What the engine raises when the storage or another writer is in the way.
FAILURES: Final = (RuntimeError, OSError)

_NUMBER: Final = re.compile(r"os error (\d+)")
_FULL: Final = frozenset({errno.ENOSPC, errno.EDQUOT, errno.EFBIG})
_READ_ONLY: Final = frozenset({errno.EROFS, errno.EACCES, errno.EPERM})


def exists(table: Path) -> bool:
    """Return whether there is a table in this folder."""
    return (table / "_versions").is_dir()


@contextmanager
def translated(table: Path, *, making: bool = False) -> Iterator[None]:
    """Turn what the engine raises about this table's folder into our errors.

    While it is being made, its absence is no finding.
    """
    try:
        yield
    except UnicodeEncodeError as error:
        raise RowsRefusedError(
            driver="lancedb",
            why=f"half a surrogate pair is no text ({error.reason})",
        ) from error
    except FAILURES as error:
        raise _translation(error, table, making=making) from error
    except ValueError as error:
        if making or exists(table):
            raise  # our own mistake: the engine refuses what was asked
        raise CollectionMissingError(collection=table.stem) from error


def may_pass(error: Exception) -> bool:
    """Return whether the same call may succeed now: another writer was faster."""
    return _number(error) not in _FULL | _READ_ONLY


def _translation(error: Exception, table: Path, *, making: bool) -> RepointError:
    number = _number(error)
    if number in _FULL:
        return BackendUnavailableError(
            f"no space is left for {table.parent}",
            hint="free space on that disk, then run the command again",
        )
    if number in _READ_ONLY:
        return BackendUnavailableError(
            f"{table.parent} cannot be written",
            hint="check that its disk is mounted for writing and who owns the folder",
        )
    if making:
        return BackendUnavailableError(f"{table.parent}: {_first_line(error)}")
    if not exists(table):
        return CollectionMissingError(collection=table.stem)
    named = re.search(re.escape(table.name) + r"/([\w./-]*\w)", str(error))
    if named and not (table / named[1]).exists():
        return CorruptionError(
            f"file {named[1]} of collection {table.stem!r} is gone",
            hint="rebuild it with: repoint diff --repair",
        )
    return BackendUnavailableError(f"collection {table.stem!r}: {_first_line(error)}")


def _number(error: Exception) -> int | None:
    if isinstance(error, OSError) and error.errno is not None:
        return error.errno
    found = _NUMBER.search(str(error))
    return int(found[1]) if found else None


def _first_line(error: Exception) -> str:
    return str(error).partition("\n")[0]
