"""A language model that answers a filled prompt."""

from __future__ import annotations

from repoint.judges.chat import Chat
from repoint.ports.judge import Answered


class ModelAnswerer:
    """Sends the prompt as it is, and returns the reply as it is."""

    def __init__(self, chat: Chat) -> None:
        self._chat = chat

    @property
    def identity(self) -> str:
        """The model; the prompt is the release's own."""
        return f"model {self._chat.settings.model}"

    @property
    def parallel(self) -> int:
        """As many as the settings allow."""
        return self._chat.settings.remote.parallel

    def answer(self, prompt: str) -> Answered:
        """Return the model's answer.

        Raises:
            InputRejectedError: the server will never take this prompt.
            MissingModelError: it does not know the key, the model or the path.
            UnavailableError: no usable reply after all attempts.
        """
        text, tokens = self._chat.ask(
            [{"role": "user", "content": prompt}], str.strip, as_json=False
        )
        return Answered(text=text, tokens=tokens)

    def close(self) -> None:
        """Close the connections."""
        self._chat.close()
