"""Routes as text, and the files that hold them."""

from __future__ import annotations

import hashlib
import json
import os
import shlex
from pathlib import Path

from repoint.domain.document import Json
from repoint.domain.errors import BadInputError
from repoint.domain.rendering import RenderFormat, variables


def rendered(tree: dict[str, Json], format_: RenderFormat) -> str:
    """Return a route as text; the same route is always the same text."""
    if format_ is RenderFormat.JSON:
        return json.dumps(tree, ensure_ascii=False, indent=2) + "\n"
    if format_ is RenderFormat.ENV:
        lines = [f"{name}={shlex.quote(value)}" for name, value in variables(tree).items()]
        return "\n".join(lines) + "\n"
    from repoint.wiring.spec_yaml import write_yaml  # noqa: PLC0415 - slow to load

    return write_yaml(tree)


def digest_of(text: str) -> str:
    """Return the SHA-256 that a file with this text has."""
    return hashlib.sha256(text.encode()).hexdigest()


def replace(path: Path, text: str) -> None:
    """Put the text into the file, durably, as a whole or not at all.

    Whoever reads it meanwhile has the old text or the new. The file's permissions stay.

    Raises:
        BadInputError: it cannot be written there; the file is as it was.
    """
    target = path.resolve()  # through a link: what it points at is replaced, not the link
    draft = target.with_name(f".{target.name}.{os.getpid()}.part")
    try:
        mode = target.stat().st_mode & 0o777 if target.exists() else None
        with draft.open("w", encoding="utf-8") as file:
            file.write(text)
            file.flush()
            os.fsync(file.fileno())
        if mode is not None:
            draft.chmod(mode)
        draft.replace(target)
        folder = os.open(target.parent, os.O_RDONLY)
        try:
            os.fsync(folder)
        finally:
            os.close(folder)
    except OSError as error:
        draft.unlink(missing_ok=True)
        raise BadInputError(
            f"{path} cannot be written: {error.strerror or error}",
            hint="choose another file: --out FILE",
        ) from error
