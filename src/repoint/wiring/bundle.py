"""Bundles of evidence: one signed file, written whole or not at all, read without trusting it.

A bundle is a tar of named files, a manifest with the SHA-256 of each, and a signature over
the manifest. Nothing in it tells when or by whom it was written, so the same evidence gives
the same bytes. Reading takes nothing onto the disk: names, sizes and kinds are checked first.
"""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import os
import re
import tarfile
import zlib
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Final

import rfc8785

from repoint.domain.audit import AuditRecord, Outcome
from repoint.domain.document import Json
from repoint.domain.errors import (
    AlreadyExistsError,
    BadInputError,
    BrokenAuditError,
    BrokenEvidenceError,
    StoreUnavailableError,
)
from repoint.domain.evidence import FORMAT, Exhibits, follow
from repoint.domain.ids import Actor
from repoint.wiring.signing import Key

MANIFEST: Final = "manifest.json"
SIGNATURE: Final = "manifest.jws"
PUBLIC_KEY: Final = "key.json"
PAGE: Final = "summary.html"

#: Letters that a file's name in a bundle is made of; none begins with a dot.
_NAME: Final = re.compile(
    r"(?:[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}/){0,2}[A-Za-z0-9_][A-Za-z0-9_.-]{0,127}"
)
#: What no bundle of ours comes near.
_LARGEST: Final = 256_000_000
_MOST: Final = 10_000
_PIECE: Final = 1_000_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Bundle:
    """A bundle that was read and found whole."""

    path: Path
    #: What tells it from every other: SHA-256 over its manifest.
    manifest_sha256: str
    manifest: Mapping[str, Json]
    key: Key
    files: int
    #: Audit records that it holds whole.
    audit_records: int


def packed(exhibits: Exhibits, page: str, key: Key) -> tuple[bytes, str]:
    """Return a bundle's bytes, and the SHA-256 of its manifest."""
    files = {
        f"{name}.json": _readable(content) for name, content in sorted(exhibits.files.items())
    }
    files[PAGE] = page.encode()
    files[PUBLIC_KEY] = _readable(dict(key.public))
    manifest = rfc8785.dumps(
        {
            "format": FORMAT,
            "index": exhibits.index,
            "move": exhibits.epoch,
            "queries_included": exhibits.queries_included,
            "missing": list(exhibits.missing),
            "key": key.thumbprint,
            "files": {
                name: {"sha256": _sha256(content), "bytes": len(content)}
                for name, content in files.items()
            },
        }
    )
    files[MANIFEST] = manifest
    files[SIGNATURE] = key.sign(manifest).encode()
    return _tarred(files), _sha256(manifest)


def write(path: Path, content: bytes) -> bool:
    """Write the file whole or not at all; False when it stood there already, byte by byte.

    Raises:
        AlreadyExistsError: another file has that name; it stays.
        StoreUnavailableError: it cannot be written.
    """
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        if path.exists():
            if path.read_bytes() == content:
                return False
            raise AlreadyExistsError(what="file", name=str(path))
        path.parent.mkdir(parents=True, exist_ok=True)
        _clear(path)
        with draft.open("wb") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        draft.replace(path)
    except OSError as error:
        with suppress(OSError):
            draft.unlink(missing_ok=True)
        raise StoreUnavailableError(
            f"evidence cannot be written to {path}: {error.strerror}",
            hint="make room or permit writing there, or choose another place: --out FILE",
        ) from error
    return True


def read(path: Path) -> Bundle:
    """Return a bundle, after checking its signature, every file and the audit chain in it.

    Whether its key is to be trusted is the caller's question.

    Raises:
        BadInputError: the file is no bundle.
        BrokenEvidenceError: it is not what was signed.
    """
    where = str(path)
    files = _untarred(path)
    absent = [name for name in (MANIFEST, SIGNATURE, PUBLIC_KEY) if name not in files]
    if absent:
        raise BrokenEvidenceError(where=where, why=f"{absent[0]} is not there")
    key = Key.of(_parsed(files[PUBLIC_KEY], where=where), where=f"{where}: {PUBLIC_KEY}")
    signed = files[SIGNATURE].decode("ascii", "replace")
    if key.verified(signed, where=where) != files[MANIFEST]:
        raise BrokenEvidenceError(where=where, why="another manifest was signed")
    manifest = _parsed(files[MANIFEST], where=where)
    listed = manifest.get("files") if isinstance(manifest, dict) else None
    if not isinstance(manifest, dict) or not isinstance(listed, dict):
        raise BrokenEvidenceError(where=where, why="its manifest lists no files")
    if manifest.get("format") != FORMAT:
        raise BadInputError(
            f"{where} is of format {manifest.get('format')!r}; this version reads {FORMAT!r}"
        )
    if manifest.get("key") != key.thumbprint:
        raise BrokenEvidenceError(where=where, why="its key is not the one it names")
    _compare(listed, files, where=where)
    return Bundle(
        path=path,
        manifest_sha256=_sha256(files[MANIFEST]),
        manifest=manifest,
        key=key,
        files=len(files),
        audit_records=_followed(files.get("audit.json"), where=where),
    )


