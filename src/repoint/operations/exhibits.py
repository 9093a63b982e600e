"""Gather the evidence of one move: what was declared, measured, checked, done and recorded.

Each exhibit is one function in ``EXHIBITS``; a new one is a line there. None holds a vector,
a document's text or a secret, and questions only where they are asked for. Document ids are
only where a finding's sentence names one. The same store gives the same exhibits: none of
them reads the clock.
"""

from __future__ import annotations

import dataclasses
from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Final

from repoint.domain import policy as policies
from repoint.domain.access import Action
from repoint.domain.audit import AuditRecord
from repoint.domain.document import Json
from repoint.domain.errors import NotFoundError
from repoint.domain.evidence import Exhibits, chain, without_secrets
from repoint.domain.ids import Epoch, IndexName, ReleaseName
from repoint.domain.pointer import Move, MoveKind
from repoint.operations.evaluate import report
from repoint.operations.evaluate.values import GroundingReport
from repoint.operations.evidence import name_of, plain_spec
from repoint.operations.session import Session, authorise
from repoint.operations.telemetry.exhibiting import counted_in, stretches

#: Evaluations of the move's releases, the newest ones.
_EVALUATIONS: Final = 5
#: How the records of moves are called.
_KINDS: Final = frozenset(kind.value for kind in MoveKind)
#: Audit records read at once.
_PAGE: Final = 1_000


@dataclass(frozen=True, slots=True, kw_only=True)
class Subject:
    """One move, what stands beside it, and whose evidence it is."""

    session: Session
    move: Move
    #: All moves of the index, oldest first.
    moves: tuple[Move, ...]
    #: The releases that it concerns, the one it moved to first.
    releases: tuple[ReleaseName, ...]
    #: What the operation itself kept, where it lies on this machine.
    kept: Mapping[str, Json] | None
    include_queries: bool

    @property
    def index(self) -> IndexName:
        """The index whose pointer moved."""
        return self.move.after.index

    @property
    def begins(self) -> Epoch:
        """The epoch after which its story begins: of a rollback, before the bad promotion."""
        start = self.move.after.epoch
        if self.move.kind is MoveKind.ROLLBACK:
            start = max(
                (
                    one.after.epoch
                    for one in self.moves
                    if one.after.epoch < start
                    and one.after.active == self.move.before.active
                    and one.before.active != one.after.active
                ),
                default=start,
            )
        return Epoch(start - 1)

    @property
    def following(self) -> Move | None:
        """The move after it."""
        later = [one for one in self.moves if one.after.epoch == self.move.after.epoch + 1]
        return later[0] if later else None


Exhibit = Callable[[Subject], Mapping[str, Json]]


def gather(
    session: Session, index: IndexName, epoch: Epoch, *, include_queries: bool
) -> Exhibits:
    """Return the evidence of the move to an epoch.

    Raises:
        NotFoundError: the pointer never moved there; the error lists the moves there are.
    """
    authorise(session, Action.EXPORT_EVIDENCE, index)
    with session.store.read() as view:
        moves = tuple(reversed(view.pointers.moves(index)))
    found = [one for one in moves if one.after.epoch == epoch]
    if not found:
        raise NotFoundError(
            what="move",
            name=str(epoch),
            known=[str(one.after.epoch) for one in moves],
            hint=f"see: repoint history {index}",
        )
    move = found[0]
    named = (move.after.active, move.before.active, move.after.fallback, move.before.fallback)
    subject = Subject(
        session=session,
        move=move,
        moves=moves,
        releases=tuple(dict.fromkeys(one for one in named if one is not None)),
        kept=session.archive.read(name_of(index, epoch)),
        include_queries=include_queries,
    )
    files: dict[str, Json] = {}
    for exhibit in EXHIBITS:
        for name, content in exhibit(subject).items():
            # A record of the chain is what was signed by its digest: not a letter is hidden.
            files[name] = content if name == "audit" else without_secrets(content)
    return Exhibits(
        index=index,
        epoch=epoch,
        files=files,
        queries_included=include_queries,
        missing=_missing(subject, files),
    )


def moves(subject: Subject) -> Mapping[str, Json]:
    """Return the move, and those before and after it that explain it."""
    near = [one for one in subject.moves if abs(one.after.epoch - subject.move.after.epoch) < 3]  # noqa: PLR2004 - two either way
    return {"move": _move(subject.move), "moves": [_move(one) for one in near]}


