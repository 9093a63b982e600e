"""The shapes that ``--json`` promises: fields may join, none leaves or changes its kind."""

from __future__ import annotations

from typing import TYPE_CHECKING

from repoint.cli.failures import plain

if TYPE_CHECKING:
    from repoint.domain.canary import Canary
    from repoint.domain.document import Json
    from repoint.domain.errors import RepointError
    from repoint.domain.pointer import Move
    from repoint.operations.alias import AliasStanding
    from repoint.operations.promote import PromoteReport
    from repoint.operations.rollback import RollbackReport
    from repoint.operations.status import IndexStatus, ReleaseStatus


def status(now: IndexStatus) -> dict[str, Json]:
    """Return the shape of ``status --json``."""
    return {
        "index": now.index,
        "active": now.active,
        "fallback": now.fallback,
        "candidate": now.candidate,
        "canary": canary(now.canary),
        "epoch": now.epoch,
        "head": now.head,
        "frozen": now.freeze is not None,
        "freeze": plain(now.freeze),
        "rollout": None
        if now.rollout is None
        else {
            "release": now.rollout.release,
            "phase": now.rollout.phase.value,
            "policy": now.rollout.policy,
        },
        "operation": None
        if now.operation is None
        else {
            "kind": now.operation.kind.value,
            "release": now.operation.release,
            "actor": now.operation.actor,
            "step": now.operation.step.value,
            "started_at": plain(now.operation.started_at),
        },
        "releases": {one.name: _release(one) for one in now.releases},
        "processes": [
            {
                "program": one.program,
                "host": one.host,
                "pid": one.pid,
                "epoch": one.serves.get(now.index),
            }
            for one in now.processes
        ],
        "holds": [
            {
                "release": one.release,
                "reason": one.reason,
                "actor": one.actor,
                "at": plain(one.at),
            }
            for one in now.holds
        ],
        "alarms": [plain(one) for one in now.alarms],
        "failed": now.failed,
        "diagnosis": None if now.diagnosis is None else now.diagnosis.id,
    }


def alias(found: AliasStanding | None, problem: RepointError | None) -> Json:
    """Return the shape of ``alias`` in ``status --json``: null where there are no aliases."""
    if problem is not None:
        return {"error": {"code": problem.code, "message": problem.message}}
    if found is None:
        return None
    return {
        "name": found.alias,
        "target": found.target,
        "expected": found.expected,
        "release": found.found,
        "agrees": found.agrees,
    }


def canary(one: Canary | None) -> Json:
    """Return the shape of a canary, wherever one is; null where there is none."""
    if one is None:
        return None
    return {
        "release": one.release,
        "share": one.share,
        "tenants": dict(one.tenants),
        "since": one.since,
        "interleaved": one.interleaved,
    }


def move(one: Move) -> Json:
    """Return the shape of one entry of ``history --json``."""
    return {
        "epoch": one.after.epoch,
        "kind": one.kind.value,
        "from": one.before.active,
        "to": one.after.active,
        "fallback": one.after.fallback,
        "canary": canary(one.after.canary),
        "actor": one.actor,
        "reason": one.reason,
        "at": plain(one.at),
        "checked": plain(one.checked),
    }


def promotion(report: PromoteReport) -> Json:
    """Return the shape of ``promote --json``."""
    return {
        "index": report.index,
        "active": report.release,
        "fallback": report.fallback,
        "epoch": report.epoch,
        "seconds": round(report.seconds, 4),
        "findings": [plain(finding) for finding in report.findings],
    }


def rollback(report: RollbackReport) -> Json:
    """Return the shape of ``rollback --json``."""
    return {
        "index": report.index,
        "failed": report.failed,
        "active": report.active,
        "epoch": report.epoch,
        "seconds": round(report.seconds, 4),
        "switch_seconds": round(report.switch_seconds, 4),
        "verified": report.verified,
        "findings": [plain(finding) for finding in report.findings],
        "replayed": report.replayed,
        "late": report.late,
        "frozen": report.frozen,
        "evidence": report.evidence,
        "next": f"repoint diagnose {report.index} {report.failed}",
    }


def seeded(index: str, failed: str) -> str:
    """Return the question that a rollback leaves open, and the command that answers it."""
    return (
        f"was the model bad, or was the migration incomplete? repoint diagnose {index} {failed}"
    )


def _release(one: ReleaseStatus) -> Json:
    return {
        "role": one.role,
        "state": one.state.value,
        "watermark": one.watermark,
        "head": one.head,
        "lag": one.lag,
        "rows": one.backlog.rows,
        "deletes": one.backlog.tombstones,
        "paused": one.paused,
        "dead_letters": one.dead_letters,
    }
