"""The glossary has each word once, and has the words that the code gives names to."""

import re
from pathlib import Path
from typing import Final

ROOT: Final = Path(__file__).resolve().parents[2]
_ROW: Final = re.compile(r"^\| (?P<words>[^|]+) \| (?P<meaning>[^|]+) \|$", re.MULTILINE)
#: The ideas that the invariants, the command and the port speak of.
NEEDED: Final = {
    "index", "release", "fingerprint", "space", "collection", "pointer", "epoch", "alias",
    "document log", "lsn", "tombstone", "watermark", "lag", "backfill", "catch-up",
    "dead letter", "active", "candidate", "fallback", "live", "promote", "rollback", "abort",
    "freeze", "soak", "accept", "route", "acknowledgement", "probe", "noise band", "baseline",
    "finding", "evidence", "hold", "retire", "drop",
}  # fmt: skip


def test_each_word_stands_once_with_a_meaning() -> None:
    words = [word for word, _ in _rows()]
    assert len(words) == len(set(words))
    assert all(meaning.strip() for _, meaning in _rows())


def test_the_words_of_the_product_are_there() -> None:
    assert {word for word, _ in _rows()} >= NEEDED


def test_every_word_is_used_on_a_page() -> None:
    pages = [p for p in ROOT.glob("docs/**/*.md") if p.name != "glossary.md"]
    text = "\n".join(page.read_text(encoding="utf-8").lower() for page in pages)
    assert [word for word, _ in _rows() if not re.search(rf"\b{re.escape(word)}", text)] == []


def _rows() -> list[tuple[str, str]]:
    text = (ROOT / "docs" / "glossary.md").read_text(encoding="utf-8")
    rows = [(m["words"], m["meaning"]) for m in _ROW.finditer(text) if m["words"] != "word"]
    return [
        (word.strip().lower(), meaning)
        for words, meaning in rows
        if not words.startswith("---")
        for word in words.split(",")
    ]
