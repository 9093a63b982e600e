"""``adopt``, ``absorb`` and the end of an adopted release, as a person types them."""

import json
from pathlib import Path
from typing import Final

import lancedb
import pytest
from tests.conformance.lancedb_team import LanceTeam
from tests.unit.cli.conftest import Shell
from tests.unit.cli.test_shapes import PROMISED, shape

from repoint.testing.team import row
from repoint.wiring.config import CONFIG_FILE

pytestmark = pytest.mark.backend("lancedb")

SPEC: Final = "model: {provider: hashing, dimensions: 64}\nbackend: prod\n"
FIELDS: Final = [
    "--collection", "articles", "--id-field", "id", "--text-field", "body",
    "--metadata-field", "topic", "--metadata-field", "number", "--backend", "prod",
]  # fmt: skip


@pytest.fixture
def team(tmp_path: Path) -> LanceTeam:
    one = LanceTeam(tmp_path / "team")
    one.put(row(f"d{n}", f"note {n} about bread", topic="t", number=n) for n in range(12))
    return one


@pytest.fixture
def shell(team: LanceTeam, tmp_path: Path) -> Shell:
    one = Shell(tmp_path)
    one.ok("init")
    with (one.home / CONFIG_FILE).open("a") as config:
        config.write(f"\n[backends.prod]\n{team.table}\n")
    return one


def adopt(shell: Shell, *more: str, spec: str = SPEC) -> list[str]:
    return ["adopt", "docs", *FIELDS, "--spec", shell.file("v1.yaml", spec), *more]


def test_every_shape_is_as_promised(shell: Shell, team: LanceTeam) -> None:
    for name, args in {
        "adopt --plan": adopt(shell, "--plan"),
        "adopt": adopt(shell),
    }.items():
        assert shape(shell.json(*args)) == PROMISED[name], name
    shell.ok("promote", "docs", "v1")
    team.put([row("new", "behind repoint")])
    for name, args in {
        "absorb --plan": ["absorb", "docs", "--plan"],
        "absorb": ["absorb", "docs"],
    }.items():
        assert shape(shell.json(*args)) == PROMISED[name], name


def test_a_plan_says_everything_and_writes_nothing(shell: Shell, team: LanceTeam) -> None:
    version = lancedb.connect(str(team.folder)).open_table("articles").version
    said = shell.ok(*adopt(shell, "--plan"))
    assert "articles: about 12 rows, vectors of 64 dimensions in vector" in said
    assert "left as it is: note (nobody named it)" in said
    assert "the spec makes these vectors: 12 sampled" in said
    assert lancedb.connect(str(team.folder)).open_table("articles").version == version
    assert shell.json("index", "list")["indexes"] == []


def test_a_wrong_spec_names_the_part_that_differs(shell: Shell) -> None:
    wrong = (
        'model: {provider: hashing, dimensions: 64, document_prefix: "doc: "}\nbackend: prod\n'
    )
    said = shell.refused(3, *adopt(shell, spec=wrong))
    assert "model.document_prefix is '', declared 'doc: '" in said
    assert "Traceback" not in said
    result = shell.run(*adopt(shell, "--plan", "--json", spec=wrong))
    assert result.exit_code == 3
    assert (
        json.loads(result.stdout)["proof"]["differences"][0]["part"] == "model.document_prefix"
    )
    cut = "model: {provider: hashing, dimensions: 64}\nchunking: {size: 200}\nbackend: prod\n"
    assert "one vector a row" in shell.refused(3, *adopt(shell, spec=cut))
    other = "model: {provider: hashing, dimensions: 32}\nbackend: prod\n"
    assert "64 dimensions, and the spec makes 32" in shell.refused(3, *adopt(shell, spec=other))


def test_a_field_that_is_not_there_is_refused_with_those_that_are(shell: Shell) -> None:
    args = [one if one != "body" else "text" for one in adopt(shell)]
    said = shell.refused(3, *args)
    assert "there is no column 'text'" in said
    assert "known: id, body, topic, number, note, vector" in said


def test_an_index_with_documents_is_no_place_for_it(shell: Shell) -> None:
    shell.ok("index", "create", "docs")
    shell.ok("ingest", "docs", shell.corpus(3))
    assert "documents already" in shell.refused(4, *adopt(shell))
    result = shell.run(*adopt(shell, "--plan"))
    assert result.exit_code == 3
    assert "in the way: index 'docs' has documents already" in result.stdout


def test_a_repair_does_not_write_over_what_bypassed_repoint(
    shell: Shell, team: LanceTeam
) -> None:
    shell.ok(*adopt(shell))
    shell.ok("promote", "docs", "v1")
    team.put([row("d1", "changed behind repoint")])
    found = shell.run("diff", "docs", "v1").stdout
    assert "wrong-text" in found
    assert "repoint absorb docs --plan" in found
    assert "repoint absorb docs --plan" in shell.refused(4, "diff", "docs", "v1", "--repair")
    said = shell.ok("absorb", "docs", "--reason", "the nightly import")
    assert "articles: 1 changed taken into the log" in said
    shell.ok("diff", "docs", "v1")


def test_a_conflict_is_listed_until_somebody_decides(shell: Shell, team: LanceTeam) -> None:
    shell.ok(*adopt(shell))
    shell.ok("promote", "docs", "v1")
    shell.ok("delete", "docs", "d2")
    shell.ok("sync", "docs", "v1")
    team.put([row("d2", "is back")])
    result = shell.run("absorb", "docs")
    assert result.exit_code == 3
    assert "it was deleted through repoint at 13, and is back" in result.stdout
    assert "1 conflicts decided" in shell.ok("absorb", "docs", "--prefer", "log")
    assert "d2" not in team.rows()


def test_an_adopted_collection_is_let_go_or_deleted_by_its_name(
    shell: Shell, team: LanceTeam
) -> None:
    shell.ok(*adopt(shell))
    shell.release("v2", "model: {provider: hashing, dimensions: 32}\n")
    shell.ok("promote", "docs", "v1")
    shell.ok("promote", "docs", "v2", "--without-evaluation", "a test")
    shell.ok("accept", "docs", "v2")
    shell.ok("retire", "docs", "v1")
    assert "--keep-collection" in shell.refused(3, "drop", "docs", "v1")
    both = ["--keep-collection", "--delete-collection", "articles"]
    shell.refused(3, "drop", "docs", "v1", *both)
    shell.refused(3, "drop", "docs", "v1", "--delete-collection", "Articles")
    before = set(team.rows())
    said = shell.ok("drop", "docs", "v1", "--keep-collection")
    assert "the collection of v1 is yours again" in said
    assert set(team.rows()) == before
    table = lancedb.connect(str(team.folder)).open_table("articles")
    assert not [name for name in table.schema.names if name.startswith("repoint")]


def test_deleting_it_needs_its_name(shell: Shell, team: LanceTeam) -> None:
    shell.ok(*adopt(shell))
    shell.ok("abort", "docs")
    shell.ok("retire", "docs", "v1")
    shell.ok("drop", "docs", "v1", "--delete-collection", "articles")
    assert not (team.folder / "articles.lance").exists()
