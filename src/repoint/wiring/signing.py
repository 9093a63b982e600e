"""The workspace's own key: evidence is signed with it, and can be verified without it.

An Ed25519 key, made the first time that something is signed, in a file that only its owner
may read. Its public half is in every bundle; its thumbprint (RFC 7638) is its name.
"""

from __future__ import annotations

import json
import os
from collections.abc import Mapping
from pathlib import Path
from typing import Final, cast

from joserfc import jws
from joserfc.errors import JoseError
from joserfc.jwk import OKPKey

from repoint.domain.errors import BadInputError, BrokenEvidenceError, StoreUnavailableError

#: In the workspace's folder.
KEY_FILE: Final = "evidence-key.json"
_ALGORITHM: Final = "Ed25519"  # RFC 9864's name for what was EdDSA
_PRIVATE: Final = 0o600


class Key:
    """A key pair, or its public half."""

    def __init__(self, key: OKPKey) -> None:
        self._key = key

    @property
    def thumbprint(self) -> str:
        """The key's name: SHA-256 over its public half."""
        return self._key.thumbprint()

    @property
    def public(self) -> dict[str, str]:
        """The public half as a JWK."""
        found = cast("Mapping[str, str]", self._key.as_dict(private=False))
        return {name: found[name] for name in ("crv", "kty", "x")}

    def sign(self, content: bytes) -> str:
        """Return a compact JWS that carries the content."""
        header = {"alg": _ALGORITHM, "kid": self.thumbprint}
        return jws.serialize_compact(header, content, self._key, algorithms=[_ALGORITHM])

    def verified(self, signed: str, *, where: str) -> bytes:
        """Return what was signed.

        Raises:
            BrokenEvidenceError: another key signed it, or nobody did.
        """
        try:
            return bytes(
                jws.deserialize_compact(signed, self._key, algorithms=[_ALGORITHM]).payload
            )
        except (JoseError, ValueError) as error:
            raise BrokenEvidenceError(where=where, why=f"its signature: {error}") from error

    @staticmethod
    def of(public: object, *, where: str) -> Key:
        """Return the key that a JWK holds; of a private one only the public half.

        Raises:
            BadInputError: it holds none of this kind.
        """
        if not isinstance(public, dict) or public.get("crv") != _ALGORITHM:
            raise BadInputError(f"{where} holds no Ed25519 key")
        half: dict[str, str | list[str]] = {
            name: str(public.get(name)) for name in ("crv", "kty", "x")
        }
        try:
            return Key(OKPKey.import_key(half))
        except (JoseError, ValueError, TypeError) as error:
            raise BadInputError(f"{where} holds no Ed25519 key: {error}") from error


def workspace_key(home: Path) -> Key:
    """Return the workspace's key, made now if there is none.

    Raises:
        StoreUnavailableError: it can be neither read nor made.
        BadInputError: the file holds no key.
    """
    path = home / KEY_FILE
    if not path.exists():
        _make(path)
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
        return Key(OKPKey.import_key(content))
    except OSError as error:
        raise StoreUnavailableError(f"{path} cannot be read: {error.strerror}") from error
    except (JoseError, ValueError, TypeError) as error:
        raise BadInputError(
            f"{path} holds no key: {error}",
            hint="bring the right file back; without it, what was signed still verifies by "
            "its public half",
        ) from error


def known_key(home: Path) -> Key | None:
    """Return the workspace's key if it was ever made."""
    return workspace_key(home) if (home / KEY_FILE).exists() else None


def _make(path: Path) -> None:
    content = json.dumps(OKPKey.generate_key(_ALGORITHM).as_dict(private=True))
    draft = path.with_name(f".{path.name}.{os.getpid()}.part")
    try:
        handle = os.open(draft, os.O_WRONLY | os.O_CREAT | os.O_TRUNC, _PRIVATE)
        with os.fdopen(handle, "w", encoding="utf-8") as file:
            file.write(content)
            file.flush()
            os.fsync(file.fileno())
        # A link fails where a file stands: of two who make a key at once, one is the maker.
        try:
            os.link(draft, path)
        except FileExistsError:
            return
        finally:
            draft.unlink(missing_ok=True)
    except OSError as error:
        raise StoreUnavailableError(
            f"a key cannot be written to {path}: {error.strerror}",
            hint="make room or permit writing there",
        ) from error
