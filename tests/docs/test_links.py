"""Every link between the pages of the checkout leads somewhere."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
)
_FENCED: Final = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
_LINK: Final = re.compile(r"\]\(([^)\s]+)\)")
#: Tests, sources and other files of ours, between backticks.
_NAMED: Final = re.compile(r"`((?:tests|src|docs|examples|scripts|requirements)/[\w./-]+)[`:]")
_HEADING: Final = re.compile(r"^#+ (.+)$", re.MULTILINE)


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_relative_link_leads_to_a_file_and_a_heading(page: Path) -> None:
    broken = [link for link in _links(page) if not _leads(page, link)]
    assert not broken


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_file_of_the_checkout_that_is_named_is_there(page: Path) -> None:
    named = _NAMED.findall(page.read_text(encoding="utf-8"))
    assert [name for name in named if not (ROOT / name).exists()] == []


def _links(page: Path) -> Iterator[str]:
    prose = _FENCED.sub("", page.read_text(encoding="utf-8"))
    for link in _LINK.findall(prose):
        if not link.startswith(("https://", "http://", "mailto:")):
            yield link


def _leads(page: Path, link: str) -> bool:
    path, _, anchor = link.partition("#")
    target = (page.parent / path).resolve() if path else page
    if not target.exists():
        return False
    return not anchor or anchor in _anchors(target)


def _anchors(page: Path) -> set[str]:
    prose = _FENCED.sub("", page.read_text(encoding="utf-8"))
    return {
        re.sub(r"\s+", "-", re.sub(r"[^\w\s-]", "", heading).strip().lower())
        for heading in _HEADING.findall(prose)
    }
