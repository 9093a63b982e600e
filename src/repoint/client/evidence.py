"""Evidence of a move: one signed file that others can verify, and who signed it."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from repoint.domain.access import Action
from repoint.domain.errors import BadInputError
from repoint.domain.ids import Epoch, index_name
from repoint.operations import exhibits
from repoint.operations.session import authorise, record
from repoint.reports import evidence as page
from repoint.wiring import bundle, signing
from repoint.wiring.bundle import Bundle
from repoint.wiring.signing import Key

if TYPE_CHECKING:
    from repoint.wiring.workspace import Workspace


@dataclass(frozen=True, slots=True, kw_only=True)
class Exported:
    """A bundle that was written."""

    path: Path
    manifest_sha256: str
    key: str
    files: tuple[str, ...]
    #: What is not in it, and why.
    missing: tuple[str, ...]
    #: False: the very same bundle stood there already.
    written: bool


class Evidence:
    """The evidence of a workspace."""

    def __init__(self, workspace: Workspace) -> None:
        self._workspace = workspace

    def export(
        self, index: str, move: int, *, out: Path | None = None, include_queries: bool = False
    ) -> Exported:
        """Write the evidence of the move to an epoch as one signed file.

        It holds no vector, no text of a document and no secret, and questions only with
        ``include_queries``. The same evidence gives the same bytes. Without ``out`` it lies
        in the workspace's folder of evidence.

        Raises:
            NotFoundError: the pointer never moved there.
            AlreadyExistsError: the file is there and holds something else.
        """
        name, session = index_name(index), self._workspace.session
        gathered = exhibits.gather(session, name, Epoch(move), include_queries=include_queries)
        key = signing.workspace_key(self._workspace.home)
        content, digest = bundle.packed(gathered, page.render(gathered), key)
        folder = self._workspace.home / self._workspace.config.evidence
        path = out or folder / f"{name}-move-{move}.tar.gz"
        written = bundle.write(path, content)
        record(
            session,
            Action.EXPORT_EVIDENCE,
            name,
            details={
                "move": move,
                "manifest": digest,
                "queries_included": include_queries,
                "key": key.thumbprint,
            },
        )
        return Exported(
            path=path,
            manifest_sha256=digest,
            key=key.thumbprint,
            files=tuple(sorted(gathered.files)),
            missing=tuple(gathered.missing),
            written=written,
        )

    def key(self) -> Key:
        """Return the key that this workspace signs with, made now if there is none."""
        authorise(self._workspace.session, Action.EXPORT_EVIDENCE, None)
        return signing.workspace_key(self._workspace.home)


@dataclass(frozen=True, slots=True, kw_only=True)
class Verified:
    """A bundle that is what was signed, and whether it is known by whom."""

    bundle: Bundle
    #: Who vouches for its key: ``given``, ``workspace``, or nobody.
    trusted_by: str


def verify(path: Path, *, key: Path | None = None, home: Path | None = None) -> Verified:
    """Check a bundle: signature, every file, the audit chain in it. Needs no workspace.

    Its key is trusted where it is the one given, or a workspace's own.

    Raises:
        BadInputError: the file is no bundle, or the key file no key.
        BrokenEvidenceError: it is not what was signed.
    """
    found = bundle.read(path)
    if key is not None:
        given = _key(key)
        trusted = "given" if given.thumbprint == found.key.thumbprint else ""
        return Verified(bundle=found, trusted_by=trusted)
    own = signing.known_key(home) if home is not None else None
    if own is not None and own.thumbprint == found.key.thumbprint:
        return Verified(bundle=found, trusted_by="workspace")
    return Verified(bundle=found, trusted_by="")


def _key(path: Path) -> Key:
    try:
        return Key.of(json.loads(path.read_text(encoding="utf-8")), where=str(path))
    except OSError as error:
        raise BadInputError(f"{path} cannot be read: {error.strerror}") from error
    except (ValueError, RecursionError) as error:
        raise BadInputError(f"{path} holds no Ed25519 key") from error
