"""What the pages tell the reader to type is typed here, in order, and its output compared.

In every page, ``sh`` and ``python`` blocks are run as they stand; in ``console`` blocks a line
that begins with ``$ `` is a command, and what follows it is its output. ``...`` stands for any
text in a line or, alone, for any lines. A ``text`` block right after a ``python`` block is that
one's output. Durations, moments and fingerprints may differ. A comment ``<!-- not run: … -->``
before a block says why it is left alone; ``<!-- before`` … ``-->`` holds commands for the test
that a reader needs not see.
"""

import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2]
#: What a newcomer reads, and ``make test`` runs; ``make pages-test`` runs all others.
FIRST: Final = [ROOT / "README.md", *(ROOT / "docs" / "tutorial").glob("*.md")]
PAGES: Final = sorted(
    [
        *FIRST,
        *(ROOT / "docs" / "how-to").glob("*.md"),
        *(ROOT / "examples").glob("*/README.md"),
    ]
)
#: Thirty commands take half a minute; only what hangs should end here.
_LIMIT_S: Final = 840

_PART: Final = re.compile(
    r"^<!-- before\n(?P<before>.*?)^-->$"
    r"|(?P<skip>^<!-- not run: [^\n]+ -->\n+)?^```(?P<kind>\w+)[^\n]*\n(?P<body>.*?)^```$",
    re.MULTILINE | re.DOTALL,
)
_MARK: Final = re.compile(r"^@@ (?P<step>\d+) (?P<status>\d+)\n", re.MULTILINE)
_VARIES: Final = (
    (re.compile(r"\d[\d,]*(\.\d+)? (ms|s|min|h)\b( \d+ (s|min)\b)?"), "DURATION"),
    (re.compile(r"\d[\d,]*(\.\d+)? rows/s"), "SPEED"),
    (re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d(:\d\d)?"), "MOMENT"),
    (re.compile(r"\b[0-9a-f]{12,64}\b"), "FINGERPRINT"),
    (re.compile(r"\s+"), " "),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """One thing to run, where it stands, and what it should print; None accepts anything."""

    where: str
    script: str
    expected: list[str] | None


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize(
    "page",
    [
        pytest.param(
            page,
            id=str(page.relative_to(ROOT)),
            marks=() if page in FIRST else pytest.mark.pages,
        )
        for page in PAGES
    ],
)
def test_a_page_does_what_it_says(page: Path, tmp_path: Path) -> None:
    steps = list(_steps(page, tmp_path))
    if not steps:
        return
    shutil.copytree(ROOT / "examples", tmp_path / "examples")
    wrong = [
        complaint
        for step, status, printed in zip(steps, *_run(steps, tmp_path), strict=True)
        if (complaint := _complaint(step, status, printed))
    ]
    assert not wrong, "\n\n".join(wrong)


def test_what_is_not_run_says_why() -> None:
    for page in PAGES:
        for line in page.read_text(encoding="utf-8").splitlines():
            if "not run" in line and line.startswith("<!--"):
                assert re.fullmatch(r"<!-- not run: \S.* -->", line), f"{page.name}: {line}"


def test_every_example_is_on_the_ledger_and_the_other_way_round() -> None:
    ledger = (ROOT / "examples" / ".ledger").read_text(encoding="utf-8").split()
    assert ledger == sorted(
        page.parent.name for page in (ROOT / "examples").glob("*/README.md")
    )


def _steps(page: Path, folder: Path) -> Iterator[Step]:
    text = page.read_text(encoding="utf-8")
    parts = list(_PART.finditer(text))
    for number, part in enumerate(parts):
        where = f"{page.name}:{text[: part.start()].count(chr(10)) + 1}"
        body = part["before"] or part["body"]
        if part["skip"]:
            continue
        if part["before"] is not None or part["kind"] == "sh":
            yield Step(where=where, script=f"set -e\n{body}set +e", expected=None)
        elif part["kind"] == "console":
            yield from _typed(where, body)
        elif part["kind"] == "python":
            file = folder / f"block-{number}.py"
            file.write_text(body, encoding="utf-8")
            yield Step(
                where=where,
                script=f"python {file.name}",
                expected=_output_after(text, part, parts[number + 1 :]),
            )


def _typed(where: str, body: str) -> Iterator[Step]:
    """Return the commands of a console block, each with the lines that follow it."""
    command: list[str] = []
    expected: list[str] = []
    for line in body.splitlines():
        if line.startswith("$ "):
            if command:
                yield _command(where, command, expected)
            command, expected = [line[2:]], []
        elif command and command[-1].endswith("\\"):
            command.append(line)
        else:
            assert command, f"{where}: output before the first command"
            expected.append(line)
    yield _command(where, command, expected)


def _command(where: str, command: list[str], expected: list[str]) -> Step:
    return Step(where=where, script="\n".join(command), expected=expected or None)


def _output_after(
    text: str, part: re.Match[str], following: list[re.Match[str]]
) -> list[str] | None:
    if following and following[0]["kind"] == "text":
        between = text[part.end() : following[0].start()]
        if not between.strip():
            return str(following[0]["body"]).splitlines()
    return None


def _run(steps: list[Step], folder: Path) -> tuple[list[int], list[str]]:
    """Run all steps in one shell; return each one's exit status and output."""
    script = "".join(
        f"{step.script}\nprintf '\\n@@ %d %d\\n' {number} $?\n"
        for number, step in enumerate(steps)
    )
    environment = {k: v for k, v in os.environ.items() if not k.startswith("REPOINT_")}
    environment |= {
        "PATH": f"{Path(sys.executable).parent}{os.pathsep}{os.environ['PATH']}",
        "REPOINT_ACTOR": "ana",
        "COLUMNS": "100",
        "NO_COLOR": "1",
    }
    done = subprocess.run(
        ["bash", "-c", script],
        cwd=folder,
        env=environment,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        stdin=subprocess.DEVNULL,
        timeout=_LIMIT_S,
        text=True,
        check=False,
    )
    pieces = _MARK.split(done.stdout)
    printed, statuses = pieces[0::3], [int(status) for status in pieces[2::3]]
    assert len(statuses) == len(steps), f"the shell ended early:\n{done.stdout}"
    return statuses, [one.strip("\n") for one in printed[:-1]]


def _complaint(step: Step, status: int, printed: str) -> str:
    said = f"{step.where}: {step.script}\n--- printed\n{printed}"
    if status:
        return f"exit status {status} at {said}"
    if step.expected is None or _agree(step.expected, printed):
        return ""
    return "\n".join([said, "--- the page says", *step.expected])


def _agree(expected: list[str], printed: str) -> bool:
    pattern = "".join(
        r"(?:[^\n]*\n)*?" if line.strip() == "..." else _as_pattern(_plain(line)) + r"\n"
        for line in expected
    )
    found = "".join(f"{_plain(line)}\n" for line in printed.splitlines())
    return re.fullmatch(pattern, found) is not None


def _as_pattern(line: str) -> str:
    return "[^\n]*".join(re.escape(piece) for piece in line.split("..."))


def _plain(line: str) -> str:
    for pattern, name in _VARIES:
        line = pattern.sub(name, line)
    return line.strip()
