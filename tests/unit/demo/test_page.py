import re
from xml.etree import ElementTree as ET

from tests.unit.demo.scenes import TURNS, WRITES, asked

from repoint.demo.claims import Claims
from repoint.demo.page import render
from repoint.demo.picture import draw
from repoint.demo.records import Asked
from repoint.demo.report import Report
from repoint.domain.document import Json

_RELEVANCE: Json = {
    "release": "v1",
    "questions": 1,
    "success_at_10": 0.5,
    "mrr_at_10": 0.5,
    "ndcg_at_10": 0.5,
    "latency_p50_ms": 1.0,
}


def _report(*, claims: Claims | None = None) -> Report:
    answers: list[Asked] = [
        asked(began=began / 10, release=release, epoch=epoch)
        for release, epoch, begins in (("v1", 1, range(5, 30)), ("v2", 2, range(30, 60)))
        for began in begins
    ]
    judged = claims or Claims()
    figures: dict[str, Json] = {
        "documents": 8200,
        "questions": 1,
        "writes": {"acknowledged": 4, "add": 2, "edit": 1, "delete": 1},
        "relevance": {"v1": _RELEVANCE},
        "latency_ms": {"v1": {"queries": 25, "p50": 10.0, "p95": 11.0, "max": 12.0}},
        "moves": [{"what": "promote", "release": "v2", "epoch": 2, "seconds": 0.5}],
        "rollback": {
            "seconds": 0.5,
            "switch_seconds": 0.2,
            "process_seconds": 0.9,
            "findings": 12,
            "replayed": 3,
        },
        "audit_records": 9,
        "environment": {"python": "3.11", "cores": 2},
        "broken": list(judged.lost),
        "queries": len(answers),
        "mixed_space_queries": 0,
        "failed_queries": 0,
        "stale_answers": 0,
        "lost_writes": len(judged.lost),
        "resurrected_deletes": 0,
        "rollback_seconds": 0.5,
        "verified": judged.hold,
        "total_seconds": 100.0,
    }
    return Report(
        figures=figures,
        claims=judged,
        span=(0.0, 6.0),
        asked=answers,
        turns=TURNS,
        writes=WRITES,
        answers=["a"],
    )


def test_the_picture_shows_each_release_each_move_and_each_write() -> None:
    drawn = draw(_report())
    ET.fromstring(drawn)  # noqa: S314 - drawn here
    assert {"v1", "v2"} <= set(re.findall(r">(v\d)</text>", drawn))
    assert ">promote v2</text>" in drawn
    assert drawn.count("stroke:var(--v2)") == 3  # relevance, and latency twice
    assert drawn.count('stroke="var(--edit)"') == 1


def test_the_page_asks_nothing_of_any_network() -> None:
    page = render(_report())
    addresses = re.findall(r"https?://[^\"' <]+", page)
    assert set(addresses) <= {"http://www.w3.org/2000/svg"}
    assert "<script" not in page


def test_the_page_says_so_when_a_claim_does_not_hold() -> None:
    assert "Not every claim holds" not in render(_report())
    broken = render(_report(claims=Claims(lost=["<b>a</b> is gone"])))
    assert "Not every claim holds" in broken
    assert "&lt;b&gt;a&lt;/b&gt; is gone" in broken
