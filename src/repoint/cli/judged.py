"""How an evaluation's report is printed: figures, groups, examples, both sides, gates."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import TYPE_CHECKING, Final

import typer

from repoint.cli.door import Door
from repoint.cli.failures import plain
from repoint.cli.output import shortened
from repoint.domain.errors import BadInputError
from repoint.domain.gates import GateResult, Outcome

if TYPE_CHECKING:
    from repoint.domain.document import Json
    from repoint.operations.evaluate import Report
    from repoint.operations.evaluate.values import Figure, GroundingReport, GroupFigures, Side

_COLOURS: Final = {
    Outcome.PASS: typer.colors.GREEN,
    Outcome.FAIL: typer.colors.RED,
    Outcome.INCONCLUSIVE: typer.colors.YELLOW,
    Outcome.ERROR: typer.colors.RED,
}
#: Queries that are printed side by side; the JSON and the page have more.
_SHOWN: Final = 3


def passes(report: Report) -> bool:
    """Return whether every gate passed."""
    return bool(report.gates) and all(one.outcome is Outcome.PASS for one in report.gates)


def show(door: Door, report: Report, *, html: Path | None) -> None:
    """Print the report, as JSON or for people, and write its page where one is wanted."""
    if html is not None:
        _write(report, html)
    door.out.json(shape(report))
    made = report.evaluation
    door.out.say(
        f"{made.id}: {made.candidate} against {made.baseline} on "
        f"{made.query_set}@{made.version}, {report.queries:,} queries ({report.kind})"
    )
    _measured(door, report, report.figures, report.groups)
    _examples(door, report)
    if report.citations is not None:
        cited = report.citations
        door.out.say(
            f"the first {cited.depth} retrieved sources against the expected citations of "
            f"{cited.queries:,} queries:"
        )
        _measured(door, report, cited.figures, cited.groups)
    if report.grounding is not None:
        _grounded(door, report, report.grounding)
    door.out.table(("", made.baseline, made.candidate), _sides(report))
    door.out.say(f"gates of policy {report.policy_version}:")
    gates(door, report.gates)
    if html is not None:
        door.out.say(f"page        {html}")
    if passes(report) and made.candidate != made.baseline:
        door.out.say(f"  -> next: repoint promote {made.index} {made.candidate}")


def _measured(
    door: Door, report: Report, figures: Sequence[Figure], groups: Sequence[GroupFigures]
) -> None:
    before, now = report.evaluation.baseline, report.evaluation.candidate
    if figures:
        door.out.table(
            ("measure", before, now, "change", "95 % interval", "p", "detects"),
            [_row(one) for one in figures],
        )
    if groups:
        door.out.say(f"{figures[0].measure} by group:")
        door.out.table(
            ("group", "queries", before, now, "change", "95 % interval", "p"),
            [(one.group, one.queries, *_row(one.figures[0])[1:-1]) for one in groups],
        )


def _grounded(door: Door, report: Report, found: GroundingReport) -> None:
    made = report.evaluation
    answers = found.candidate.answered_by or f"the answers in {made.query_set}"
    door.out.say(
        f"what the first {found.passages} passages support of {answers}, by {found.judge} "
        f"({found.identity}):"
    )
    _measured(door, report, found.figures, found.groups)
    if not found.figures:
        mean = found.candidate.mean
        door.out.say(
            f"{made.candidate}: " + ("nothing was judged" if mean is None else f"{mean:.3f}")
        )
    if found.baseline is None:
        door.out.say(f"{made.baseline} was not judged alike: nothing is compared")
    for name, side in ((made.baseline, found.baseline), (made.candidate, found.candidate)):
        if side is not None and side.failed:
            door.out.say(
                f"{side.failed} of {side.answers} answers of {name} have no verdict; most "
                f"often: {shortened(side.why, 200)}"
            )
    for one in found.worse[:_SHOWN]:
        door.out.say(f"  {one.baseline:.3f} -> {one.candidate:.3f}  {shortened(one.text, 70)}")
        for sentence in one.unsupported[:1]:
            door.out.say(f"    unsupported: {shortened(sentence, 90)}")


def gates(door: Door, results: Sequence[GateResult]) -> None:
    """Print each gate with its outcome and figure."""
    for one in results:
        door.out.marked(
            f"{one.outcome:<13}", _COLOURS[one.outcome], f"{one.gate}: {one.summary}"
        )


def shape(report: Report) -> Json:
    """Return the shape of ``evaluate --json``."""
    value = plain(report)
    assert isinstance(value, dict)  # noqa: S101 - a dataclass becomes an object
    return {**value, "passes": passes(report)}


def _row(one: Figure) -> tuple[str, ...]:
    detects = "-" if one.detectable is None else f"±{one.detectable:.3f}"
    return (
        one.measure,
        f"{one.baseline:.3f}",
        f"{one.candidate:.3f}",
        f"{one.difference:+.3f}",
        f"[{one.low:+.3f}, {one.high:+.3f}]",
        f"{one.p:.4f}",
        detects,
    )


def _examples(door: Door, report: Report) -> None:
    made, lost = report.evaluation, report.lost
    if report.figures:
        door.out.say(
            f"{report.worse_count} queries are worse, {report.better_count} are better"
        )
    for one in report.worse[:_SHOWN]:
        door.out.say(
            f"  {one.baseline:.3f} -> {one.candidate:.3f}  {shortened(one.text, 70)}",
            f"    relevant   {' '.join(one.relevant)}",
            f"    {made.baseline:<10} {' '.join(one.baseline_found)}",
            f"    {made.candidate:<10} {' '.join(one.candidate_found)}",
        )
    kind = "relevant documents" if lost.relevant_only else "documents"
    door.out.say(
        f"lost: {lost.lost} of {lost.before} {kind} that {made.baseline} finds among its "
        f"first {made.k} are nowhere in {made.candidate}",
        f"agreement: {report.agreement.overlap:.1%} of the first {report.agreement.k} are the "
        f"same, rank-biased overlap {report.agreement.rank_biased_overlap:.3f}",
    )


def _sides(report: Report) -> Iterator[tuple[str, ...]]:
    sides = (report.baseline, report.candidate)
    if report.baseline.exact and report.candidate.exact:
        name = next(iter(report.candidate.exact))
        yield f"{name}, exact search", *(f"{one.exact.get(name, 0.0):.3f}" for one in sides)
    yield "index recall", *(_share(one.index_recall) for one in sides)
    for stage in ("embed", "search", "rerank", "total"):
        yield f"{stage} p50/p95/p99 ms", *(_percentiles(one, stage) for one in sides)
    yield "tokens", *(f"{one.tokens:,}" for one in sides)
    yield "cost of 1,000 queries", *(_money(one.cost_per_thousand) for one in sides)
    yield "vectors", *(f"{one.chunks:,} in {_megabytes(one.vector_bytes)}" for one in sides)
    yield "empty answers", *(str(one.empty) for one in sides)


def _percentiles(side: Side, stage: str) -> str:
    if side.latency is None:
        return "-"
    found = getattr(side.latency, stage)
    return f"{found.p50:.1f} / {found.p95:.1f} / {found.p99:.1f}"


def _share(value: float | None) -> str:
    return "-" if value is None else f"{value:.1%}"


def _money(value: float | None) -> str:
    return "-" if value is None else f"{value:.4g}"


def _megabytes(value: int) -> str:
    return f"{value / 1_000_000:.1f} MB"


def _write(report: Report, path: Path) -> None:
    from repoint.reports.page import render  # noqa: PLC0415 - loads the template engine

    try:
        path.write_text(render(report), encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"{path} cannot be written: {error.strerror}") from error
