"""Filling a release's prompt template with a question and its passages."""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import Final

from repoint.domain.errors import BadSpecError

#: The places of a template, in braces or in doubled ones as other template languages have them.
_PLACE: Final = re.compile(r"\{\{\s*(question|passages)\s*\}\}|\{(question|passages)\}")


def filled(template: str, *, question: str, passages: Sequence[str]) -> str:
    """Return the prompt; passages are numbered from 1, best first.

    All places are filled in one pass, so that a passage with ``{question}`` in it stays what
    it is.
    """
    parts = {
        "question": question,
        "passages": "\n\n".join(
            f"[{number}] {text}" for number, text in enumerate(passages, start=1)
        ),
    }
    return _PLACE.sub(lambda place: parts[place[1] or place[2]], template)


def require_places(template: str, *, source: str) -> None:
    """Refuse a template that leaves the question or the passages out.

    Raises:
        BadSpecError: answers to it could not depend on what was retrieved, or asked.
    """
    found = {one for pair in _PLACE.findall(template) for one in pair if one}
    for needed in ("question", "passages"):
        if needed not in found:
            raise BadSpecError(
                source=source,
                field="prompt.template",
                why=f"it has no place {{{needed}}}, so it cannot be filled",
                hint="answers are made from a template with {question} and {passages}",
            )
