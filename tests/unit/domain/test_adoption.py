"""What fits into a team's own fields, and what becomes of what bypassed repoint."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest

from repoint.domain.adoption import (
    Bypass,
    BypassKind,
    Field,
    FieldKind,
    Reception,
    layout_of,
    layout_tree,
    received,
)
from repoint.domain.document import Document, Json, LogRow
from repoint.domain.ids import DocumentId, Lsn
from repoint.testing.store_adoption import LAYOUT

NAME = DocumentId("7")


@pytest.mark.parametrize(
    ("kind", "size", "good", "bad"),
    [
        (FieldKind.TEXT, 3, ["", "abc", None], ["abcd", 1, "a\0b"]),
        (FieldKind.INTEGER, 2, [0, -32768, 32767, 2.0], [32768, 1.5, True, "1"]),
        (FieldKind.NUMBER, None, [1, 1.5], [True, "1"]),
        (FieldKind.BOOLEAN, None, [True, False], [0, "true"]),
        (FieldKind.UUID, None, ["0b1c4c2e-6f0b-4b57-9a5e-3f0c7c0d5a11"], ["0B1C4C2E", "x"]),
        (FieldKind.MOMENT, None, ["2024-01-02T03:04:05+00:00"], ["soon", 5]),
        (FieldKind.DAY, None, ["2024-01-02"], ["2024-13-02", "2024-01-02T03:04:05"]),
        (FieldKind.JSON, None, [{"a": [1]}, "x", 1], [{"a": "\0"}]),
    ],
)
def test_a_field_takes_what_its_kind_can_hold(
    kind: FieldKind, size: int | None, good: list[Json], bad: list[Json]
) -> None:
    field = Field(name="f", kind=kind, size=size)
    assert [value for value in good if field.refuses(value)] == []
    assert [value for value in bad if not field.refuses(value)] == []


def test_a_required_field_refuses_nothing_but_its_absence() -> None:
    field = Field(name="f", kind=FieldKind.TEXT, required=True)
    assert field.refuses(None) == "'f' must have a value"
    assert field.refuses("") == ""


@pytest.mark.parametrize("given", ["7", "0", "-12"])
def test_an_id_comes_back_as_it_was_given(given: str) -> None:
    assert LAYOUT.id.refuses_id(given) == ""


@pytest.mark.parametrize("given", ["07", "+7", "7.0", "seven", "", "9223372036854775808"])
def test_an_id_that_would_come_back_otherwise_is_refused(given: str) -> None:
    assert LAYOUT.id.refuses_id(given)


def test_a_document_is_refused_by_the_first_field_that_cannot_hold_it() -> None:
    good = Document(id=NAME, text="a text", title="t", metadata={"year": 2024, "other": [1]})
    assert LAYOUT.refuses(good) == ""
    assert "'title'" in LAYOUT.refuses(replace(good, title="t" * 81))
    assert "'year'" in LAYOUT.refuses(replace(good, metadata={"year": "soon"}))
    assert "NUL" in LAYOUT.refuses(replace(good, metadata={"other": "\0"}))
    assert LAYOUT.object_of(good) == {"other": [1]}


def test_a_layout_comes_back_from_its_tree() -> None:
    assert layout_of(layout_tree(LAYOUT)) == LAYOUT
    with pytest.raises((KeyError, TypeError)):
        layout_of({"collection": "x"})


def row(text: str | None, *, lsn: int) -> LogRow:
    content = None if text is None else Document(id=NAME, text=text)
    now = datetime(2026, 1, 1, tzinfo=UTC)
    return LogRow(lsn=Lsn(lsn), first_lsn=Lsn(1), id=NAME, document=content, written_at=now)


def bypass(text: str | None, *, noted: int | None) -> Bypass:
    content = None if text is None else Document(id=NAME, text=text)
    lsn = None if noted is None else Lsn(noted)
    return Bypass(document=NAME, kind=BypassKind.CHANGED, noted=lsn, content=content)


@pytest.mark.parametrize(
    ("found", "log", "reception"),
    [
        (bypass("new", noted=None), None, Reception.TAKEN),
        (bypass("new", noted=3), row("old", lsn=3), Reception.TAKEN),
        (bypass(None, noted=3), row("old", lsn=3), Reception.TAKEN),
        (bypass("same", noted=3), row("same", lsn=5), Reception.KNOWN),
        (bypass(None, noted=3), row(None, lsn=5), Reception.KNOWN),
        (bypass(None, noted=3), None, Reception.KNOWN),
        (bypass("new", noted=3), row("other", lsn=5), Reception.CONFLICT),
        (bypass("new", noted=None), row("other", lsn=5), Reception.CONFLICT),
        (bypass(None, noted=3), row("other", lsn=5), Reception.CONFLICT),
        (bypass("back", noted=5), row(None, lsn=5), Reception.CONFLICT),
    ],
)
def test_only_what_the_collection_alone_knows_is_taken(
    found: Bypass, log: LogRow | None, reception: Reception
) -> None:
    assert received(found, log)[0] is reception
