"""Database servers that a test starts itself: bound to this machine, and gone afterwards."""

from __future__ import annotations

import contextlib
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from types import TracebackType
from typing import Final, Self

from repoint.testing.ports import free_port

_PATIENCE_SECONDS: Final = 90.0


class NoProgramError(Exception):
    """A server cannot be started here; the text says why."""


def program(name: str) -> str:
    """Return the path of a program of this Python's environment.

    Raises:
        NoProgramError: it is not installed.
    """
    path = Path(sys.executable).parent / name
    if not path.exists():
        raise NoProgramError(f"{name} is not installed: make servers-test")
    return str(path)


class ProgramServer:
    """One server with its data in a temporary folder; a context manager.

    It gets a session of its own, so whatever it starts is ended with it.
    """

    def __init__(self, command: Callable[[Path, int], Sequence[str]]) -> None:
        """Take what makes the command line from the folder and the port.

        Raises:
            NoProgramError: the program is not installed.
        """
        self._arguments = command
        command(Path(), 0)
        self._folder = Path(tempfile.mkdtemp(prefix="repoint-server-"))
        self.port = free_port()
        self._process: subprocess.Popen[bytes] | None = None

    @property
    def url(self) -> str:
        """Return where it is."""
        return f"http://127.0.0.1:{self.port}"

    def start(self) -> None:
        """Start it, again after ``kill``, and wait until its port is open.

        Raises:
            NoProgramError: it ended at once; the text has the end of its log.
        """
        with (self._folder / "log").open("wb") as log:
            self._process = subprocess.Popen(  # noqa: S603 - a program of this environment
                self._arguments(self._folder / "data", self.port),
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
                start_new_session=True,
            )
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not _in_use(self.port):
            if time.monotonic() > deadline or self._process.poll() is not None:
                log_end = (self._folder / "log").read_text(errors="replace")[-600:]
                raise NoProgramError(f"the server does not start here: {log_end}")
            time.sleep(0.02)  # noqa: TID251 - a real server takes real time

    def kill(self) -> None:
        """End it and its children as a power cut would: no shutdown, nothing flushed."""
        self._end(signal.SIGKILL)

    def stop(self) -> None:
        """Shut it down; whoever takes too long is killed."""
        try:
            self._end(signal.SIGTERM)
        except subprocess.TimeoutExpired:
            self._end(signal.SIGKILL)

    def close(self) -> None:
        """End it and remove its folder; twice is no error."""
        self._end(signal.SIGKILL)
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        self._folder.joinpath("data").mkdir(exist_ok=True)
        try:
            self.start()
        except BaseException:
            self.close()
            raise
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()

    def _end(self, how: signal.Signals) -> None:
        if self._process is None:
            return
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, how)
        self._process.wait(_PATIENCE_SECONDS / 3)
        self._process = None
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while _in_use(self.port) and time.monotonic() < deadline:
            time.sleep(0.02)  # noqa: TID251 - real processes take real time


def chroma_command(folder: Path, port: int) -> Sequence[str]:
    """Return the command line of a Chroma server."""
    place = ["--path", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    return [program("chroma"), "run", *place]


def milvus_lite_command(folder: Path, port: int) -> Sequence[str]:
    """Return the command line of milvus-lite as a server."""
    place = ["--data-dir", str(folder), "--host", "127.0.0.1", "--port", str(port)]
    return [program("milvus-lite"), "server", *place]


def _in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
