"""The alias's name and the adopted layouts of OpenSearch, on a real server."""

import json
from collections.abc import Iterator, Mapping
from pathlib import Path

import pytest
from tests.servers.opensearch_team import INDEX, PROPERTIES, OpenSearchTeam
from tests.servers.opensearch_url import opened_server
from tests.unit.cli.conftest import Shell

from repoint.client import Repoint
from repoint.domain.adoption import FieldKind
from repoint.domain.errors import ConflictError, NotReadyError, UnsupportedError
from repoint.domain.readiness import Status
from repoint.ports.adoption import Foreign, Wish, adopter_of
from repoint.testing.adoption_story import adopt, open_workspace
from repoint.testing.story import UNMEASURED, bring_in_step, document
from repoint.testing.team import SPEC, row, row_of, vectors

pytestmark = [pytest.mark.backend("opensearch"), pytest.mark.engine, pytest.mark.slow]

OTHER = "articles-of-last-year"


class PlainTeam(OpenSearchTeam):
    """A team whose aliases have the indices' own names."""

    @property
    def table(self) -> str:
        return f'kind = "opensearch"\nurl = "{self.url}"\nalias_prefix = "articles-"'


@pytest.fixture
def team() -> Iterator[PlainTeam]:
    with opened_server() as (client, url):
        one = PlainTeam(client, url, own_ids=True)
        one.put(row_of(f"d{n}", document(n, version=0)) for n in range(10))
        yield one


@pytest.fixture
def opened(team: PlainTeam, tmp_path: Path) -> Iterator[Repoint]:
    with open_workspace(tmp_path / "home", team) as opened:
        adopt(opened, team)
        opened.index("docs").promote("v1")
        bring_in_step(opened.index("docs"), "v2", dimensions=32)
        yield opened


def looked(team: OpenSearchTeam, *, alias: str = "docs", **wish: object) -> Foreign:
    asked = {"collection": INDEX, "id_field": "slug", "text_field": "body", "metadata": None}
    return adopter_of(team.backend()).look(Wish(**{**asked, **wish}), alias=alias)  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("there", "why"),
    [
        ({"filter": {"term": {"topic": "bread"}}}, "a filter"),
        ({"is_write_index": True}, "a write index"),
        ({"routing": "1"}, "a routing"),
    ],
)
def test_an_alias_that_a_move_would_take_something_from_stops_it(
    opened: Repoint, team: PlainTeam, there: Mapping[str, object], why: str
) -> None:
    docs = opened.index("docs")
    team.client.indices.put_alias(index=INDEX, name="articles-docs", body=there)
    found = {one.check: one for one in docs.check()}["candidate:alias-name"]
    assert found.status is Status.FAILED
    assert why in found.summary
    with pytest.raises(NotReadyError, match=why):
        docs.promote("v2", options=UNMEASURED)
    assert docs.status().epoch == 1
    team.client.indices.delete_alias(index=INDEX, name="articles-docs")
    team.client.indices.put_alias(index=INDEX, name="articles-docs")
    docs.promote("v2", options=UNMEASURED)
    assert docs.rollback(reason="worse").verified


def test_an_alias_of_several_indices_stops_a_move(opened: Repoint, team: PlainTeam) -> None:
    docs = opened.index("docs")
    team.make(OTHER)
    team.client.indices.put_alias(index=OTHER, name="articles-docs")
    with pytest.raises(NotReadyError, match="points at 2 indices"):
        docs.promote("v2", options=UNMEASURED)
    assert set(team.client.indices.get_alias(name="articles-docs")) == {INDEX, OTHER}
    found = {one.check: one for one in docs.check()}
    assert found["active:alias"].status is Status.FAILED
    assert found["grants"].status is Status.SKIPPED  # a server without security, and said so
    assert "everybody" in found["grants"].summary


def test_an_index_that_has_the_alias_s_name_is_planned_and_refused(
    team: PlainTeam, tmp_path: Path
) -> None:
    team.make("articles-docs")
    with open_workspace(tmp_path / "home", team) as opened:
        plan = opened.plan_adoption("docs", "v1", team.wish, spec=SPEC)
        assert "index articles-docs has that name" in plan.obstacles[0]
        adopt(opened, team)
        with pytest.raises(NotReadyError, match="the index articles-docs has that name"):
            opened.index("docs").promote("v1")
        assert opened.index("docs").status().epoch == 0


