"""``repoint adopt`` and ``absorb``: collections that a team made itself."""

from __future__ import annotations

from enum import StrEnum
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from repoint.cli import failures
from repoint.cli.arguments import IndexName, Reason
from repoint.cli.door import Door, command
from repoint.cli.failures import plain
from repoint.cli.output import Output
from repoint.cli.progress import Bar, duration
from repoint.cli.stopping import on_signals

if TYPE_CHECKING:
    from repoint.domain.document import Json
    from repoint.operations.adopt import (
        AbsorbReport,
        AdoptionPlan,
        AdoptionProgress,
        AdoptionReport,
        Proof,
    )

app = typer.Typer(rich_markup_mode=None)

_KEPT = "what was read is kept; the same command goes on from there"
#: Given as ``--metadata-field``, takes every field that can be taken.
_ALL = "all"


class Side(StrEnum):
    """Which side is right where both changed."""

    LOG = "log"
    COLLECTION = "collection"


@command(
    app,
    "adopt",
    example="repoint adopt docs --backend prod --collection articles --id-field id "
    "--text-field body --metadata-field all --spec v1.yaml --plan\n"
    "repoint adopt docs --backend prod --collection articles --id-field id "
    "--text-field body --metadata-field all --spec v1.yaml",
    interrupted=_KEPT,
)
def adopt(  # noqa: PLR0913 - each is an option that people type
    door: Door,
    *,
    index: Annotated[str, typer.Argument(metavar="INDEX", help="The index to make.")],
    collection: Annotated[
        str, typer.Option("--collection", metavar="NAME", help="Your collection, as it is.")
    ],
    id_field: Annotated[
        str, typer.Option("--id-field", metavar="FIELD", help="Holds each row's own id.")
    ],
    text_field: Annotated[
        str, typer.Option("--text-field", metavar="FIELD", help="Holds the text.")
    ],
    spec: Annotated[
        Path,
        typer.Option("--spec", metavar="FILE", help="How its vectors were made, as YAML."),
    ],
    release: Annotated[
        str, typer.Option("--release", metavar="RELEASE", help="What the release is called.")
    ] = "v1",
    backend: Annotated[
        str | None,
        typer.Option(
            "--backend", metavar="NAME", help="Where it is; left out: the spec says it."
        ),
    ] = None,
    title_field: Annotated[
        str, typer.Option("--title-field", metavar="FIELD", help="Holds the title, if any.")
    ] = "",
    vector_field: Annotated[
        str,
        typer.Option(
            "--vector-field", metavar="FIELD", help="Holds the vectors; left out: the only one."
        ),
    ] = "",
    metadata_field: Annotated[
        list[str] | None,
        typer.Option(
            "--metadata-field",
            metavar="FIELD",
            help="A field that is metadata; as often as needed, or: all.",
        ),
    ] = None,
    metadata_object: Annotated[
        str,
        typer.Option(
            "--metadata-object",
            metavar="FIELD",
            help="A JSON field whose keys are metadata fields.",
        ),
    ] = "",
    leave_out: Annotated[
        list[str] | None,
        typer.Option(
            "--leave-out", metavar="FIELD", help="A field or key that is no metadata."
        ),
    ] = None,
    tolerate: Annotated[
        float,
        typer.Option(
            "--tolerate",
            metavar="SHARE",
            min=0.0,
            max=0.5,
            help="Share of the sample whose vectors may be out of date; goes on record.",
        ),
    ] = 0.0,
    plan: Annotated[
        bool, typer.Option("--plan", help="Only say what it would do; a sample is embedded.")
    ] = False,
) -> None:
    """Make a collection that you have a release, where it stands.

    A sample is embedded again and compared with the stored vectors: a spec that did not make
    them is refused, and where it can be told the part that differs is named. Ids, texts and
    metadata are then read into the index's log; nothing else is embedded. Killed at any
    point, the same command goes on.
    """
    from repoint.ports.adoption import Wish  # noqa: PLC0415 - not needed for help

    fields = metadata_field or []
    wish = Wish(
        collection=collection,
        id_field=id_field,
        text_field=text_field,
        title_field=title_field,
        vector_field=vector_field,
        metadata=None if _ALL in fields else tuple(fields),
        object_field=metadata_object,
        left_out=tuple(leave_out or ()),
    )
    with door.workspace() as opened:
        if plan:
            found = opened.plan_adoption(index, release, wish, spec=spec, backend=backend)
            _plan(door.out, found)
            if found.obstacles or not found.proof.holds:
                raise typer.Exit(failures.NOT_CLEAN)
            return
        with (
            on_signals("finishing the page in hand; Ctrl-C again stops at once") as request,
            Bar(f"adopt {collection}") as bar,
        ):

            def show(now: AdoptionProgress) -> None:
                bar.show(now.rows, total=now.total, note=f"{now.rows:,} rows")

            report = opened.adopt(
                index,
                release,
                wish,
                spec=spec,
                backend=backend,
                tolerate=tolerate,
                progress=show,
                stop=request.asked,
            )
    _tell(door.out, report)
    if not report.complete:
        door.out.aside(f"repoint: interrupted; {_KEPT}")
        raise typer.Exit(request.status)


