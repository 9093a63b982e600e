"""A route as text in each format, and files that are replaced as a whole."""

import json
import subprocess
from pathlib import Path

import pytest
from ruamel.yaml import YAML

from repoint.domain.document import Json
from repoint.domain.errors import BadInputError
from repoint.domain.rendering import RenderFormat
from repoint.wiring.clock import SystemClock
from repoint.wiring.host import LocalHost
from repoint.wiring.rendered_files import digest_of, rendered, replace

NASTY = """it's "$(touch owned)" `id` \\ über\nand a second line: - {x}"""
TREE: dict[str, Json] = {
    "index": "docs",
    "epoch": 3,
    "min_score": None,
    "model": {"name": NASTY, "normalise": True, "options": {"seed": 1}},
    "query_steps": ["lowercase"],
}


def test_json_and_yaml_say_the_same() -> None:
    assert json.loads(rendered(TREE, RenderFormat.JSON)) == TREE
    assert YAML(typ="safe").load(rendered(TREE, RenderFormat.YAML)) == TREE


def test_a_shell_reads_every_variable_as_it_is_and_runs_nothing(tmp_path: Path) -> None:
    file = tmp_path / "route.env"
    file.write_text(rendered(TREE, RenderFormat.ENV), encoding="utf-8")
    script = 'set -a; . ./route.env; printf "%s\\0" "$REPOINT_ROUTE_MODEL_NAME" '
    script += '"$REPOINT_ROUTE_MODEL_OPTIONS" "$REPOINT_ROUTE_MIN_SCORE" "$REPOINT_ROUTE_EPOCH"'
    done = subprocess.run(
        ["sh", "-c", script], cwd=tmp_path, capture_output=True, text=True, check=True
    )
    assert done.stdout.split("\0") == [NASTY, '{"seed":1}', "", "3", ""]
    assert not (tmp_path / "owned").exists()


def test_a_file_is_replaced_as_a_whole_and_keeps_its_permissions(tmp_path: Path) -> None:
    file = tmp_path / "route.json"
    file.write_text("old", encoding="utf-8")
    file.chmod(0o640)
    old = file.stat().st_ino
    replace(file, "new")
    assert (file.read_text(encoding="utf-8"), file.stat().st_mode & 0o777) == ("new", 0o640)
    assert file.stat().st_ino != old
    assert list(tmp_path.iterdir()) == [file]
    assert LocalHost(SystemClock()).digest(str(file)) == digest_of("new")


def test_a_link_stays_a_link(tmp_path: Path) -> None:
    file, link = tmp_path / "real.json", tmp_path / "link.json"
    file.write_text("old", encoding="utf-8")
    link.symlink_to(file)
    replace(link, "new")
    assert link.is_symlink()
    assert file.read_text(encoding="utf-8") == "new"


def test_where_nothing_can_be_written_nothing_changes(tmp_path: Path) -> None:
    with pytest.raises(BadInputError, match="cannot be written"):
        replace(tmp_path / "no" / "such" / "file", "new")
    assert LocalHost(SystemClock()).digest(str(tmp_path / "no")) is None
