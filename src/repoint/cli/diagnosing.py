"""``repoint diagnose``: was the model bad, or was the migration incomplete?"""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Final

import typer

from repoint.cli.arguments import IndexName
from repoint.cli.door import Door, command
from repoint.cli.failures import plain
from repoint.cli.progress import Bar
from repoint.domain.diagnosis import Blame, Certainty
from repoint.domain.errors import BadInputError
from repoint.domain.ids import index_name

if TYPE_CHECKING:
    from repoint.client.diagnosing import Subject
    from repoint.domain.diagnosis import Cause, Diagnosis
    from repoint.domain.document import Json
    from repoint.operations.diagnose import Estimate, Step

app = typer.Typer(rich_markup_mode=None)

_COLOURS: Final = {
    Blame.MODEL: typer.colors.RED,
    Blame.MIGRATION: typer.colors.MAGENTA,
    Blame.SETTINGS: typer.colors.YELLOW,
    Blame.PROVIDER: typer.colors.CYAN,
}


@command(
    app,
    "diagnose",
    example="repoint diagnose docs v2\n"
    "repoint diagnose docs v2 --baseline v1 --queries clinic --html why.html\n"
    "repoint diagnose docs v2 --plan\nrepoint diagnose docs v2 --last --json",
    interrupted="nothing was stored",
)
def diagnose(  # noqa: PLR0913 - each is an option that people type
    door: Door,
    *,
    index: IndexName,
    release: Annotated[
        str, typer.Argument(metavar="RELEASE", help="The release that turned out worse.")
    ],
    baseline: Annotated[
        str,
        typer.Option(
            "--baseline",
            metavar="NAME",
            help="Beside what: a release, or active; else what answers or answered before.",
        ),
    ] = "",
    queries: Annotated[
        str | None,
        typer.Option(
            "--queries",
            metavar="NAME",
            help="A query set; else the one last measured with, else known items.",
        ),
    ] = None,
    query_file: Annotated[
        Path | None,
        typer.Option("--query-file", metavar="FILE", help="Questions: .jsonl, .txt, folder."),
    ] = None,
    qrels: Annotated[
        Path | None,
        typer.Option("--qrels", metavar="FILE", help="Judgements for the query file."),
    ] = None,
    k: Annotated[
        int, typer.Option("-k", metavar="N", min=1, max=100, help="The depth that counts.")
    ] = 10,
    where: Annotated[
        str, typer.Option("--filter", metavar="FILTER", help="Ask every question with it.")
    ] = "",
    documents: Annotated[
        int,
        typer.Option("--documents", metavar="N", min=20, max=20_000, help="Size of the pool."),
    ] = 400,
    budget_texts: Annotated[
        int,
        typer.Option(
            "--budget-texts", metavar="N", min=1, help="Texts to embed, in all, at most."
        ),
    ] = 4_000,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what it would take.")] = False,
    last: Annotated[
        bool, typer.Option("--last", help="Show the newest diagnosis again.")
    ] = False,
    html: Annotated[
        Path | None,
        typer.Option("--html", metavar="FILE", help="Write it as one HTML page."),
    ] = None,
) -> None:
    """Say what made a release worse: model, migration, setting, provider.

    Asks again with one thing changed at a time, compares with the log, and embeds a sample
    again. It writes nothing but its report, and served traffic does not notice it.
    """
    if queries is not None and query_file is not None:
        raise typer.BadParameter("--queries and --query-file are two ways to say one thing")
    if plan and last:
        raise typer.BadParameter("--plan is about the next one, --last about the newest")
    from repoint.client import diagnosing  # noqa: PLC0415 - not needed for help

    subject = diagnosing.Subject(
        release=release, baseline=baseline, queries=query_file or queries, qrels=qrels
    )
    with door.workspace() as opened, Bar(f"diagnosing {release}") as bar:
        handle = opened.index(index)
        if last:
            made = handle.judging.diagnosis(release)
        else:
            options = diagnosing.Options(
                k=k,
                documents=documents,
                budget_texts=budget_texts,
                filter_text=where,
                where=diagnosing.where(opened.session, index_name(index), where)
                if where
                else None,
            )
            estimate = handle.judging.diagnosis_plan(subject, options=options)
            if plan:
                _planned(door, estimate, subject)
                return
            if estimate.expense.money is not None:
                door.out.aside(_price(estimate))

            def tell(step: Step) -> None:
                bar.show(step.done, total=step.total, note=step.says)

            made = handle.judging.diagnose(
                release,
                baseline=baseline,
                queries=subject.queries,
                qrels=qrels,
                options=options,
                progress=tell,
            )
    _show(door, made, html=html)