def test_an_index_is_adopted_by_its_alias_which_then_moves(
    team: PlainTeam, tmp_path: Path
) -> None:
    team.client.indices.put_alias(index=INDEX, name="articles-docs")
    spec = tmp_path / "v1.yaml"
    spec.write_text(
        "model: {provider: hashing, dimensions: 64}\nbackend: main\n"
        'text: {template: "{text}"}\n'
    )
    shell = Shell(tmp_path)
    with open_workspace(tmp_path / "home", team) as opened:
        shell.home = opened.workspace.home
    asked = ("docs", "--backend", "main", "--collection", "articles-docs")
    fields = ("--id-field", "_id", "--text-field", "body", "--metadata-field", "all")
    said = shell.ok("adopt", *asked, *fields, "--spec", str(spec), "--plan")
    assert "articles-docs is an alias: articles is adopted" in said
    planned = json.loads(
        shell.ok("adopt", *asked, *fields, "--spec", str(spec), "--plan", "--json")
    )
    assert (planned["collection"], planned["obstacles"]) == (INDEX, [])
    shell.ok("adopt", *asked, *fields, "--spec", str(spec))
    shell.ok("promote", "docs", "v1")
    with Repoint.open(shell.home) as opened:
        docs = opened.index("docs")
        bring_in_step(docs, "v2", dimensions=32)
        docs.promote("v2", options=UNMEASURED)
        assert set(team.client.indices.get_alias(name="articles-docs")) == {
            docs.release("v2").collection
        }
        docs.upsert([{"id": "fresh", "text": "a fresh one"}], wait="all")
        assert docs.rollback(reason="worse").verified
    assert set(team.client.indices.get_alias(name="articles-docs")) == {INDEX}
    assert team.client.get(index=INDEX, id="fresh")["_source"]["body"] == "a fresh one"


def test_an_alias_that_shows_no_single_whole_index_is_not_adopted_by(team: PlainTeam) -> None:
    team.make(OTHER)
    for one in (INDEX, OTHER):
        team.client.indices.put_alias(index=one, name="articles-all")
    with pytest.raises(UnsupportedError, match="points at articles, articles-of"):
        looked(team, collection="articles-all")
    part = {"filter": {"term": {"topic": "bread"}}}
    team.client.indices.put_alias(index=INDEX, name="articles-of-bread", body=part)
    with pytest.raises(UnsupportedError, match="has a filter on articles"):
        looked(team, collection="articles-of-bread")


def test_an_index_that_cannot_be_written_is_refused_before_anything_is_read(
    team: PlainTeam,
) -> None:
    for setting in ("read_only_allow_delete", "write"):
        block = {f"index.blocks.{setting}": True}
        team.client.indices.put_settings(index=INDEX, body=block)
        with pytest.raises(UnsupportedError, match=f"index.blocks.{setting}") as caught:
            looked(team)
        assert "_settings" in caught.value.hint
        team.client.indices.put_settings(index=INDEX, body={f"index.blocks.{setting}": None})
    team.client.indices.close(index=INDEX)
    with pytest.raises(UnsupportedError, match="closed"):
        looked(team)
    team.client.indices.open(index=INDEX)
    assert looked(team).rows == 10


@pytest.mark.parametrize(
    ("mappings", "why"),
    [
        ({"_source": {"excludes": ["embedding"]}}, "_source does not hold all"),
        ({"_routing": {"required": True}}, "requires a routing"),
        ({"properties": {"body": {"type": "text"}}}, "no field of the type knn_vector"),
    ],
)
def test_what_cannot_be_adopted_is_refused_with_what_to_do(
    team: PlainTeam, mappings: Mapping[str, object], why: str
) -> None:
    body = {
        "settings": {"index": {"knn": True}},
        "mappings": {"properties": PROPERTIES, **mappings},
    }
    team.client.indices.create(index=OTHER, body=body)
    source = {"slug": "a", "body": "a text"}
    team.client.index(index=OTHER, body=source, params={"refresh": "true", "routing": "1"})
    with pytest.raises(UnsupportedError, match=why):
        looked(team, collection=OTHER)


