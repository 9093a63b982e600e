"""``repoint queries``: the questions that releases are measured with."""

from __future__ import annotations

from collections import Counter
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli.arguments import IndexName
from repoint.cli.door import Door, command
from repoint.cli.failures import plain
from repoint.cli.output import shortened
from repoint.domain.errors import BadInputError

if TYPE_CHECKING:
    from repoint.domain.document import Json
    from repoint.domain.queries import QuerySet

app = typer.Typer(name="queries", rich_markup_mode=None, no_args_is_help=True)

SetName = Annotated[str, typer.Argument(metavar="NAME", help="The query set's name.")]


@app.callback()
def queries() -> None:
    """Add, judge, show and list the questions that releases are measured with."""


@command(
    app,
    "add",
    example="repoint queries add docs clinic --from data/clinic\n"
    "repoint queries add docs clinic --from queries.jsonl --qrels qrels.tsv "
    "--group-field topic\n"
    "repoint queries add docs asked --from query-log.txt",
)
def add(
    door: Door,
    *,
    index: IndexName,
    name: SetName,
    source: Annotated[
        Path,
        typer.Option(
            "--from",
            metavar="PATH",
            help="A BEIR folder, a .jsonl file of queries, or a .txt file with one a line.",
        ),
    ],
    qrels: Annotated[
        Path | None,
        typer.Option(
            "--qrels", metavar="FILE", help="Judgements: query, document, grade; else none."
        ),
    ] = None,
    group_field: Annotated[
        str,
        typer.Option("--group-field", metavar="FIELD", help="The field that names the group."),
    ] = "group",
) -> None:
    """Store queries and judgements; the same name again makes the next version."""
    with door.workspace() as opened:
        judging = opened.index(index).judging
        made, new = judging.add_queries(name, source, qrels=qrels, group_field=group_field)
        unknown = judging.unknown_documents(made.questions)
        outside = judging.spans_outside(made.questions)
    _told(door, made, new=new, unknown=unknown, outside=outside)


@command(
    app, "known-items", example="repoint queries known-items docs items --count 300 --seed 1"
)
def known_items(
    door: Door,
    *,
    index: IndexName,
    name: SetName,
    count: Annotated[
        int, typer.Option("--count", metavar="N", min=1, max=100_000, help="How many queries.")
    ] = 200,
    seed: Annotated[
        int, typer.Option("--seed", metavar="S", help="Which documents are drawn.")
    ] = 0,
) -> None:
    """Make a set from the corpus: first sentences that ask for their documents."""
    with door.workspace() as opened:
        made, new = opened.index(index).judging.known_items(name, count=count, seed=seed)
    _told(door, made, new=new, unknown=0)


@command(
    app,
    "judge",
    example="repoint queries judge docs clinic q17 d204 2\n"
    "repoint queries judge docs clinic --from judgements.tsv",
)
def judge(  # noqa: PLR0913 - each is an argument that people type
    door: Door,
    *,
    index: IndexName,
    name: SetName,
    query: Annotated[
        str | None, typer.Argument(metavar="[QUERY]", help="The query's id.")
    ] = None,
    document: Annotated[
        str | None, typer.Argument(metavar="[DOCUMENT]", help="The document's id.")
    ] = None,
    grade: Annotated[
        int | None,
        typer.Argument(metavar="[GRADE]", min=0, max=100, help="0 is not relevant."),
    ] = None,
    source: Annotated[
        Path | None,
        typer.Option("--from", metavar="FILE", help="Many judgements, as tab-separated lines."),
    ] = None,
) -> None:
    """Add judgements; they make the set's next version, and the newer one stands."""
    from repoint.sources.queries import read_qrels  # noqa: PLC0415 - not needed for help

    if source is not None and query is None:
        given = {str(one): dict(grades) for one, grades in read_qrels(source).items()}
        judgements = {one: {str(d): g for d, g in rest.items()} for one, rest in given.items()}
    elif source is None and query is not None and document is not None and grade is not None:
        judgements = {query: {document: grade}}
    else:
        raise BadInputError(
            "a judgement is a query, a document and a grade",
            hint=f"repoint queries judge {index} {name} QUERY DOCUMENT GRADE; or --from FILE",
        )
    with door.workspace() as opened:
        judging = opened.index(index).judging
        made, new = judging.judge(name, judgements)
        unknown = judging.unknown_documents(made.questions)
    _told(door, made, new=new, unknown=unknown)


