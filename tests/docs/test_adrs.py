"""Decisions are one page each, all of one form, and all on their list."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
FOLDER: Final = ROOT / "docs" / "adr"
DECISIONS: Final = sorted(FOLDER.glob("[0-9]*.md"))
PARTS: Final = ["Context", "Decision", "Consequences", "What would make us revisit"]
#: It holds, or only in part, or no more.
_STATUS: Final = r"(accepted(, for \S+ superseded by \d{4})?|superseded by \d{4})"
#: What fits on a page.
_WORDS: Final = 450


@pytest.mark.parametrize("page", DECISIONS, ids=lambda page: page.stem)
def test_a_decision_has_its_number_status_and_parts_on_one_page(page: Path) -> None:
    text = page.read_text(encoding="utf-8")
    assert re.match(rf"# {page.stem[:4]}\. \S.*\n\nStatus: {_STATUS}\n", text)
    assert re.findall(r"^## (.+)$", text, re.MULTILINE) == PARTS
    assert len(text.split()) <= _WORDS


def test_no_number_is_given_twice() -> None:
    numbers = [int(page.stem[:4]) for page in DECISIONS]
    assert numbers == sorted(set(numbers))


def test_the_list_and_the_menu_have_every_decision() -> None:
    listed = re.findall(
        r"^- \[(\d{4}\. .+)\]\((.+)\)$", _read(FOLDER / "index.md"), re.MULTILINE
    )
    titles = [
        (_read(page).partition("\n")[0].removeprefix("# "), page.name) for page in DECISIONS
    ]
    assert listed == titles
    menu = _read(ROOT / "mkdocs.yml")
    assert [page.name for page in DECISIONS if f"adr/{page.name}" not in menu] == []


def _read(page: Path) -> str:
    return page.read_text(encoding="utf-8")
