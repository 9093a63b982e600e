"""Evidence as JSON files in one folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from repoint.domain.document import Json
from repoint.domain.errors import CorruptionError, StoreUnavailableError


class FolderArchive:
    """Keeps each record as one file, replaced as a whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, name: str, content: Mapping[str, Json]) -> str:
        """Store the content durably under the name and return its path."""
        target = self._folder / f"{name}.json"
        draft = self._folder / f".{name}.{os.getpid()}.part"
        try:
            self._folder.mkdir(parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8") as file:
                json.dump(content, file, indent=2, sort_keys=True, ensure_ascii=False)
                file.write("\n")
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise StoreUnavailableError(
                f"evidence cannot be written to {target}: {error.strerror}",
                hint="make room or permit writing there, then: repoint reconcile",
            ) from error
        return str(target)

    def read(self, name: str) -> Mapping[str, Json] | None:
        """Return what was kept under the name, None where no such file is in the folder."""
        target = self._folder / f"{name}.json"
        try:
            content: Json = json.loads(target.read_text(encoding="utf-8"))
        except FileNotFoundError:
            return None
        except (OSError, ValueError) as error:
            raise CorruptionError(f"evidence {target} cannot be read: {error}") from error
        if not isinstance(content, dict):
            raise CorruptionError(f"evidence {target} holds no record")
        return content