@command(app, "list", example="repoint queries list docs")
def list_(door: Door, index: IndexName) -> None:
    """List every version of every query set."""
    with door.workspace() as opened:
        found = opened.index(index).judging.query_sets()
    door.out.json({"index": index, "query_sets": [plain(one) for one in found]})
    if not found:
        door.out.say(
            f"{index} has no query set yet",
            f"  -> repoint queries add {index} NAME --from FOLDER, or, without judgements: "
            f"repoint queries known-items {index} NAME",
        )
        return
    door.out.table(
        (
            "set",
            "version",
            "kind",
            "queries",
            "judgements",
            "groups",
            "made (UTC)",
            "by",
            "from",
        ),
        [
            (
                one.name,
                one.version,
                one.kind,
                one.queries,
                one.judgements,
                one.groups,
                f"{one.at:%Y-%m-%d %H:%M}",
                one.actor,
                shortened(one.source, 40),
            )
            for one in found
        ],
    )


@command(
    app,
    "show",
    example="repoint queries show docs clinic\nrepoint queries show docs clinic --version 1",
)
def show(
    door: Door,
    *,
    index: IndexName,
    name: SetName,
    version: Annotated[
        int | None, typer.Option("--version", metavar="N", min=1, help="Else the newest.")
    ] = None,
    limit: Annotated[
        int, typer.Option("--limit", metavar="N", min=0, help="How many queries to print.")
    ] = 20,
) -> None:
    """Show one version of a query set: its groups, and its first queries."""
    with door.workspace() as opened:
        found = opened.index(index).judging.query_set(name, version=version)
    questions = found.questions
    shown = questions.queries[:limit]
    door.out.json(
        {
            **_shape(found),
            "sample": [
                {
                    "id": query.id,
                    "text": query.text,
                    "group": query.group,
                    "judgements": plain(questions.qrels.get(query.id, {})),
                    "expected": plain(questions.expected.get(query.id)),
                }
                for query in shown
            ],
        }
    )
    door.out.say(_sentence(found))
    groups = Counter(query.group for query in questions.queries if query.group)
    if groups:
        door.out.table(("group", "queries"), sorted(groups.items()))
    door.out.table(
        ("query", "group", "judged", "text"),
        [
            (
                query.id,
                query.group,
                len(questions.qrels.get(query.id, {})),
                shortened(query.text, 60),
            )
            for query in shown
        ],
    )


def _told(door: Door, made: QuerySet, *, new: bool, unknown: int, outside: int = 0) -> None:
    told = {"new": new, "unknown_documents": unknown, "spans_outside": outside}
    door.out.json({**_shape(made), **told})
    door.out.say(
        _sentence(made) if new else f"{_sentence(made)}; nothing is new, so no version is",
    )
    if unknown:
        door.out.say(
            f"{unknown:,} of the judged or cited documents are not in {made.index}: no release "
            "can find them, and each counts as not found"
        )
    if outside:
        door.out.say(
            f"{outside:,} cited spans lie outside their document: no passage can hold them"
        )
    door.out.say(f"  -> next: repoint evaluate {made.index} RELEASE --queries {made.name}")


def _sentence(one: QuerySet) -> str:
    questions = one.questions
    return (
        f"{one.name}@{one.version} of {one.index}: {len(questions.queries):,} queries, "
        f"{questions.judgements:,} judgements ({questions.kind}){_expected(one)}"
    )


def _expected(one: QuerySet) -> str:
    cited, answered = len(one.questions.cited()), len(one.questions.answered())
    if not cited and not answered:
        return ""
    return f"; {cited:,} with citations, {answered:,} with an answer"


def _shape(one: QuerySet) -> dict[str, Json]:
    questions = one.questions
    return {
        "index": one.index,
        "query_set": one.name,
        "version": one.version,
        "kind": questions.kind.value,
        "queries": len(questions.queries),
        "judgements": questions.judgements,
        "groups": len({query.group for query in questions.queries if query.group}),
        "cited": len(questions.cited()),
        "answered": len(questions.answered()),
        "source": questions.source,
        "digest": questions.digest(),
        "actor": one.actor,
        "at": plain(one.at),
    }
