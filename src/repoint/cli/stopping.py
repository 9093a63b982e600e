"""Ctrl-C and SIGTERM as a request: what is under way is finished first."""

from __future__ import annotations

import signal
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType

import typer

from repoint.cli import failures


class Request:
    """Whether someone asked this command to stop, and by which signal."""

    def __init__(self) -> None:
        self._asked = threading.Event()
        self.signal = 0

    def asked(self) -> bool:
        """Return whether to stop."""
        return self._asked.is_set()

    def wait(self, seconds: float) -> bool:
        """Wait for a request at most so long; return whether there was one."""
        return self._asked.wait(seconds)

    @property
    def status(self) -> int:
        """The exit status that the signal stands for."""
        return failures.INTERRUPTED if self.signal == signal.SIGINT else 128 + self.signal

    def make(self, number: int) -> None:
        """Ask to stop."""
        self.signal = number
        self._asked.set()


@contextmanager
def on_signals(message: str) -> Iterator[Request]:
    """Take the first Ctrl-C or SIGTERM as a request; a second Ctrl-C interrupts at once."""
    request = Request()
    if threading.current_thread() is not threading.main_thread():
        yield request  # signals belong to the main thread: its owner stops us another way
        return

    def take(number: int, frame: FrameType | None) -> None:
        del frame
        signal.signal(signal.SIGINT, signal.default_int_handler)
        request.make(number)
        typer.echo(f"\nrepoint: {message}", err=True)

    before = {one: signal.signal(one, take) for one in (signal.SIGINT, signal.SIGTERM)}
    try:
        yield request
    finally:
        for one, handler in before.items():
            signal.signal(one, handler)