def findings(subject: Subject) -> Mapping[str, Json]:
    """Return what the operation checked, acknowledgements among it, and where the log was."""
    if subject.kept is None:
        return {}
    kept = dict(subject.kept)
    releases = kept.get("releases")
    positions: list[Json] = []
    if isinstance(releases, list):
        positions = [
            {name: one.get(name) for name in ("name", "state", "watermark", "fingerprint")}
            for one in releases
            if isinstance(one, dict)
        ]
    return {
        "findings": {
            "operation": kept.get("operation"),
            "head": kept.get("head"),
            "releases": positions,
            "findings": kept.get("findings"),
        }
    }


def releases(subject: Subject) -> Mapping[str, Json]:
    """Return each release's spec, state, and how many documents it refused."""
    found: dict[str, Json] = {}
    with subject.session.store.read() as view:
        for name in subject.releases:
            release = view.releases.get(subject.index, name)
            letters = Counter(one.code for one in view.dead_letters.all(subject.index, name))
            found[f"releases/{name}"] = {
                "name": name,
                "fingerprint": release.fingerprint,
                "collection": release.collection,
                "state": release.state.value,
                "created_at": release.created_at.isoformat(),
                "dead_letters": dict(sorted(letters.items())),
                "spec": plain_spec(release.spec),
            }
    return found


def log(subject: Subject) -> Mapping[str, Json]:
    """Return where the log and each release stand now."""
    index = subject.index
    with subject.session.store.read() as view:
        head = view.log.head(index)
        positions: dict[str, Json] = {}
        for name in subject.releases:
            watermark = view.catchup.watermark(index, name)
            backlog = view.log.backlog(index, above=watermark, upto=head)
            positions[name] = {
                "watermark": watermark,
                "rows_behind": backlog.rows,
                "deletes_behind": backlog.tombstones,
            }
        holds: list[Json] = [
            {
                "release": one.release,
                "reason": one.reason,
                "actor": one.actor,
                "at": one.at.isoformat(),
            }
            for one in view.access.holds(index)
            if one.release in subject.releases
        ]
    return {"log": {"head": head, "releases": positions}, "holds": holds}


def policy(subject: Subject) -> Mapping[str, Json]:
    """Return the policy that was in force when the pointer moved."""
    with subject.session.store.read() as view:
        version = view.policies.newest(subject.index)
        while version.at is not None and version.at > subject.move.at:
            version = view.policies.get(subject.index, version.version - 1)
    return {
        "policy": {
            "version": version.version,
            "actor": version.actor,
            "reason": version.reason,
            "at": None if version.at is None else version.at.isoformat(),
            "policy": policies.as_tree(version.policy),
        }
    }


def evaluations(subject: Subject) -> Mapping[str, Json]:
    """Return what evaluations of these releases measured: means and gates, no question."""
    with subject.session.store.read() as view:
        made = [
            one
            for one in view.runs.evaluations(subject.index)
            if one.candidate in subject.releases and one.baseline in subject.releases
        ][:_EVALUATIONS]
    told: list[Json] = []
    for one in made:
        said = report(subject.session, one)
        told.append(
            {
                "evaluation": one.id,
                "candidate": one.candidate,
                "baseline": one.baseline,
                "query_set": f"{one.query_set}@{one.version}",
                "at": one.at.isoformat(),
                "actor": one.actor,
                "queries": said.queries,
                "figures": [_plain(dataclasses.asdict(figure)) for figure in said.figures],
                "groups": [
                    {
                        "group": group.group,
                        "figures": [
                            _plain(dataclasses.asdict(figure)) for figure in group.figures
                        ],
                    }
                    for group in said.groups
                ],
                "gates": [
                    {
                        "gate": gate.gate,
                        "outcome": gate.outcome.value,
                        "summary": gate.summary,
                    }
                    for gate in said.gates
                ],
                "citations": None
                if said.citations is None
                else _plain(dataclasses.asdict(said.citations)),
                "grounding": _without_answers(said.grounding),
                "worse": said.worse_count,
                "better": said.better_count,
            }
        )
    return {"evaluations": told}


