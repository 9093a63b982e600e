"""Each promise that a port names in brackets is checked by a suite under that name."""

import re
from pathlib import Path
from typing import Final

import pytest

ROOT: Final = Path(__file__).resolve().parents[2] / "src" / "repoint"
#: In prose a promise is words joined by hyphens; in code brackets hold other things.
_PROMISE: Final = re.compile(r"\[([a-z]+(?:-[a-z]+)*)\](?!\()")
_DOCSTRING: Final = re.compile(r'"""(.*?)"""', re.DOTALL)
PORTS: Final = sorted((ROOT / "ports").glob("**/*.py"))
HELD: Final = sorted((ROOT / "testing").glob("**/*.py"))


def _named(path: Path) -> set[str]:
    texts = _DOCSTRING.findall(path.read_text(encoding="utf-8"))
    return {name for text in texts for name in _PROMISE.findall(text)}


@pytest.mark.parametrize("port", PORTS, ids=[str(p.relative_to(ROOT)) for p in PORTS])
def test_every_promise_of_a_port_is_held_by_a_suite(port: Path) -> None:
    held = {name for suite in HELD for name in _named(suite)}
    assert sorted(_named(port) - held) == []


def test_every_promise_that_a_suite_names_is_a_ports() -> None:
    promised = {name for port in PORTS for name in _named(port)}
    named = {name for suite in HELD for name in _named(suite)}
    assert promised
    assert sorted(named - promised) == []
