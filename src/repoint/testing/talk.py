"""What the provider of tests says in a chat: verdicts by word support, answers by copying."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import Final

from repoint.domain.document import Json
from repoint.domain.grounding import Passage
from repoint.domain.ids import DocumentId
from repoint.judges.lexical import LexicalJudge

#: In a prompt, these words let the "model" answer from what it thinks it knows.
FREELY: Final = "answer freely"
_INVENTED: Final = "Everybody knows that this was discovered in 1871 by a glassblower."


def completion(text: str, *, finish: str = "stop") -> dict[str, Json]:
    """Return a reply in the shape that the big providers send."""
    message: dict[str, Json] = {"role": "assistant", "content": text}
    choice: dict[str, Json] = {"index": 0, "message": message, "finish_reason": finish}
    return {"choices": [choice], "usage": {"total_tokens": 7}}


def reply_to(body: Mapping[str, Json]) -> str:
    """Return verdicts where a judge asks for them, else an answer to the prompt.

    The answer is the first passage of the prompt, or where it says ``FREELY`` an invention.
    """
    messages = body.get("messages")
    assert isinstance(messages, list)
    said = [str(one["content"]) for one in messages if isinstance(one, dict)]
    if len(said) > 1:
        return json.dumps({"verdicts": _verdicts(json.loads(said[1]))})
    if FREELY in said[0]:
        return _INVENTED
    return said[0].partition("[1] ")[2].partition("\n\n")[0] or "There is nothing to say."


def _verdicts(given: Mapping[str, Json]) -> list[Json]:
    passages, sentences = given["passages"], given["sentences"]
    assert isinstance(passages, list)
    assert isinstance(sentences, list)
    held = [
        Passage(DocumentId("?"), str(one["text"])) for one in passages if isinstance(one, dict)
    ]
    verdicts: list[Json] = []
    for one in sentences:
        assert isinstance(one, dict)
        verdict = LexicalJudge().judge("", str(one["text"]), held)
        supported = not verdict.support.unsupported
        verdicts.append(
            {
                "sentence": one["number"],
                "supported": supported,
                "passages": [1] if supported else [],
            }
        )
    return verdicts