def telemetry(subject: Subject) -> Mapping[str, Json]:
    """Return what live queries were counted with, at each epoch of the story."""
    epochs = stretches(subject.moves, first=subject.begins, last=subject.move.after.epoch)
    with subject.session.store.read() as view:
        return {
            "telemetry": counted_in(
                view, subject.index, list(epochs), releases=subject.releases
            )
        }


def _without_answers(found: GroundingReport | None) -> Json:
    """Return what a judge said, without a question's or an answer's text, or a reason's."""
    if found is None:
        return None
    kept = dataclasses.replace(
        found,
        worse=(),
        candidate=dataclasses.replace(found.candidate, why=""),
        baseline=None
        if found.baseline is None
        else dataclasses.replace(found.baseline, why=""),
    )
    return _plain(dataclasses.asdict(kept))


def diagnosis(subject: Subject) -> Mapping[str, Json]:
    """Return what was found to be wrong with what the pointer moved away from."""
    name = subject.move.before.active
    if name is None:
        return {}
    with subject.session.store.read() as view:
        made = view.diagnoses.newest(subject.index, name)
    return {} if made is None else {"diagnosis": _plain(dataclasses.asdict(made))}


def audit(subject: Subject) -> Mapping[str, Json]:
    """Return the records of the move's story up to the move after it, as one chain."""
    first, last = subject.begins, subject.following
    told: list[AuditRecord] = []
    ends = 0
    after = 0
    with subject.session.store.read() as view:
        while records := view.audit.records(after=after, limit=_PAGE):
            after = records[-1].sequence
            for record in records:
                epoch = record.details.get("epoch") if record.index == subject.index else None
                if epoch == first and record.action in _KINDS:
                    told, ends = [], 0
                    continue
                if last is not None and epoch == last.after.epoch and record.action in _KINDS:
                    return {"audit": chain(told[:ends], index=subject.index)}
                told.append(record)
                # Its own export is no part of what happened, or no two would be equal.
                if record.index == subject.index and record.action != Action.EXPORT_EVIDENCE:
                    ends = len(told)
    return {"audit": chain(told[:ends], index=subject.index)}


def queries(subject: Subject) -> Mapping[str, Json]:
    """Return the questions of the evaluations' sets, only where they are asked for."""
    if not subject.include_queries:
        return {}
    with subject.session.store.read() as view:
        used = {
            (one.query_set, one.version)
            for one in view.runs.evaluations(subject.index)
            if one.candidate in subject.releases and one.baseline in subject.releases
        }
        return {
            "queries": {
                f"{name}@{version}": [
                    {"id": query.id, "text": query.text, "group": query.group}
                    for query in view.query_sets.get(
                        subject.index, name, version=version
                    ).questions.queries
                ]
                for name, version in sorted(used)
            }
        }


#: In the order in which a reader needs them.
EXHIBITS: Final[tuple[Exhibit, ...]] = (
    moves,
    findings,
    telemetry,
    diagnosis,
    evaluations,
    policy,
    releases,
    log,
    audit,
    queries,
)


def _missing(subject: Subject, files: Mapping[str, Json]) -> list[str]:
    said: list[str] = []
    if subject.kept is None and subject.move.kind is MoveKind.ROLLBACK:
        said.append("findings: the rollback kept them on another machine, or they were removed")
    if "diagnosis" not in files:
        said.append("diagnosis: nobody made one")
    counted = files.get("telemetry")
    if not isinstance(counted, list) or not any(
        isinstance(one, dict) and one["arms"] for one in counted
    ):
        said.append("telemetry: no live query was counted around the move, or too long ago")
    if not files.get("evaluations"):
        said.append("evaluations: these releases were not measured beside each other")
    if not subject.include_queries:
        said.append("queries: left out unless asked for with --include-queries")
    return said


def _move(move: Move) -> Json:
    return {
        "epoch": move.after.epoch,
        "kind": move.kind.value,
        "from": move.before.active,
        "to": move.after.active,
        "fallback": move.after.fallback,
        "actor": move.actor,
        "reason": move.reason,
        "at": move.at.isoformat(),
        "checked": dict(move.checked),
    }


def _plain(value: object) -> Json:
    if isinstance(value, dict):
        return {str(key): _plain(item) for key, item in value.items()}
    if isinstance(value, list | tuple):
        return [_plain(item) for item in value]
    if isinstance(value, datetime):
        return value.isoformat()
    if isinstance(value, str):
        return str(value)
    return value if isinstance(value, int | float | bool) else None
