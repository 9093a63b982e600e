"""Every invariant has a guard, tests that break it, and a page that names them truly."""

import re
from pathlib import Path
from typing import Final

import pytest

from repoint.stores.sql.migrations.initial_guards import GUARDS

ROOT: Final = Path(__file__).resolve().parents[2]
PAGE: Final = ROOT / "docs" / "invariants.md"
NUMBERS: Final = range(1, 11)
_CITED: Final = re.compile(r"`((?:tests|src)/[\w/]+\.py)::(\w+)`")
_SECTION: Final = re.compile(r"^## INV-(\d+): (.*?)(?=^## |\Z)", re.MULTILINE | re.DOTALL)


@pytest.mark.parametrize("number", NUMBERS)
def test_an_invariant_is_named_by_the_tests_that_hold_it(number: int) -> None:
    files = [*ROOT.glob("tests/**/test_*.py"), *ROOT.glob("src/repoint/testing/*.py")]
    # The machine that checks all of them names them as functions: inv_5, INV-5.
    named = re.compile(rf"INV-{number}\b|\binv_{number}\b")
    own = Path(__file__).name
    assert [f.name for f in files if f.name != own and named.search(f.read_text("utf-8"))]


def test_every_citation_exists() -> None:
    cited = _CITED.findall(PAGE.read_text(encoding="utf-8"))
    missing = [
        f"{path}::{name}"
        for path, name in cited
        if not (ROOT / path).exists()
        or f"def {name}(" not in (ROOT / path).read_text(encoding="utf-8")
    ]
    assert cited
    assert not missing


def test_every_invariant_has_a_section_with_guards_and_tests() -> None:
    sections = dict(_SECTION.findall(PAGE.read_text(encoding="utf-8")))
    assert [int(number) for number in sections] == list(NUMBERS)
    for number, text in sections.items():
        assert "Guard" in text, f"INV-{number} names no guard"
        assert _CITED.search(text), f"INV-{number} names no test"


def test_guards_that_the_page_names_are_in_the_schema() -> None:
    text = PAGE.read_text(encoding="utf-8")
    sentences = set(re.findall(r"`([a-z]+(?:_[a-z]+){2,})`", text))
    tables = (ROOT / "src/repoint/stores/sql/tables.py").read_text(encoding="utf-8")
    tested = (ROOT / "tests/unit/stores/test_schema_invariants.py").read_text(encoding="utf-8")
    known = {s for s in sentences if s in GUARDS or f'"{s}"' in tables or f'"{s}"' in tested}
    assert sentences - known == set()
