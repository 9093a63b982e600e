"""One word for one idea, and nothing of anybody's machine, in everything a reader sees."""

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
PAGES: Final = sorted(
    [*ROOT.glob("*.md"), *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
)
#: What an operator reads while working: the command's own texts.
DOORS: Final = sorted((ROOT / "src" / "repoint" / "cli").glob("*.py"))

#: What others say, and the glossary's word for it.
BANNED: Final = {
    r"cut-?over": "promote",
    r"switch-?over": "promote",
    r"fail-?over": "rollback",
    r"fail-?back": "rollback",
    r"blue[-/ ]green": "fallback and candidate",
    r"re-?index(ed|ing)?": "backfill",
    r"re-?embed(ded|ding)?": "backfill",
    r"dual[- ]writ(e|es|ing)": "live releases",
    r"soft[- ]delete[sd]?": "tombstone",
    r"poison pills?": "dead letter",
    r"high[- ]water[- ]mark": "watermark",
    r"check-?points?": "watermark",
    r"roll-?out percentage": "canary share",
    r"production index": "active release",
    r"(seamless|effortless|blazing|powerful|robust|simply|easily)(ly)?": "a figure, or nothing",
}
#: Names of ideas that a decision argues against may be said there.
ARGUED: Final = {
    "0005-log-and-watermark.md": {r"dual[- ]writ(e|es|ing)"},
    "index.md": {r"dual[- ]writ(e|es|ing)"},
}

PRIVATE: Final = {
    "a machine's path": r"/(work|root|home|Users|tmp/(?!story))/?\w*|[A-Z]:\\\\",
    "a package registry's host": r"pypi\.org|pythonhosted|npmjs|huggingface\.co|anaconda\.",
    "open work": r"\b(T[O]DO|F[I]XME|X{3}|TBD|lorem ipsum)\b",  # `make lint` looks here too
}
#: Folders that stand for any system's in examples.
_ALLOWED: Final = re.compile(r"/(srv|tmp/story)\b")


@pytest.mark.parametrize("page", [*PAGES, *DOORS], ids=lambda page: str(page.relative_to(ROOT)))
def test_only_the_words_of_the_glossary_are_used(page: Path) -> None:
    argued = ARGUED.get(page.name, set())
    wrong = [
        f"{where}: say {word!r}, not {found!r}"
        for pattern, word in BANNED.items()
        if pattern not in argued
        for where, found in _found(page, rf"\b({pattern})\b")
    ]
    assert not wrong


@pytest.mark.parametrize("page", PAGES, ids=lambda page: str(page.relative_to(ROOT)))
def test_no_page_names_a_machine_a_registry_or_open_work(page: Path) -> None:
    wrong = [
        f"{where}: {what}: {found!r}"
        for what, pattern in PRIVATE.items()
        for where, found in _found(page, pattern)
        if not _ALLOWED.match(found)
    ]
    assert not wrong


def _found(page: Path, pattern: str) -> Iterator[tuple[str, str]]:
    sought = re.compile(pattern, re.IGNORECASE)
    for number, line in enumerate(page.read_text(encoding="utf-8").splitlines(), start=1):
        for match in sought.finditer(line):
            yield f"{page.name}:{number}", match[0]
