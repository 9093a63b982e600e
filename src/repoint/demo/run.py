"""Running the demo: where it happens, what it prints, what it leaves behind."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path
from typing import TYPE_CHECKING, Final

from repoint.domain.errors import AlreadyExistsError

if TYPE_CHECKING:
    from repoint.demo.report import Report
    from repoint.demo.telling import Teller

#: Where the report goes unless someone says otherwise.
DEFAULT_FOLDER: Final = Path("demo-report")
#: In a folder that an earlier demo made, and that this one may make anew.
_MARKER: Final = ".repoint-demo"
_WORKSPACE: Final = "workspace"
_OK, _BROKEN = 0, 1


def run(
    folder: Path | None = None,
    *,
    as_json: bool = False,
    keep: bool = False,
    quick: bool = False,
) -> int:
    """Tell the story, check every claim, write the report; return the exit status.

    The folder gets ``report.json`` and ``index.html``; with ``keep`` also the workspace
    stays there. ``quick`` takes a small part of the corpus and less time: what it checks is
    the same, what it measures says less.

    Raises:
        AlreadyExistsError: the folder holds something that no demo made.
        MissingModelError: the packages with the models are not installed.
    """
    # All of these load engines; whoever asks only for the command's help pays for none.
    from repoint.demo.page import write_page  # noqa: PLC0415
    from repoint.demo.stage import FULL, QUICK  # noqa: PLC0415
    from repoint.demo.story import tell  # noqa: PLC0415
    from repoint.demo.telling import Teller  # noqa: PLC0415
    from repoint.wiring.clock import SystemClock  # noqa: PLC0415

    clock = SystemClock()
    teller = Teller.for_people(clock=clock, as_json=as_json)
    place = _prepared(folder or DEFAULT_FOLDER)
    began = clock.monotonic()
    try:
        report = tell(place / _WORKSPACE, pace=QUICK if quick else FULL, teller=teller)
    finally:
        if not keep:
            _swept(place)
    report.figures["total_seconds"] = round(clock.monotonic() - began, 1)
    text = json.dumps(_in_order(report), indent=2, ensure_ascii=False)
    (place / "report.json").write_text(text + "\n", encoding="utf-8")
    write_page(place / "index.html", report)
    _conclude(teller, report, place)
    if as_json:
        sys.stdout.write(text + "\n")
    return _OK if report.claims.hold else _BROKEN


def _prepared(place: Path) -> Path:
    """Return the folder, empty of earlier demos and of nothing else."""
    if place.exists():
        if not (place / _MARKER).exists() and any(place.iterdir()):
            raise AlreadyExistsError(
                what="folder", name=str(place), hint="choose another: repoint demo --folder F"
            )
        _swept(place)
    place.mkdir(parents=True, exist_ok=True)
    (place / _MARKER).write_text("Made by repoint demo, which may make it anew.\n")
    return place


def _swept(place: Path) -> None:
    shutil.rmtree(place / _WORKSPACE, ignore_errors=True)
    for name in ("answers.jsonl", "questions.json"):
        (place / name).unlink(missing_ok=True)


def _in_order(report: Report) -> dict[str, object]:
    """Return the figures with the claims last, where a reader of the JSON looks for them."""
    figures = dict(report.figures)
    return {"total_seconds": figures.pop("total_seconds"), **figures}


def _conclude(teller: Teller, report: Report, place: Path) -> None:
    figures, claims = report.figures, report.claims
    teller.step(
        "checked",
        f"{figures['queries']:,} live queries: "
        f"{len(claims.failed)} failed, {len(claims.mixed_space)} of mixed spaces, "
        f"{len(claims.stale)} out of date",
    )
    teller.line(f"{len(claims.lost)} writes lost, {len(claims.resurrected)} deletes came back")
    for sentence in (
        *claims.failed[:3],
        *claims.mixed_space[:3],
        *claims.stale[:3],
        *claims.lost[:3],
        *claims.resurrected[:3],
        *claims.other[:3],
    ):
        teller.line(sentence, mood="bad")
    teller.line(
        f"every claim holds; rolled back in {figures['rollback_seconds']} s"
        if claims.hold
        else "NOT EVERY CLAIM HOLDS",
        mood="good" if claims.hold else "bad",
    )
    teller.step("report", f"{place / 'index.html'} and {place / 'report.json'}")
