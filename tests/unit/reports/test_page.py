"""The page of an evaluation: complete by itself, and whatever files say stays text."""

from __future__ import annotations

import re
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

from repoint import Repoint
from repoint.domain.expected import Expected
from repoint.domain.ids import DocumentId, QueryId
from repoint.domain.queries import Query, QuerySetKind, Questions
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.operations.evaluate import Options, Report
from repoint.reports.page import render

EVIL = "<script>alert(1)</script>"


class Reader(HTMLParser):
    def __init__(self) -> None:
        super().__init__()
        self.tags: list[str] = []
        self.text = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        del attrs
        self.tags.append(tag)

    def handle_data(self, data: str) -> None:
        self.text += data


def evaluated(home: Path, *, judged: bool) -> Report:
    queries = tuple(
        Query(id=QueryId(f"q{n}"), text=f"number {n} {EVIL}", group=f"{EVIL} {n % 2}")
        for n in range(12)
    )
    qrels = {query.id: {DocumentId(f"d{n}"): 1} for n, query in enumerate(queries)}
    with Repoint.init(home) as repoint:
        docs = repoint.create_index("docs")
        docs.upsert([{"id": f"d{n}", "text": f"number {n}"} for n in range(12)])
        for name, dimensions in (("v1", 64), ("v2", 8)):
            model = ModelSpec(provider="hashing", dimensions=dimensions)
            docs.create_release(name, ReleaseSpec(model=model, backend="memory"))
            docs.sync(name)
            if name == "v1":
                docs.promote(name)
        judging = docs.judging
        judging.add_queries(
            "evil",
            Questions(
                queries=queries,
                qrels=qrels if judged else {},
                kind=QuerySetKind.JUDGED if judged else QuerySetKind.LOG,
                source="a test",
                expected={
                    query.id: Expected(
                        citations={DocumentId(f"d{n}"): ()},
                        answer=f"It is number {n}. {EVIL} everywhere it goes.",
                    )
                    for n, query in enumerate(queries)
                }
                if judged
                else {},
            ),
        )
        options = Options(judge="lexical" if judged else "", passages=1)
        return judging.evaluate("v2", queries="evil", options=options)


def test_the_page_needs_nothing_from_elsewhere_and_escapes_what_files_say(
    tmp_path: Path,
) -> None:
    page = render(evaluated(tmp_path / "home", judged=True))
    reader = Reader()
    reader.feed(page)
    assert "script" not in reader.tags
    assert reader.tags.count("svg") == 2
    assert not re.search(r'(?:src|href)="', page)
    assert "https://" not in page
    assert EVIL in reader.text
    assert "nDCG@10" in reader.text
    assert "CitationF1@1" in reader.text
    assert "which is not the share that is true" in reader.text
    assert "do not support" in reader.text


def test_the_page_of_queries_without_judgements_has_no_scores(tmp_path: Path) -> None:
    report = evaluated(tmp_path / "home", judged=False)
    page = render(report)
    assert "rank-biased overlap" in page
    assert "Changes, overall" not in page
    assert "expected citations" not in page
    assert "Groundedness" not in page
    silent = replace(report, candidate=replace(report.candidate, latency=None))
    assert "<svg" in render(silent)
