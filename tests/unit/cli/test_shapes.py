"""The shapes of ``--json``: a field that leaves or changes its kind breaks somebody's script.

``shapes.json`` is the promise. Fields may be added to it; to remove or change one, read the
rule in ``docs/reference/json.md`` first.
"""

import json
from pathlib import Path
from typing import Final, cast

import pytest
from tests.unit.cli.conftest import GOOD_SPEC, Shell

from repoint.domain.document import Json

PROMISED: Final = cast(
    "dict[str, Json]",
    json.loads((Path(__file__).parent / "shapes.json").read_text(encoding="utf-8")),
)

#: What every release of these tests passes.
POLICY: Final = "gates: [{gate: empty-answers}]\ntriggers: [{trigger: search-probes}]\n"

#: Read-only commands on an index whose v2 answers and whose v1 is the fallback.
READING: Final = {
    "search": ["search", "docs", "number 3", "-k", "2"],
    "route": ["route", "docs"],
    "status": ["status", "docs"],
    "history": ["history", "docs"],
    "check": ["check", "docs"],
    "diff": ["diff", "docs", "v1", "v2"],
    "sync --plan": ["sync", "docs", "v1", "--plan"],
    "index list": ["index", "list"],
    "release show": ["release", "show", "docs", "v1"],
    "release list": ["release", "list", "docs"],
    "release diff": ["release", "diff", "docs", "v1", "v2"],
    "dead-letters": ["dead-letters", "docs", "v1"],
    "hold list": ["hold", "list", "docs"],
    "bridge list": ["bridge", "list", "docs"],
    "roles list": ["roles", "list"],
    "audit list": ["audit", "list", "docs", "--limit", "1"],
    "audit verify": ["audit", "verify"],
    "store show": ["store", "show"],
    "backends": ["backends"],
    "policy show": ["policy", "show", "docs"],
    "render": ["render", "docs"],
    "render --forget": ["render", "docs", "--out", "x.json", "--forget"],
    "serve --new-key": ["serve", "--new-key", "shop"],
    "diagnose --plan": ["diagnose", "docs", "v2", "--plan"],
    "version": ["version"],
}


def shape(value: Json) -> Json:
    """Return a value with every leaf replaced by its kind, and lists by their first item."""
    if isinstance(value, dict):
        return {name: shape(item) for name, item in value.items()}
    if isinstance(value, list):
        return [shape(value[0])] if value else []
    return "null" if value is None else type(value).__name__


ASKED = {
    "_id": "q1",
    "text": "number 3",
    "group": "odd",
    "citations": ["d3", {"document": "d4", "start": 0, "end": 8}],
    "answer": "It is about number 3 and nothing else.",
}


@pytest.mark.parametrize("name", READING)
def test_a_reading_command_prints_the_shape_that_is_promised(moved: Shell, name: str) -> None:
    assert shape(moved.json(*READING[name])) == PROMISED[name]


