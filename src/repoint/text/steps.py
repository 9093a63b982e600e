"""The preprocessing steps that a release may name, each a function from text to text.

A step says which library decides its outcome, so that a release records the versions that
its vectors depend on. Steps are looked up by name in ``STEPS``; their order is the release's.
"""

from __future__ import annotations

import importlib.metadata
import re
import unicodedata
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from types import MappingProxyType
from typing import TYPE_CHECKING, Final

if TYPE_CHECKING:
    from selectolax.lexbor import LexborHTMLParser

#: Elements whose content is not text for readers.
_UNREAD: Final = ["script", "style", "template", "noscript"]
#: Elements that begin a new line; two words on both sides of one are two words.
_BLOCKS: Final = (
    "address,article,aside,blockquote,br,dd,div,dl,dt,fieldset,figcaption,figure,footer,form,"
    "h1,h2,h3,h4,h5,h6,header,hr,li,main,nav,ol,option,p,pre,section,table,td,th,title,tr,ul"
)
#: Control characters, a closed set in every version of Unicode, except tab and line ends.
_CONTROL: Final = re.compile(r"[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f]")


@dataclass(frozen=True, slots=True, kw_only=True)
class TextStep:
    """One preprocessing step."""

    apply: Callable[[str], str]
    #: The library whose version decides the outcome; empty for what never changes.
    library: str = ""
    #: For people: what it does.
    summary: str


def library_version(library: str) -> str:
    """Return the version of a library that decides text, as it is installed here."""
    if library == "unicodedata":
        return unicodedata.unidata_version
    return importlib.metadata.version(library)


def strip_html(text: str) -> str:
    """Return the text that a reader of the markup sees; text without markup stays as it is."""
    if "<" not in text and "&" not in text:
        return text
    tree = _parsed(text)
    tree.strip_tags(_UNREAD)
    for node in tree.css(_BLOCKS):
        node.insert_before("\n")
        node.insert_after("\n")
    return tree.root.text() if tree.root is not None else ""


def collapse_whitespace(text: str) -> str:
    """Return the text with every run of blank space, line ends too, as one space."""
    return " ".join(text.split())


def strip_control(text: str) -> str:
    """Return the text without control characters other than tab and line ends."""
    return _CONTROL.sub("", text)


def _parsed(text: str) -> LexborHTMLParser:
    from selectolax.lexbor import LexborHTMLParser  # noqa: PLC0415  # most releases need none

    return LexborHTMLParser(text)


def _nfc(text: str) -> str:
    return unicodedata.normalize("NFC", text)


def _nfkc(text: str) -> str:
    return unicodedata.normalize("NFKC", text)


#: Every step by its name in a release spec.
STEPS: Final[Mapping[str, TextStep]] = MappingProxyType(
    {
        "strip_html": TextStep(
            apply=strip_html,
            library="selectolax",
            summary="keeps what a reader of the HTML sees; blocks become lines",
        ),
        "unicode_nfc": TextStep(
            apply=_nfc, library="unicodedata", summary="composes accents (Unicode NFC)"
        ),
        "unicode_nfkc": TextStep(
            apply=_nfkc,
            library="unicodedata",
            summary="composes accents and unifies look-alikes (Unicode NFKC)",
        ),
        "collapse_whitespace": TextStep(
            apply=collapse_whitespace, summary="turns every run of blank space into one space"
        ),
        "lowercase": TextStep(
            apply=str.lower, library="unicodedata", summary="turns letters into small letters"
        ),
        "strip_control": TextStep(
            apply=strip_control, summary="removes control characters except tab and line ends"
        ),
    }
)
