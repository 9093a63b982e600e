"""The table of commands is what the commands are, and every command explains itself."""

import importlib
import inspect
from pathlib import Path

import pytest
from typer.core import TyperCommand, TyperGroup
from typer.testing import CliRunner

import repoint.cli
from repoint.cli.app import app
from repoint.cli.lazy import load
from repoint.cli.table import COMMANDS


def _commands() -> dict[str, TyperCommand]:
    """Return every command by what one types for it."""
    found: dict[str, TyperCommand] = {}
    for name in COMMANDS:
        loaded = load(name)
        if isinstance(loaded, TyperGroup):
            found |= {
                f"{name} {sub}": one
                for sub, one in loaded.commands.items()
                if isinstance(one, TyperCommand)
            }
        else:
            found[name] = loaded
    return found


ALL = _commands()


@pytest.mark.parametrize("name", COMMANDS)
def test_a_command_s_sentence_in_the_table_is_its_docstring_s(name: str) -> None:
    help_ = load(name).help
    assert help_ is not None
    assert help_.splitlines()[0] == COMMANDS[name].sentence


def test_every_command_that_a_module_has_is_in_the_table() -> None:
    folder = Path(inspect.getfile(repoint.cli)).parent
    for module in (path.stem for path in folder.glob("*.py") if path.stem != "app"):
        found = getattr(importlib.import_module(f"repoint.cli.{module}"), "app", None)
        if found is None or module == "main":
            continue
        names = [found.info.name] if isinstance(found.info.name, str) else []
        names = names or [one.name for one in found.registered_commands]
        assert names
        for name in names:
            assert COMMANDS[name].module == module


@pytest.mark.parametrize("name", ALL)
def test_a_command_s_help_has_a_sentence_and_an_example_of_itself(name: str) -> None:
    result = CliRunner().invoke(app, [*name.split(), "--help"])
    assert result.exit_code == 0
    assert f"\n    repoint {name}" in result.stdout.split("Example:")[1]


@pytest.mark.parametrize("name", ALL)
def test_every_argument_and_option_has_help(name: str) -> None:
    assert [one.name for one in ALL[name].params if not getattr(one, "help", "")] == []


@pytest.mark.parametrize("name", ALL)
def test_every_command_takes_home_json_and_actor(name: str) -> None:
    assert {"home", "as_json", "actor"} <= {one.name for one in ALL[name].params}


def test_a_mistyped_command_is_told_what_was_meant() -> None:
    result = CliRunner().invoke(app, ["rolback", "docs"])
    assert result.exit_code == 2
    assert "did you mean 'rollback'?" in result.stderr
