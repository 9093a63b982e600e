"""Every command is shown on a page that somebody wrote, and every command shown exists."""

import itertools
import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Final, TypeAlias

import pytest
from typer.core import TyperCommand, TyperGroup

from repoint.cli import guarding
from repoint.cli.lazy import load
from repoint.cli.table import COMMANDS

ROOT: Final = Path(__file__).resolve().parents[2]
GENERATED: Final = ROOT / "docs" / "reference"
PAGES: Final = sorted(
    page
    for page in [ROOT / "README.md", *ROOT.glob("docs/**/*.md"), *ROOT.glob("examples/**/*.md")]
    if GENERATED not in page.parents
)
#: In blocks at a line's beginning, in prose between backticks.
_SHOWN: Final = re.compile(r"^(?:\$ )?(repoint [^\n]+)|`(repoint [^`]+)`", re.MULTILINE)
#: Taken by the root command too.
_EVERYWHERE: Final = {"--home", "--json", "--actor", "--help", "-h"}

_Path: TypeAlias = tuple[str, ...]


def _leaves() -> Iterator[tuple[_Path, TyperCommand]]:
    for name in COMMANDS:
        found = load(name)
        if isinstance(found, TyperGroup):
            for inner, command in found.commands.items():
                if isinstance(command, TyperCommand):
                    yield (name, inner), command
        else:
            yield (name,), found


LEAVES: Final = dict(_leaves())
#: Of a list of commands, the one that is meant where none of them is named.
USUAL: Final = {"guard": guarding.DEFAULT}


@pytest.mark.parametrize("path", LEAVES, ids=" ".join)
def test_every_command_is_shown_somewhere(path: _Path) -> None:
    shown = {_command(words) for page in PAGES for words in _shown(page)}
    assert path in shown


@pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])
def test_every_command_shown_exists_with_its_options(page: Path) -> None:
    wrong = []
    for words in _shown(page):
        command = LEAVES.get(_command(words))
        if command is None:
            # The root command has no arguments, only options.
            if not set(words[1:]) <= _EVERYWHERE and (
                words[1] not in COMMANDS or len(words) > 2
            ):
                wrong.append(" ".join(words))
            continue
        known = _EVERYWHERE | {option for one in command.params for option in one.opts}
        wrong += [
            " ".join(words)
            for word in words
            if word.startswith("-") and word != "-" and word.partition("=")[0] not in known
        ]
    assert not wrong


def _command(words: list[str]) -> _Path:
    path = tuple(words[1:3])
    if path in LEAVES:
        return path
    usual = (*path[:1], USUAL.get(path[0], "")) if len(path) > 1 else path
    return usual if usual in LEAVES else path[:1]


def _shown(page: Path) -> Iterator[list[str]]:
    for match in _SHOWN.finditer(page.read_text(encoding="utf-8")):
        words = list(itertools.takewhile(_is_no_end, _words(match[1] or match[2])))
        # A sentence about repoint is no command: those begin with a command's name.
        if len(words) > 1 and (match[2] or words[1] in COMMANDS):
            yield words


def _words(text: str) -> Iterator[str]:
    lexer = shlex.shlex(text.replace("\n", " "), posix=True, punctuation_chars=";|>&")
    lexer.whitespace_split = True
    return iter(lexer)


def _is_no_end(word: str) -> bool:
    return not set(word) <= set(";|>&")