@command(
    app,
    "absorb",
    example="repoint absorb docs --plan\nrepoint absorb docs\n"
    'repoint absorb docs --prefer collection --reason "the nightly import is right"',
    interrupted="what was taken is kept; the same command finds the rest",
)
def absorb(
    door: Door,
    *,
    index: IndexName,
    release: Annotated[
        str | None,
        typer.Argument(metavar="[RELEASE]", help="The adopted one; left out: the only one."),
    ] = None,
    plan: Annotated[bool, typer.Option("--plan", help="Only say what was found.")] = False,
    prefer: Annotated[
        Side | None,
        typer.Option("--prefer", help="Which side is right where both changed."),
    ] = None,
    reason: Reason = "",
) -> None:
    """Take in what was done to an adopted collection without repoint.

    Rows that were added, changed or deleted there become writes of the index, which reach
    every live release. Where the log changed too, nothing is guessed: both sides stay as they
    are until --prefer says which is right. The exit status is 3 while conflicts are left.
    """
    with door.workspace() as opened:
        handle = opened.index(index).adopted
        report = (
            handle.plan(release)
            if plan
            else handle.absorb(
                release, prefer=None if prefer is None else prefer.value, reason=reason
            )
        )
    _tell_absorbed(door.out, report, planned=plan)
    if report.conflicts:
        raise typer.Exit(failures.NOT_CLEAN)


def _plan(out: Output, found: AdoptionPlan) -> None:
    layout = found.layout
    out.json(
        {
            "index": found.index,
            "release": found.release,
            "backend": found.backend,
            "collection": layout.collection,
            "named_by": found.foreign.named_by,
            "rows": found.foreign.rows,
            "dimensions": found.foreign.dimensions,
            "done": found.done,
            "alias": found.alias,
            "fields": _fields(found),
            "left_out": plain(dict(found.foreign.left_out)),
            "proof": _proof(found.proof),
            "obstacles": list(found.obstacles),
        }
    )
    if found.foreign.named_by:
        out.say(f"{found.foreign.named_by} is an alias: {layout.collection} is adopted")
    out.say(
        f"{layout.collection}: about {found.foreign.rows:,} rows, vectors of "
        f"{found.foreign.dimensions} dimensions in {layout.vector or 'its only field'}"
    )
    out.table(
        ("field", "holds", "kind"),
        [(str(one["field"]), str(one["holds"]), str(one["kind"])) for one in _rows(found)],
    )
    for name, why in found.foreign.left_out.items():
        out.say(f"left as it is: {name} ({why})")
    if found.done:
        out.say(f"{found.done:,} rows were read by an earlier call")
    _tell_proof(out, found)
    for why in found.obstacles:
        out.say(f"in the way: {why}")
    if found.proof.holds and not found.obstacles:
        out.say("nothing was written; to do it: the same command without --plan")


