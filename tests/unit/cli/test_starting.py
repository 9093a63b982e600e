"""Starting costs what help costs: nothing heavy is imported before it is needed."""

import subprocess
import sys
from pathlib import Path

import pytest
from tests.unit.cli.conftest import Shell

_HEAVY = (
    "alembic",
    "ir_measures",
    "jinja2",
    "lancedb",
    "numpy",
    "onnxruntime",
    "pandas",
    "pyarrow",
    "pydantic",
    "rich",
    "ruamel",
    "sqlalchemy",
    "tokenizers",
    "repoint.client",
    "repoint.operations",
    "repoint.wiring",
)


def _imported(*args: str) -> set[str]:
    code = (
        "import sys\n"
        f"sys.argv = ['repoint', *{list(args)!r}]\n"
        "from repoint.cli.main import main\n"
        "main()\n"
        "print('\\n'.join(sys.modules), file=sys.stderr)\n"
    )
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True
    )
    return set(done.stderr.split())


def test_the_list_of_commands_imports_nothing_heavy() -> None:
    assert sorted(_imported("--help") & set(_HEAVY)) == []


@pytest.mark.parametrize("args", [["rollback", "--help"], ["index", "--help"]])
def test_a_command_s_help_imports_nothing_heavy_of_repoint_s(args: list[str]) -> None:
    # typer itself reads options with pydantic
    assert sorted(_imported(*args) & set(_HEAVY)) in ([], ["pydantic"])


def test_help_imports_no_other_command_s_module() -> None:
    assert "repoint.cli.moves" not in _imported("--help")
    loaded = _imported("rollback", "--help")
    assert "repoint.cli.moves" in loaded
    assert "repoint.cli.documents" not in loaded


def test_a_rollback_imports_nothing_of_what_judges(tmp_path: Path) -> None:
    shell = Shell(tmp_path)
    shell.promoted()
    home = ["--home", str(shell.home)]
    loaded = _imported(*home, "rollback", "docs", "--reason", "worse")
    assert "repoint.operations.rollback" in loaded
    assert {
        name
        for name in loaded
        if name.split(".")[0] in {"ir_measures", "pytrec_eval", "scipy"}
        or name.startswith(("repoint.operations.evaluate", "repoint.client.judging"))
    } == set()
