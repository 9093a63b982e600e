"""A shell over one workspace: commands run in this process, as a person types them."""

import json
import os
from pathlib import Path
from typing import Final, cast

import pytest
from typer.testing import CliRunner, Result

from repoint.cli.app import app
from repoint.domain.document import Json

GOOD_SPEC: Final = "model: {provider: hashing, dimensions: 64}\n"
OTHER_SPEC: Final = "model: {provider: hashing, dimensions: 32}\n"


class Shell:
    """Runs commands on one workspace."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.home = folder / "ws"
        self._runner = CliRunner(env={"REPOINT_ACTOR": "ana", "COLUMNS": "100"})

    def run(self, *args: str, stdin: str | bytes | None = None) -> Result:
        """Run a command and return how it ended."""
        home = {"REPOINT_HOME": str(self.home)}
        return self._runner.invoke(app, list(args), input=stdin, env=home)

    def ok(self, *args: str, stdin: str | bytes | None = None) -> str:
        """Run a command that must succeed, and return what it printed."""
        result = self.run(*args, stdin=stdin)
        assert result.exit_code == 0, result.output
        return result.stdout

    def json(self, *args: str) -> dict[str, Json]:
        """Run a command that must succeed, and return its JSON."""
        return cast("dict[str, Json]", json.loads(self.ok(*args, "--json")))

    def refused(self, status: int, *args: str, stdin: str | bytes | None = None) -> str:
        """Run a command that must end with this status, and return what it said."""
        result = self.run(*args, stdin=stdin)
        assert result.exit_code == status, result.output
        assert "Traceback" not in result.output
        return result.stderr

    def file(self, name: str, content: str | bytes) -> str:
        """Write a file beside the workspace and return its path."""
        path = self.folder / name
        if isinstance(content, bytes):
            path.write_bytes(content)
        else:
            path.write_text(content, encoding="utf-8")
        return str(path)

    def bundle(self, name: str) -> str:
        """Return where a bundle of evidence lies, or will lie, that nobody gave a place."""
        return str(self.home / "evidence" / name)

    def corpus(self, count: int, *, name: str = "corpus.jsonl") -> str:
        """Write a file with that many documents and return its path."""
        lines = [
            json.dumps(
                {
                    "_id": f"d{number}",
                    "title": f"Note {number}",
                    "text": f"number {number} is about topic {number % 7}",
                    "metadata": {"group": "even" if number % 2 == 0 else "odd", "n": number},
                }
            )
            for number in range(count)
        ]
        return self.file(name, "\n".join(lines) + "\n")

    def release(self, name: str, spec: str) -> None:
        """Make a release and bring it into step."""
        self.ok("release", "create", "docs", name, "--spec", self.file(f"{name}.yaml", spec))
        self.ok("sync", "docs", name)

    def promoted(self) -> None:
        """Bring an index of forty documents to v2, with v1 as its fallback."""
        self.ok("init")
        self.ok("index", "create", "docs")
        self.ok("ingest", "docs", self.corpus(40))
        self.release("v1", GOOD_SPEC)
        self.ok("promote", "docs", "v1", "--reason", "first")
        self.release("v2", OTHER_SPEC)
        self.ok("promote", "docs", "v2", "--without-evaluation", "a test", "--reason", "next")


@pytest.fixture
def shell(tmp_path: Path) -> Shell:
    """A folder without a workspace yet."""
    return Shell(tmp_path)


@pytest.fixture
def docs(shell: Shell) -> Shell:
    """A workspace with an empty index ``docs``."""
    shell.ok("init")
    shell.ok("index", "create", "docs")
    return shell


@pytest.fixture(scope="module")
def moved(tmp_path_factory: pytest.TempPathFactory) -> Shell:
    """An index whose v2 answers and whose v1 is the fallback; tests only read it."""
    shell = Shell(tmp_path_factory.mktemp("moved"))
    shell.promoted()
    return shell


@pytest.fixture(autouse=True)
def _no_surroundings(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [one for one in os.environ if one.startswith("REPOINT_")]:
        monkeypatch.delenv(name)
