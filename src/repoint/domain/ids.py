"""The identifiers that every part of repoint passes around, as distinct types."""

from __future__ import annotations

import re
from typing import Final, NewType

from repoint.domain.errors import BadInputError, InvalidNameError

#: Position in an index's document log; the first row has 1, 0 means "before the log".
Lsn = NewType("Lsn", int)
#: The pointer's fencing number; 0 means that nothing was ever promoted.
Epoch = NewType("Epoch", int)
#: The stable, logical name that applications use.
IndexName = NewType("IndexName", str)
#: A release's name, unique within its index.
ReleaseName = NewType("ReleaseName", str)
#: A document's own id, as its owner gave it.
DocumentId = NewType("DocumentId", str)
#: The physical place of one release's vectors in a backend.
CollectionName = NewType("CollectionName", str)
#: SHA-256 of a canonical release spec, in hexadecimal.
Fingerprint = NewType("Fingerprint", str)
#: One registered process, unique over hosts and restarts.
ProcessId = NewType("ProcessId", str)
#: A query set's name, unique within its index.
QuerySetName = NewType("QuerySetName", str)
#: A query's own id, unique within its set.
QueryId = NewType("QueryId", str)
#: One stored run.
RunId = NewType("RunId", str)
#: One stored bridge.
BridgeId = NewType("BridgeId", str)
#: One stored evaluation.
EvaluationId = NewType("EvaluationId", str)
#: Who acts: an operating-system user, ``REPOINT_ACTOR`` or a key's owner.
Actor = NewType("Actor", str)

BEFORE_THE_LOG: Final = Lsn(0)
NEVER_MOVED: Final = Epoch(0)

_NAME: Final = re.compile(r"[A-Za-z][A-Za-z0-9_.-]{0,62}")


def index_name(text: str) -> IndexName:
    """Return the text as an index name.

    Raises:
        InvalidNameError: it is not a letter followed by at most 62 of ``A-Za-z0-9_.-``.
    """
    return IndexName(_checked("index", text))


def release_name(text: str) -> ReleaseName:
    """Return the text as a release name.

    Raises:
        InvalidNameError: it is not a letter followed by at most 62 of ``A-Za-z0-9_.-``.
    """
    return ReleaseName(_checked("release", text))


def query_set_name(text: str) -> QuerySetName:
    """Return the text as a query set's name.

    Raises:
        InvalidNameError: it is not a letter followed by at most 62 of ``A-Za-z0-9_.-``.
    """
    return QuerySetName(_checked("query set", text))


def query_set_version(text: str) -> tuple[QuerySetName, int | None]:
    """Return a query set's name, and the version where one is named: ``garden@1``.

    Raises:
        InvalidNameError: the name is none, or the version is no number from 1.
    """
    name, at, version = text.partition("@")
    if not at:
        return query_set_name(name), None
    if not version.isascii() or not version.isdecimal() or int(version) < 1:
        raise InvalidNameError(what="query set", name=text)
    return query_set_name(name), int(version)


def actor_name(text: str) -> Actor:
    """Return the text as the name of somebody who acts.

    Raises:
        BadInputError: it is blank, or has characters that a record cannot show.
    """
    if not text.strip() or not text.isprintable():
        raise BadInputError(f"{text!r} cannot name anybody", hint="use printable characters")
    return Actor(text)


def collection_name(
    index: IndexName, release: ReleaseName, fingerprint: Fingerprint
) -> CollectionName:
    """Return the physical name of a release's collection.

    It carries the first digits of the fingerprint, so two releases that differ never
    meet in one place, and every character is one that all backends take.
    """
    stem = re.sub(r"[^A-Za-z0-9]", "_", f"{index}_{release}")
    return CollectionName(f"{stem}_{fingerprint[:12]}")


def _checked(what: str, text: str) -> str:
    if _NAME.fullmatch(text) is None:
        raise InvalidNameError(what=what, name=text)
    return text
