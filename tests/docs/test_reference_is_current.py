"""The reference pages say what the code says."""

import runpy
from collections.abc import Callable
from pathlib import Path
from typing import Final, cast

ROOT: Final = Path(__file__).resolve().parents[2]
#: Run by its path: scripts are commands, no package.
GENERATE: Final = runpy.run_path(str(ROOT / "scripts" / "generate_reference.py"))


def test_every_generated_page_is_what_the_code_renders_now() -> None:
    stale = cast("Callable[[], dict[str, str]]", GENERATE["stale"])
    assert sorted(stale()) == [], "write them again: make generated"


def test_every_page_of_the_reference_has_one_title() -> None:
    for page in (ROOT / "docs" / "reference").glob("*.md"):
        assert page.read_text(encoding="utf-8").startswith("# "), page