def test_ids_that_occur_twice_are_refused(team: PlainTeam) -> None:
    (one,) = team.client.search(index=INDEX, body={"size": 1})["hits"]["hits"]
    team.client.index(index=INDEX, id="again", body=one["_source"], params={"refresh": "true"})
    with pytest.raises(UnsupportedError, match="more than once") as caught:
        looked(team)
    assert "--id-field _id" in caught.value.hint
    assert looked(team, id_field="_id").rows == 11


def test_a_second_row_of_a_document_is_taken_in_by_nobody(
    opened: Repoint, team: PlainTeam
) -> None:
    second = {"slug": "d1", "body": "another d1", "number": 1}
    team.client.index(index=INDEX, id="again", body=second, params={"refresh": "true"})
    docs = opened.index("docs")
    with pytest.raises(ConflictError, match="two rows of document 'd1'"):
        docs.adopted.absorb()
    assert docs.search("another d1", k=1).hits[0].text != "another d1"
    team.client.delete(index=INDEX, id="again", params={"refresh": "true"})
    assert docs.adopted.absorb().clean


def test_a_field_is_what_its_mapping_says_unless_its_rows_hold_more(team: PlainTeam) -> None:
    (vector,) = vectors(["tagged"])
    source = {"slug": "t", "body": "tagged", "topic": ["a", "b"], "number": 3}
    tagged = {**source, "embedding": vector.tolist()}
    team.client.index(index=INDEX, id="t", body=tagged, params={"refresh": "true"})
    found = looked(team)
    kinds = {field.name: field.kind for field in found.layout.metadata}
    assert kinds == {
        "note": FieldKind.TEXT,
        "number": FieldKind.INTEGER,
        "topic": FieldKind.JSON,
    }


def test_a_row_that_the_team_wrote_to_is_served_only_as_it_was(
    opened: Repoint, team: PlainTeam
) -> None:
    docs = opened.index("docs")
    touch = {"doc": {"note": "counted"}}  # nothing that repoint was told of
    team.client.update(index=INDEX, id="d1", body=touch, params={"refresh": "true"})
    new = {"doc": {"body": "quite another thing"}}
    team.client.update(index=INDEX, id="d2", body=new, params={"refresh": "true"})
    (moved,) = vectors(["a model of somebody else's"])
    other = {"doc": {"embedding": moved.tolist()}}
    team.client.update(index=INDEX, id="d3", body=other, params={"refresh": "true"})
    hits = docs.search("comets 0 of d2, a note about comets", k=50).hits
    assert {hit.id for hit in hits} == {f"d{n}" for n in range(10)} - {"d2", "d3"}
    assert dict(docs.adopted.plan().taken) == {"changed": 1}
    docs.adopted.absorb()
    docs.sync("v1")
    assert docs.diff("v1").clean
    hits = docs.search("quite another thing", k=50).hits
    assert (hits[0].id, len(hits)) == ("d2", 10)


def test_a_job_that_writes_everything_anew_is_taken_in(
    opened: Repoint, team: PlainTeam
) -> None:
    docs = opened.index("docs")
    team.put(row_of(f"d{n}", document(n, version=0)) for n in range(10))
    assert not docs.diff("v1").clean
    assert docs.search("comets of d2", k=50).hits == []
    docs.adopted.absorb()
    assert docs.diff("v1").clean
    assert len(docs.search("comets of d2", k=50).hits) == 10


def test_documents_without_vector_or_text_are_dealt_with(
    team: PlainTeam, tmp_path: Path
) -> None:
    bare = {"slug": "bare", "body": "it has no vector yet", "number": 1}
    team.client.index(index=INDEX, id="bare", body=bare, params={"refresh": "true"})
    team.put([row("blank", "")])
    team.client.index(index=INDEX, id="empty", body={"number": 1}, params={"refresh": "true"})
    with open_workspace(tmp_path / "home", team) as opened:
        report = adopt(opened, team)
        assert (report.rows, report.without_text, report.embedded) == (11, 2, 1)
        docs = opened.index("docs")
        assert docs.diff("v1").clean
        docs.promote("v1")
        assert docs.search("it has no vector yet", k=1).hits[0].id == "bare"
    assert "embedding" in team.client.get(index=INDEX, id="bare")["_source"]
