"""Which judges and answerers a workspace has: ``lexical``, and each of ``[chat.NAME]``.

Nothing is opened, and so nothing is ever sent, before somebody asks for it by name.
"""

from __future__ import annotations

import threading
from collections.abc import Mapping
from typing import TYPE_CHECKING, Final

from repoint.domain.errors import NotFoundError
from repoint.ports.clock import Clock
from repoint.ports.judge import Answerer, Judge
from repoint.wiring.config import ChatConfig

if TYPE_CHECKING:
    from repoint.judges.chat import Chat

#: The judge that every workspace has.
LEXICAL: Final = "lexical"


class ConfiguredJudges:
    """Opens each once. Safe to use from many threads."""

    def __init__(self, configured: Mapping[str, ChatConfig], *, clock: Clock) -> None:
        self._configured = dict(configured)
        self._clock = clock
        self._lock = threading.Lock()
        self._chats: dict[str, Chat] = {}

    def judge(self, name: str) -> Judge:
        """Return the judge of that name.

        Raises:
            NotFoundError: there is none.
            MissingModelError: the variable for its key is not set.
        """
        if name == LEXICAL:
            from repoint.judges.lexical import LexicalJudge  # noqa: PLC0415 - only for judging

            return LexicalJudge()
        from repoint.judges.model import ModelJudge  # noqa: PLC0415 - loads the HTTP client

        return ModelJudge(self._chat("judge", name, known=[LEXICAL, *self._configured]))

    def answerer(self, name: str) -> Answerer:
        """Return what makes answers under that name; raises as ``judge``."""
        from repoint.judges.answering import ModelAnswerer  # noqa: PLC0415 - as above

        return ModelAnswerer(self._chat("chat", name, known=list(self._configured)))

    def close(self) -> None:
        """Close every connection."""
        with self._lock:
            for chat in self._chats.values():
                chat.close()
            self._chats.clear()

    def _chat(self, what: str, name: str, *, known: list[str]) -> Chat:
        from repoint.judges.chat import Chat, ChatSettings  # noqa: PLC0415 - as above
        from repoint.remote import RemoteSettings  # noqa: PLC0415 - as above

        config = self._configured.get(name)
        if config is None:
            raise NotFoundError(
                what=what,
                name=name,
                known=known,
                hint=f"configure it in repoint.toml: [chat.{name}] with url and model",
            )
        with self._lock:
            if name not in self._chats:
                self._chats[name] = Chat(
                    ChatSettings(
                        model=config.model,
                        url=config.url,
                        api_key_env=config.api_key_env,
                        remote=RemoteSettings(
                            timeout=config.timeout_seconds,
                            attempts=config.attempts,
                            patience=config.patience_seconds,
                            parallel=config.parallel,
                        ),
                        max_tokens=config.max_tokens,
                        reply_form=config.reply_form,
                        passage_characters=config.passage_characters,
                    ),
                    clock=self._clock,
                )
            return self._chats[name]
