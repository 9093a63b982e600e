"""What the demo says while it runs: calm lines for people, none of them on the way of JSON."""

from __future__ import annotations

import sys
from typing import Final, TextIO

from repoint.ports.clock import Clock

_WIDTH: Final = 11
_BOLD: Final = "\x1b[1m"
_COLOURS: Final = {"good": "\x1b[32m", "bad": "\x1b[31m", "quiet": "\x1b[2m"}
_PLAIN: Final = "\x1b[0m"


class Teller:
    """Prints one heading a step and a line or two of figures under it."""

    def __init__(self, stream: TextIO, *, clock: Clock, colour: bool | None = None) -> None:
        self._stream, self._clock = stream, clock
        self._colour = stream.isatty() if colour is None else colour
        self._began = clock.monotonic()

    @classmethod
    def for_people(cls, *, clock: Clock, as_json: bool) -> Teller:
        """Return one for standard output, which is left to the report if that is JSON."""
        return cls(sys.stderr if as_json else sys.stdout, clock=clock)

    def step(self, name: str, line: str) -> None:
        """Begin a step and say its first line."""
        label = f"{name:<{_WIDTH}}"
        self._print(f"{self._dressed(label, _BOLD)} {line}")

    def line(self, line: str, *, mood: str = "") -> None:
        """Say one more line of the step; the mood is ``good``, ``bad``, ``quiet`` or none."""
        self._print(f"{'':<{_WIDTH}} {self._dressed(line, _COLOURS.get(mood, ''))}")

    def _print(self, line: str) -> None:
        seconds = f"{self._clock.monotonic() - self._began:5.0f} s"
        self._stream.write(f"{self._dressed(seconds, _COLOURS['quiet'])}  {line}\n")
        self._stream.flush()

    def _dressed(self, text: str, how: str) -> str:
        return f"{how}{text}{_PLAIN}" if self._colour and how else text
