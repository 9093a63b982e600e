"""Evidence: what explains a rollback later, kept before anything can be cleaned up.

The file holds specs, findings, moves and log positions; no vectors, no document text, no
secret. What a signed bundle holds besides is gathered by ``operations.exhibits``.
"""

from __future__ import annotations

from collections.abc import Sequence

from repoint.domain.document import Json
from repoint.domain.ids import Epoch, IndexName, ReleaseName
from repoint.domain.operation import Operation
from repoint.domain.pointer import Pointer
from repoint.domain.readiness import Finding
from repoint.domain.spec import ReleaseSpec, as_tree
from repoint.operations.session import Session
from repoint.ports.store import Transaction


def preserve(
    session: Session, operation: Operation, pointer: Pointer, findings: Sequence[Finding]
) -> str:
    """Write the evidence of a rollback and return where it lies.

    Written again for the same operation, it replaces what was there.
    """
    index = operation.index
    failed = operation.notes.get("failed")
    names = [operation.release, *([ReleaseName(failed)] if isinstance(failed, str) else [])]
    with session.store.read() as view:
        tree: dict[str, Json] = {
            "index": index,
            "operation": {
                "id": operation.id,
                "kind": operation.kind,
                "actor": operation.actor,
                "reason": operation.reason,
                "started_at": operation.started_at.isoformat(),
                "failed": failed,
                "active": operation.release,
                "epoch": pointer.epoch,
            },
            "releases": [_release(view, operation, name) for name in names],
            "findings": [
                {
                    "check": finding.check,
                    "status": finding.status,
                    "summary": finding.summary,
                    "figures": dict(finding.figures),
                }
                for finding in findings
            ],
            "moves": [
                {
                    "epoch": move.after.epoch,
                    "kind": move.kind,
                    "from": move.before.active,
                    "to": move.after.active,
                    "actor": move.actor,
                    "reason": move.reason,
                    "at": move.at.isoformat(),
                    "checked": dict(move.checked),
                }
                for move in view.pointers.moves(index, limit=20)
            ],
            "head": view.log.head(index),
        }
    return session.archive.keep(name_of(index, pointer.epoch), tree)


def name_of(index: IndexName, epoch: Epoch) -> str:
    """Return the name that a rollback's evidence is kept under."""
    return f"{index}-epoch-{epoch}-rollback"


def plain_spec(spec: ReleaseSpec) -> Json:
    """Return a spec as plain values."""
    return _json(as_tree(spec))


def _release(view: Transaction, operation: Operation, name: ReleaseName) -> Json:
    release = view.releases.get(operation.index, name)
    letters = view.dead_letters.all(operation.index, name)
    return {
        "name": name,
        "fingerprint": release.fingerprint,
        "collection": release.collection,
        "state": release.state,
        "watermark": view.catchup.watermark(operation.index, name),
        "dead_letters": [{"document": one.document, "code": one.code} for one in letters[:100]],
        "spec": plain_spec(release.spec),
    }


def _json(value: object) -> Json:
    if isinstance(value, dict):
        return {str(key): _json(item) for key, item in value.items()}
    if isinstance(value, list):
        return [_json(item) for item in value]
    return value if isinstance(value, str | int | float | bool) else None
