"""One question to a language model behind any OpenAI-compatible ``/chat/completions``."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Final, TypeVar

from repoint.domain.document import Json
from repoint.ports.clock import Clock
from repoint.remote import RemoteApi, RemoteSettings

T = TypeVar("T")

#: What a server may be told about the form of its reply.
FORMS: Final = ("json_object", "text")


@dataclass(frozen=True, slots=True, kw_only=True)
class ChatSettings:
    """Which model, where, and how patient one is with it."""

    model: str
    #: The base URL, with ``/v1`` where the server has it.
    url: str
    #: The name of the environment variable with the key; empty: the server needs none.
    api_key_env: str = ""
    remote: RemoteSettings = field(default_factory=RemoteSettings)
    #: The most tokens of a reply; 0: the server's own bound.
    max_tokens: int = 0
    #: Whether replies are asked for as ``json_object``, or only told to be JSON: ``text``.
    reply_form: str = "json_object"
    #: Characters of a passage that are sent; what is longer is cut.
    passage_characters: int = 8_000


class Chat:
    """A model that is asked at temperature 0. Safe to use from many threads."""

    def __init__(self, settings: ChatSettings, *, clock: Clock) -> None:
        """Check what can be checked without asking.

        Raises:
            BadSpecError: the URL is none.
            MissingModelError: the variable for the key is not set.
        """
        self.settings = settings
        self._api = RemoteApi(
            model=settings.model,
            url=settings.url,
            api_key_env=settings.api_key_env,
            clock=clock,
            settings=settings.remote,
        )

    def ask(
        self, messages: Sequence[Mapping[str, str]], read: Callable[[str], T], *, as_json: bool
    ) -> tuple[T, int]:
        """Return what ``read`` makes of the reply's text, and the tokens that it took.

        ``read`` refuses with ``unusable`` what it cannot use, and the model is asked again.

        Raises:
            InputRejectedError: the server will never take these messages.
            MissingModelError: it does not know the key, the model or the path.
            UnavailableError: no usable reply after all attempts.
        """
        settings = self.settings
        body: dict[str, Json] = {
            "model": settings.model,
            "messages": [dict(one) for one in messages],
            "temperature": 0,
        }
        if settings.max_tokens:
            body["max_tokens"] = settings.max_tokens
        if as_json and settings.reply_form != "text":
            body["response_format"] = {"type": settings.reply_form}
        return self._api.ask(
            "chat/completions", body, lambda answer: (read(self._text(answer)), _took(answer))
        )

    def unusable(self, why: str) -> Exception:
        """Return the error for a reply that is not what was asked for."""
        return self._api.unusable(why)

    def close(self) -> None:
        """Close the connections."""
        self._api.close()

    def _text(self, answer: Json) -> str:
        choices = answer.get("choices") if isinstance(answer, dict) else None
        first = choices[0] if isinstance(choices, list) and choices else None
        if not isinstance(first, dict):
            raise self._api.unusable("it has no choice")
        if first.get("finish_reason") == "length":
            raise self._api.unusable("the reply was cut off at its longest: raise max_tokens")
        message = first.get("message")
        text = message.get("content") if isinstance(message, dict) else None
        if not isinstance(text, str) or not text.strip():
            raise self._api.unusable("the reply holds no text")
        return text


def _took(answer: Json) -> int:
    usage = answer.get("usage") if isinstance(answer, dict) else None
    total = usage.get("total_tokens") if isinstance(usage, dict) else None
    return total if isinstance(total, int) and not isinstance(total, bool) and total > 0 else 0