def _compare(listed: Mapping[str, Json], files: Mapping[str, bytes], *, where: str) -> None:
    strange = sorted(files.keys() - listed.keys() - {MANIFEST, SIGNATURE})
    if strange:
        raise BrokenEvidenceError(where=where, why=f"{strange[0]} is not in its manifest")
    for name, entry in listed.items():
        if name not in files:
            raise BrokenEvidenceError(where=where, why=f"{name} is not there")
        if not isinstance(entry, dict) or entry.get("sha256") != _sha256(files[name]):
            raise BrokenEvidenceError(where=where, why=f"{name} was changed")


def _followed(content: bytes | None, *, where: str) -> int:
    if content is None:
        return 0
    listed = _parsed(content, where=where)
    try:
        return (
            follow([_link(one) for one in listed if isinstance(one, dict)])
            if isinstance(listed, list)
            else 0
        )
    except (BrokenAuditError, KeyError, ValueError) as error:
        raise BrokenEvidenceError(where=where, why=f"its audit chain: {error}") from error


def _link(one: Mapping[str, Json]) -> AuditRecord | tuple[int, str, str]:
    sequence, previous, digest = (
        int(str(one["sequence"])),
        str(one["previous"]),
        str(one["digest"]),
    )
    if "action" not in one:
        return sequence, previous, digest
    details = one["details"]
    return AuditRecord(
        sequence=sequence,
        at=datetime.fromisoformat(str(one["at"])),
        actor=Actor(str(one["actor"])),
        action=str(one["action"]),
        index=str(one["index"]),
        outcome=Outcome(str(one["outcome"])),
        reason=str(one["reason"]),
        details=details if isinstance(details, dict) else {},
        previous=previous,
        digest=digest,
    )


def _tarred(files: Mapping[str, bytes]) -> bytes:
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w", format=tarfile.PAX_FORMAT) as tar:
        for name, content in sorted(files.items()):
            entry = tarfile.TarInfo(name)
            entry.size, entry.mode = len(content), 0o644
            tar.addfile(entry, io.BytesIO(content))
    return gzip.compress(plain.getvalue(), mtime=0)


def _untarred(path: Path) -> dict[str, bytes]:
    """Return the files of a tar, none of it written anywhere."""
    files: dict[str, bytes] = {}
    left = _LARGEST
    try:
        with gzip.open(path) as plain, tarfile.open(fileobj=plain, mode="r:") as tar:
            for entry in tar:
                if not entry.isfile() or _NAME.fullmatch(entry.name) is None:
                    raise BrokenEvidenceError(
                        where=str(path), why=f"{entry.name!r} is no file that a bundle holds"
                    )
                if entry.name in files or len(files) == _MOST or entry.size > left:
                    raise BrokenEvidenceError(
                        where=str(path), why=f"{entry.name!r} is there twice, or too much is"
                    )
                left -= entry.size
                content = tar.extractfile(entry)
                files[entry.name] = b"" if content is None else content.read()
            _require_end(plain, tar.offset, where=str(path))
    except FileNotFoundError as error:
        raise BadInputError(f"there is no file {path}") from error
    except (OSError, EOFError, tarfile.TarError, zlib.error, ValueError) as error:
        raise BadInputError(f"{path} is no bundle of evidence: {error}") from error
    return files


def _require_end(plain: gzip.GzipFile, offset: int, *, where: str) -> None:
    """Refuse what stands behind a tar's end: some programs unpack it, and nothing signs it."""
    plain.seek(offset)
    for _ in range(_LARGEST // _PIECE):
        piece = plain.read(_PIECE)
        if not piece:
            return
        if piece.strip(b"\0"):
            break
    raise BrokenEvidenceError(where=where, why="something stands behind its end")


def _clear(path: Path) -> None:
    """Remove what a process that was killed left of an earlier attempt."""
    for left in path.parent.glob(f".{path.name}.*.part"):
        pid = left.name.removesuffix(".part").rpartition(".")[2]
        if pid.isdigit() and not _runs(int(pid)):
            left.unlink(missing_ok=True)


def _runs(pid: int) -> bool:
    try:
        os.kill(pid, 0)  # asks, and ends nothing
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _readable(content: Json) -> bytes:
    return (json.dumps(content, indent=1, sort_keys=True, ensure_ascii=False) + "\n").encode(
        "utf-8", "backslashreplace"
    )


def _parsed(content: bytes, *, where: str) -> Json:
    try:
        value: Json = json.loads(content)
    except (ValueError, RecursionError) as error:
        raise BrokenEvidenceError(
            where=where, why=f"a file in it is no JSON: {error}"
        ) from error
    return value


def _sha256(content: bytes) -> str:
    return hashlib.sha256(content).hexdigest()