def _tell_proof(out: Output, found: AdoptionPlan) -> None:
    proof = found.proof
    if proof.holds and proof.sampled:
        out.say(
            f"the spec makes these vectors: {proof.sampled} sampled, largest cosine distance "
            f"{proof.largest:.2g}, allowed {proof.band:.2g}"
        )
        return
    from repoint.operations.adopt import refusal  # noqa: PLC0415 - only where it is refused

    error = refusal(found.foreign, proof)
    out.say(f"REFUSED: {error.message}", *([f"  -> {error.hint}"] if error.hint else []))


def _tell(out: Output, report: AdoptionReport) -> None:
    shape = plain(report)
    assert isinstance(shape, dict)  # noqa: S101 - a dataclass gives a mapping
    out.json(shape)
    embedded = f", {report.embedded:,} texts embedded" if report.embedded else ""
    out.say(
        f"{report.rows:,} rows of {report.collection} read in {duration(report.seconds)}, "
        f"{report.without_text:,} without text left as they are{embedded}"
    )
    if not report.complete:
        return
    if report.conflicts:
        out.say(
            f"{report.conflicts:,} rows changed on both sides meanwhile",
            f"  -> see: repoint absorb {report.index} --plan",
        )
    out.say(
        f"{report.collection} is release {report.release} of {report.index}, in step with the "
        f"log at {report.head:,}",
        f"  -> let it answer: repoint promote {report.index} {report.release}",
    )


def _tell_absorbed(out: Output, report: AbsorbReport, *, planned: bool) -> None:
    out.json(
        {
            "index": report.index,
            "release": report.release,
            "collection": report.collection,
            "planned": planned,
            "taken": {kind.value: count for kind, count in report.taken.items()},
            "conflicts": report.conflicts,
            "decided": report.decided,
            "head": report.head,
            "examples": [plain(one) for one in report.examples],
        }
    )
    counted = ", ".join(f"{count:,} {kind}" for kind, count in report.taken.items())
    verb = "would be taken into the log" if planned else "taken into the log"
    decided = f"; {report.decided:,} conflicts decided" if report.decided else ""
    out.say(f"{report.collection}: {counted or 'nothing'} {verb}{decided}")
    if report.examples:
        out.table(
            ("document", "what happened", "taken", "why"),
            [(one.document, one.kind, one.reception, one.why) for one in report.examples],
        )
    if report.conflicts:
        out.say(
            f"{report.conflicts:,} conflicts are left as they are",
            f"  -> to decide all of them: repoint absorb {report.index} --prefer log, or "
            "--prefer collection",
        )
    elif planned and report.taken:
        out.say(f"  -> to do it: repoint absorb {report.index}")


def _rows(found: AdoptionPlan) -> list[dict[str, Json]]:
    layout = found.layout
    rows: list[dict[str, Json]] = [
        {"field": layout.id.name, "holds": "id", "kind": layout.id.described()},
        {"field": layout.text.name, "holds": "text", "kind": layout.text.described()},
    ]
    if layout.title is not None:
        title = layout.title
        rows.append({"field": title.name, "holds": "title", "kind": title.described()})
    rows += [
        {"field": field.name, "holds": "metadata", "kind": field.described()}
        for field in layout.metadata
    ]
    if layout.object:
        rows.append({"field": layout.object, "holds": "metadata", "kind": "object"})
    return rows


def _fields(found: AdoptionPlan) -> Json:
    return list(_rows(found))


def _proof(proof: Proof) -> Json:
    return {
        **proof.as_tree(),
        "holds": proof.holds,
        "tried": proof.tried,
        "nearest": proof.nearest,
        "differences": [plain(one) for one in proof.differences],
        "examples": list(proof.examples),
    }
