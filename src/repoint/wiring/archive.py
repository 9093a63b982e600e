"""Evidence as JSON files in one folder."""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path

from repoint.domain.document import Json
from repoint.domain.erasure import Secret, mentions, text_without, tree_without
from repoint.domain.errors import CorruptionError, StoreUnavailableError
from repoint.ports.archive import Redacted


class FolderArchive:
    """Keeps each record as one file, replaced as a whole or not at all."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder

    def keep(self, name: str, content: Mapping[str, Json]) -> str:
        """Store the content durably under the name and return its path."""
        target = self._folder / f"{name}.json"
        self._write(target, _formatted(content))
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

    def redact(self, secret: Secret, *, spared: frozenset[str]) -> Redacted:
        """Take what betrays these documents out of every file of the folder."""
        records = changed = 0
        left: list[str] = []
        for file in sorted(one for one in self._folder.rglob("*") if one.is_file()):
            records += 1
            data = file.read_bytes()
            try:
                before = data.decode()
            except UnicodeDecodeError:
                if mentions(data.decode("latin-1"), _as_bytes(secret)):
                    left.append(file.name)
                continue
            after = _without(before, secret, spared=spared)
            if after != before:
                self._write(file, after)
                changed += 1
            if mentions(_unspared(after, spared), secret):
                left.append(file.name)
        return Redacted(records=records, changed=changed, left=left)

    def _write(self, target: Path, text: str) -> None:
        draft = target.with_name(f".{target.stem}.{os.getpid()}.part")
        try:
            target.parent.mkdir(parents=True, exist_ok=True)
            with draft.open("w", encoding="utf-8") as file:
                file.write(text)
                file.flush()
                os.fsync(file.fileno())
            draft.replace(target)
        except OSError as error:
            draft.unlink(missing_ok=True)
            raise StoreUnavailableError(
                f"evidence cannot be written to {target}: {error.strerror}",
                hint="make room or permit writing there, then: repoint reconcile",
            ) from error


def _formatted(content: Mapping[str, Json]) -> str:
    return json.dumps(content, indent=2, sort_keys=True, ensure_ascii=False) + "\n"


def _without(text: str, secret: Secret, *, spared: frozenset[str]) -> str:
    try:
        tree = json.loads(text)
    except ValueError:
        return text_without(text, secret)
    if not isinstance(tree, dict):
        return text_without(text, secret)
    cleaned = tree_without(tree, secret, spared=spared)
    if cleaned == tree or not isinstance(cleaned, dict):
        return text
    return _formatted(cleaned)


def _unspared(text: str, spared: frozenset[str]) -> str:
    for name in spared:
        text = text.replace(f'"{name}"', "").replace(f"'{name}'", "")
    return text


def _as_bytes(secret: Secret) -> Secret:
    """Return the secret as it reads in bytes that are taken for characters one by one."""
    return Secret(
        stand_ins={},
        traces=[trace.encode().decode("latin-1") for trace in secret.traces],
    )