def test_every_moving_command_prints_the_shape_that_is_promised(shell: Shell) -> None:
    spec = shell.file("v1.yaml", GOOD_SPEC)
    for name, args in {
        "init": ["init"],
        "index create": ["index", "create", "docs"],
        "ingest": ["ingest", "docs", shell.corpus(10)],
        "release create": ["release", "create", "docs", "v1", "--spec", spec],
        "sync": ["sync", "docs", "v1"],
        "promote": ["promote", "docs", "v1"],
        "source add": [
            *("source", "add", "docs", "dump", "--files", str(shell.folder)),
            *("--pattern", "corpus.jsonl"),
        ],
        "source poll": ["source", "poll", "docs"],
        "source list": ["source", "list", "docs"],
        "source show": ["source", "show", "docs", "dump"],
        "source remove": ["source", "remove", "docs", "dump"],
        "delete": ["delete", "docs", "d1", "--wait", "all"],
        "freeze": ["freeze", "docs", "--reason", "look"],
        "unfreeze": ["unfreeze", "docs"],
        "queries add": [
            "queries",
            "add",
            "docs",
            "asked",
            "--from",
            shell.file("q.jsonl", f"{json.dumps(ASKED)}\n"),
        ],
        "queries known-items": ["queries", "known-items", "docs", "items", "--count", "9"],
        "queries judge": ["queries", "judge", "docs", "asked", "q1", "d3", "1"],
        "queries show": ["queries", "show", "docs", "items", "--limit", "1"],
        "queries list": ["queries", "list", "docs"],
        "policy set": ["policy", "set", "docs", shell.file("p.yaml", POLICY)],
        "release create 2": ["release", "create", "docs", "v2", "--spec", spec],
        "sync 2": ["sync", "docs", "v2"],
        "evaluate": ["evaluate", "docs", "v2", "--queries", "items", "--save-as", "june"],
        "evaluate --judge": [
            *("evaluate", "docs", "v2", "--queries", "asked", "--judge", "lexical"),
            *("--save-as", "july"),
        ],
        "runs list": ["runs", "list", "docs"],
        "runs show --judged": ["runs", "show", "docs", "july"],
        "queries show --expected": ["queries", "show", "docs", "asked"],
        "runs show": ["runs", "show", "docs", "june"],
        "drill": ["drill", "docs", "v2"],
        "drill --list": ["drill", "docs", "--list"],
        "abort": ["abort", "docs"],
        "sync --pause": ["sync", "docs", "v2", "--pause"],
        "sync --resume": ["sync", "docs", "v2", "--resume"],
        "promote 2": ["promote", "docs", "v2", "--without-evaluation", "a test"],
        "rollback": ["rollback", "docs", "--reason", "worse"],
        "evidence export": ["evidence", "export", "docs", "--move", "3"],
        "evidence verify": ["evidence", "verify", shell.bundle("docs-move-3.tar.gz")],
        "evidence key": ["evidence", "key"],
        "hold place": ["hold", "place", "docs", "v2", "--reason", "look"],
        "hold lift": ["hold", "lift", "docs", "v2"],
        "retire": ["retire", "docs", "v2"],
        "drop": ["drop", "docs", "v2"],
        "erase": ["erase", "docs", "d2", "--reason", "request 1"],
        "reconcile": ["reconcile"],
        "roles grant": ["roles", "grant", "bob", "viewer", "docs"],
        "roles revoke": ["roles", "revoke", "bob", "viewer", "docs"],
    }.items():
        found = shape(shell.json(*args))
        if not name.endswith(" 2"):  # the second time is only on the way to what follows
            assert found == PROMISED[name], name


def test_live_traffic_prints_the_shapes_that_are_promised(shell: Shell) -> None:
    shell.promoted()
    shell.ok("search", "docs", "number 3")
    shell.ok("shadow", "docs", "v1")
    assert shape(shell.json("shadow", "docs")) == PROMISED["shadow"]
    assert shape(shell.json("telemetry", "docs")) == PROMISED["telemetry"]


def test_a_canary_prints_the_shapes_that_are_promised(shell: Shell) -> None:
    shell.promoted()
    shell.ok("accept", "docs", "v2")
    began = ["canary", "docs", "v1", "--share", "50%", "--tenant", "acme=10%"]
    assert shape(shell.json(*began)) == PROMISED["canary"]
    assert shape(shell.json("canary", "docs")) == PROMISED["canary show"]
    answers = (shell.json("search", "docs", "number", "--key", f"u{n}") for n in range(30))
    answer = next(str(one["answer"]) for one in answers if one["answer"])
    assert shape(shell.json("feedback", "docs", answer)) == PROMISED["feedback"]


def test_an_error_is_json_on_standard_error_and_nothing_else(docs: Shell) -> None:
    result = docs.run("search", "nosuch", "a question", "--json")
    assert result.exit_code == 3
    assert result.stdout == ""
    error = json.loads(result.stderr)
    assert shape(error) == PROMISED["error"]
    assert error["error"]["code"] == "not-found"
