"""Bridges as people type them."""

from __future__ import annotations

import itertools
import json

import pytest
from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_shapes import PROMISED, shape

WORDS = ("oak", "pine", "elm", "birch", "willow", "maple")
V1 = "model: {provider: hashing, dimensions: 16}\n"
V2 = "model: {provider: hashing, dimensions: 24}\n"
GATES = "gates: [{gate: empty-answers}]\n"


@pytest.fixture
def trees(shell: Shell) -> Shell:
    """v2 answers over v1, which answered sixty judged questions."""
    texts = {
        f"d{n}": " ".join(three) for n, three in enumerate(itertools.permutations(WORDS, 3))
    }
    rows = [json.dumps({"_id": name, "text": text}) for name, text in texts.items()]
    shell.ok("init")
    shell.ok("index", "create", "docs")
    shell.ok("ingest", "docs", shell.file("trees.jsonl", "\n".join(rows) + "\n"))
    shell.ok("policy", "set", "docs", shell.file("policy.yaml", GATES))
    shell.release("v1", V1)
    shell.ok("promote", "docs", "v1")
    shell.ok("queries", "known-items", "docs", "items", "--count", "60")
    shell.release("v2", V2)
    shell.ok("evaluate", "docs", "v2", "--queries", "items")
    shell.ok("promote", "docs", "v2")
    return shell


def test_from_fitting_to_an_answer(trees: Shell) -> None:
    made = trees.json("bridge", "fit", "docs", "v1", "--from", "v2", "--queries", "items")
    name = str(made["bridge"])
    assert shape(made) == PROMISED["bridge fit"]
    assert made["against"] == "judgements"
    assert made["enabled"] is False
    refused = trees.refused(3, "bridge", "enable", "docs", name, "--reason", "it is gone")
    assert "allows no bridge" in refused
    trees.ok(
        "policy", "set", "docs", trees.file("policy.yaml", GATES + "bridge: {floor: 0.01}\n")
    )
    assert "floor: 0.01" in trees.ok("policy", "show", "docs")
    told = trees.ok("bridge", "enable", "docs", name, "--reason", "it is gone")
    assert f"queries of v1 go over {name}" in told
    listed = trees.ok("bridge", "list", "docs")
    assert "yes" in listed
    back = trees.json("rollback", "docs", "--reason", "v2 is bad")
    assert back["verified"] is True
    answer = trees.json("search", "docs", "oak pine elm")
    assert (answer["release"], answer["bridge"]) == ("v1", name)
    assert f"answered by v1 over bridge {name}" in trees.ok("search", "docs", "oak pine elm")
    assert "go over bridge" in trees.ok("check", "docs")


def test_without_any_bridge_it_says_so(trees: Shell) -> None:
    assert "no bridge of docs" in trees.ok("bridge", "list", "docs")
    assert trees.json("search", "docs", "oak")["bridge"] is None
    assert "own model already" in trees.refused(3, "bridge", "disable", "docs", "v1")


def test_a_measure_that_is_none_is_named_by_its_line(trees: Shell) -> None:
    bad = GATES + "bridge: {floor: 0.5, measure: best}\n"
    said = trees.refused(3, "policy", "set", "docs", trees.file("bad.yaml", bad))
    assert "line 2" in said
    assert "'best' is no measure" in said
