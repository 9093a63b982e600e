"""Erased documents in the control store, in evidence and in memory."""

from __future__ import annotations

from collections import Counter
from typing import Final

from repoint.domain.erasure import Erasure, Secret
from repoint.domain.erasure import mentions as mentioned
from repoint.domain.ids import IndexName
from repoint.domain.readiness import Finding, Status
from repoint.domain.release import ReleaseState
from repoint.operations.acknowledge import is_alive
from repoint.operations.session import Session

#: Records that nobody can change, by design: they are chained, or the pointer's history.
_FOR_GOOD: Final = frozenset({"audit", "moves"})


def log(session: Session, erasure: Erasure) -> list[Finding]:
    """Look what the log and the store's files hold of the documents."""
    ids = list(erasure.secret.stand_ins)
    with session.store.read() as view:
        rows = view.log.get(erasure.index, ids).values()
    again = [row for row in rows if row.document is not None and row.lsn > erasure.upto]
    left = [row for row in rows if row.document is not None and row.lsn <= erasure.upto]
    tombstones = sum(row.document is None for row in rows)
    findings = [
        Finding(
            check="log",
            status=Status.FAILED if left else Status.OK,
            summary=f"{len(left)} of the documents have content in the log; {tombstones} "
            "tombstones hold an id and nothing else, until their retention is over",
            figures={"found": len(left), "tombstones": tombstones},
        )
    ]
    if again:
        findings.append(
            Finding(
                check="written-again",
                status=Status.WARNING,
                summary=f"{len(again)} of the documents were written anew after the request, "
                "and are kept",
                figures={"documents": len(again)},
                remedy="end what writes them, then erase them again",
            )
        )
    return findings


def store_files(session: Session, secret: Secret) -> Finding:
    """Overwrite what the store's files hold of removed rows, and search them.

    Without the erased texts, which a run that was killed has let go of, nothing is searched
    for; everything is overwritten all the same.
    """
    found = session.store.scrub(secret.traces)
    if found is None:
        return Finding(
            check="store-files",
            status=Status.SKIPPED,
            summary="the control store's files are its server's: row versions from before "
            "stay there until it vacuums, and in its log until that is recycled",
        )
    if found:
        with session.store.read() as view:
            found -= view.erasures.shared(sorted(found))
    searched = f"searched for {len(secret.traces)} pieces of the erased texts"
    return Finding(
        check="store-files",
        status=Status.FAILED if found else Status.OK,
        summary=f"{len(found)} were found in the control store's files, "
        + (searched if secret.traces else "which were overwritten; no text to search for"),
        figures={"found": len(found), "searched": len(secret.traces)},
        remedy="report this as a bug" if found else "",
    )


def dead_letters(session: Session, erasure: Erasure) -> list[Finding]:
    """Forget what releases could not take of the documents."""
    ids = list(erasure.secret.stand_ins)
    cleared = left = 0
    with session.store.begin() as tx:
        for release in tx.releases.all(erasure.index):
            named = [
                letter
                for letter in tx.dead_letters.all(erasure.index, release.name)
                if letter.document in erasure.secret.stand_ins
            ]
            if not named:
                continue
            tx.dead_letters.clear(erasure.index, release.name, ids, upto=erasure.upto)
            cleared += sum(letter.lsn <= erasure.upto for letter in named)
    return [
        Finding(
            check="dead-letters",
            status=Status.OK,
            summary=f"{left} dead letters are of them; {cleared} were removed",
            figures={"found": left, "removed": cleared},
        )
    ]


def evidence(session: Session, erasure: Erasure) -> list[Finding]:
    """Take the documents out of every evidence file."""
    with session.store.read() as view:
        spared = frozenset(
            {erasure.index, *(one.name for one in view.releases.all(erasure.index))}
        )
    done = session.archive.redact(erasure.secret, spared=spared)
    return [
        Finding(
            check="evidence",
            status=Status.FAILED if done.left else Status.OK,
            summary=f"{len(done.left)} of {done.records} evidence files name them; "
            f"{done.changed} were rewritten"
            + (f"; left: {', '.join(done.left[:3])}" if done.left else ""),
            figures={"found": len(done.left), "rewritten": done.changed},
            remedy="take these files away by hand" if done.left else "",
        )
    ]


def caches(session: Session, erasure: Erasure) -> list[Finding]:
    """Empty this process's caches; every other process does it at its next heartbeat."""
    held = session.spaces.forget_queries()
    with session.store.read() as view:
        others = [
            one
            for one in view.processes.all()
            if one.id != session.process.id
            and erasure.index in one.serves
            and is_alive(one, session)
        ]
    return [
        Finding(
            check="caches",
            status=Status.OK,
            summary=f"{held} questions were forgotten here; {len(others)} other processes "
            "forget theirs at their next heartbeat",
            figures={"found": 0, "forgotten": held, "processes": len(others)},
        )
    ]


def mentions(session: Session, erasure: Erasure) -> list[Finding]:
    """Look through every record of the control store for what still names the documents."""
    secret = erasure.secret
    found: Counter[str] = Counter()
    for_good = 0
    with session.store.read() as view:
        shared = view.erasures.shared(secret.traces)
        telling = Secret(
            stand_ins=secret.stand_ins,
            traces=[one for one in secret.traces if one not in shared],
        )
        for place, text in view.erasures.records():
            if mentioned(text, telling):
                if place.partition(".")[0] in _FOR_GOOD:
                    for_good += 1
                else:
                    found[place] += 1
    told = ", ".join(f"{count} in {place}" for place, count in sorted(found.items()))
    findings = [
        Finding(
            check="records",
            status=Status.FAILED if found else Status.OK,
            summary=f"{found.total()} other records of the control store name them"
            + (f": {told}" if told else ""),
            figures={"found": found.total()},
            remedy="see which, and report this as a bug" if found else "",
        )
    ]
    if for_good:
        findings.append(
            Finding(
                check="audit",
                status=Status.WARNING,
                summary=f"{for_good} records of the audit chain and of past moves hold what "
                "reads like one of the ids, and no text; they cannot be changed",
                figures={"found": for_good},
            )
        )
    return findings


def not_reached(session: Session, index: IndexName) -> list[str]:
    """Return what an erasure cannot reach, in words."""
    with session.store.read() as view:
        releases = view.releases.all(index)
    kinds = sorted(
        {
            capabilities.name
            for one in releases
            if one.state is not ReleaseState.DROPPED
            and not (capabilities := session.spaces.backend(one).capabilities).forgets
        }
    )
    return [
        "backups and copies of this workspace and of its databases, and free blocks of disks",
        "sources of the documents, pages of `evaluate --html`, and what applications kept",
        *(
            f"{kind}: row versions, segments and its write-ahead log, until its own vacuum or "
            "optimiser; aliases and collections that repoint did not make"
            for kind in kinds
        ),
    ]