def _planned(door: Door, estimate: Estimate, subject: Subject) -> None:
    door.out.json({"release": subject.release, **_object(plain(estimate))})
    cost = estimate.expense
    judged = "judged" if estimate.judged else "not judged: the baseline counts as right"
    door.out.say(
        f"{subject.release} beside {estimate.baseline}, with {estimate.source} ({judged})",
        f"at most {cost.questions:,} questions and {cost.texts:,} texts to embed (about "
        f"{cost.tokens:,} tokens), {cost.searches:,} searches",
    )
    if cost.money is not None:
        door.out.say(_price(estimate))


def _price(estimate: Estimate) -> str:
    return (
        f"this costs at most {estimate.expense.money:.4g} by the price in the spec; less with "
        "--budget-texts N"
    )


def _show(door: Door, made: Diagnosis, *, html: Path | None) -> None:
    if html is not None:
        _write(made, html)
    door.out.json(_shape(made))
    loss = made.loss
    where = f" in group {loss.group!r}" if loss.group else ""
    door.out.say(
        f"{made.id}: {made.release} beside {made.baseline}, {loss.questions} questions of "
        f"{made.asked.source}{where}"
        + ("" if made.asked.judged else " (not judged: the baseline counts as right)"),
        f"{loss.measure} {loss.baseline:.3f} -> {loss.release:.3f} ({loss.difference:+.3f}, "
        f"95 % [{loss.low:+.3f}, {loss.high:+.3f}], p {loss.p:.4f}); {loss.failing} worse",
        "",
        made.verdict,
    )
    for cause in made.causes:
        _cause(door, cause)
    if made.cells:
        door.out.say(
            "",
            f"one thing changed at a time; pool: {made.pool:,} documents worked out beside the "
            "database",
        )
        door.out.table(
            ("change", "questions by", "vectors of", "search", loss.measure, "won back"),
            [
                (
                    one.change,
                    _who(made, one.queries),
                    _who(made, one.collection),
                    one.search,
                    f"{one.value:.3f}",
                    f"{one.gain:+.3f}",
                )
                for one in made.cells
            ],
        )
    _facts(door, made)
    if html is not None:
        door.out.say(f"page        {html}")


def _cause(door: Door, cause: Cause) -> None:
    share = (
        "possible"
        if cause.certainty is Certainty.POSSIBLE
        else f"{cause.score:.0%} {cause.certainty}"
    )
    door.out.marked(f"{cause.fault:<18}", _COLOURS[cause.blame], f"{share:<14} {cause.summary}")
    door.out.say(f"{'':<18}-> {cause.remedy}")


def _facts(door: Door, made: Diagnosis) -> None:
    kinds = ", ".join(f"{count:,} {kind}" for kind, count in made.differences.items())
    sample = made.sample
    made_by = f"; {sample.explained_by} made the others" if sample.explained_by else ""
    door.out.say(
        "",
        f"log         {made.compared:,} documents compared at {made.head:,}, watermark "
        f"{made.watermark:,}: {kinds or 'all agree'}",
    )
    door.out.say(
        f"vectors     {sample.matching} of {sample.compared} documents embedded again have the "
        f"vectors that are stored{made_by}"
    )
    lines = [
        f"chunks      {one.release}: {one.chunks_per_document:.1f} a document, median "
        f"{one.median_characters:.0f} characters, {one.median_tokens:.0f} tokens; "
        f"{one.truncated:.0%} cut off"
        for one in made.chunks
    ]
    lines += [
        f"field       {one.field}: {one.found} of {one.probed} documents found by it"
        for one in made.fields
    ]
    lines += [f"probes      {name}: {summary}" for name, summary in made.probes.items()]
    lines += [
        f"spec        {one.field}: {one.baseline} -> {one.release}" for one in made.changes
    ]
    lines += [f"left out    {one}" for one in made.left_out]
    cost = made.expense
    lines.append(
        f"it took     {cost.questions:,} questions, {cost.searches:,} searches, {cost.texts:,} "
        f"texts embedded ({cost.tokens:,} tokens"
        + (f", {cost.money:.4g} by the price in the spec)" if cost.money is not None else ")")
    )
    door.out.say(*lines)


def _who(made: Diagnosis, side: str) -> str:
    return made.release if side == "release" else made.baseline


def _shape(made: Diagnosis) -> Json:
    value = _object(plain(made))
    top = made.top
    return {
        **value,
        "loss": {**_object(plain(made.loss)), "difference": made.loss.difference},
        "cause": None if top is None else top.fault.value,
    }


def _object(value: Json) -> dict[str, Json]:
    assert isinstance(value, dict)  # noqa: S101 - a dataclass becomes an object
    return value


def _write(made: Diagnosis, path: Path) -> None:
    from repoint.reports.diagnosis import render  # noqa: PLC0415 - loads the template engine

    try:
        path.write_text(render(made), encoding="utf-8")
    except OSError as error:
        raise BadInputError(f"{path} cannot be written: {error.strerror}") from error
