"""A team's own collection becomes a release, and its whole story follows, in each test.

Subclass ``AdoptionStorySuite`` and give it the fixture ``team``. Every test of ``StorySuite``
runs too, on an index whose ``v1`` is the adopted collection.
"""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from repoint.client import Index, Repoint
from repoint.domain.adoption import BypassKind
from repoint.domain.document import Json
from repoint.domain.errors import HeldError, WrongDeclarationError
from repoint.operations.adopt import AdoptionReport
from repoint.operations.ending import Fate
from repoint.testing.story import CORPUS, UNMEASURED, StorySuite, bring_in_step, document
from repoint.testing.team import SPEC, Team, row, row_of
from repoint.wiring.config import CONFIG_FILE


def open_workspace(home: Path, team: Team) -> Repoint:
    """Make a workspace whose backend ``main`` is the team's database, and open it."""
    Repoint.init(home).close()
    with (home / CONFIG_FILE).open("a", encoding="utf-8") as config:
        config.write(f"\n[backends.main]\n{team.table}\n")
    return Repoint.open(home)


def adopt(opened: Repoint, team: Team) -> AdoptionReport:
    """Adopt the team's collection as ``v1`` of ``docs``."""
    return opened.adopt("docs", "v1", team.wish, spec=SPEC)


class AdoptionStorySuite(StorySuite):
    """What a team sees whose collection is adopted, updated, and rolled back."""

    @pytest.fixture
    def team(self) -> Team:
        """The team and its database; its collection is not there yet."""
        raise NotImplementedError("give the class a fixture: team")

    @pytest.fixture
    def table(self, team: Team) -> str:
        """The lines of the backend's table in ``repoint.toml``."""
        return team.table

    @pytest.fixture
    def workspace(self, team: Team, tmp_path: Path) -> Iterator[Repoint]:
        """An open workspace whose ``v1`` is the team's collection, and answers."""
        team.put(row_of(f"d{n}", document(n, version=0)) for n in range(CORPUS))
        with open_workspace(tmp_path / "home", team) as opened:
            adopt(opened, team)
            opened.index("docs").promote("v1", reason="adopted")
            yield opened

    def test_a_collection_is_adopted_without_embedding_or_changing_anything(
        self, team: Team, tmp_path: Path
    ) -> None:
        """Every vector and field stays bit for bit; rows without text are left alone."""
        team.put([row_of(f"d{n}", document(n, version=0)) for n in range(20)])
        team.put([row("blank", "  \n")])
        before = team.rows()
        with open_workspace(tmp_path / "home", team) as opened:
            report = adopt(opened, team)
            docs = opened.index("docs")
            assert (report.rows, report.without_text, report.embedded) == (20, 1, 0)
            assert report.complete
            assert docs.diff("v1").clean
            docs.promote("v1")
            after = team.rows()
            assert set(after) == set(before)
            assert all(after[name].same(one) for name, one in before.items())
            # Clients ask where the vectors are, in the database's own words: with its schema.
            theirs = {docs.route().collection, docs.routing.service_route().collection}
            named = {name.rpartition(".")[2] for name in theirs}
            assert (len(theirs), named) == (1, {team.wish.collection.rpartition(".")[2]})
            (hit,) = docs.search("comets 0 of d2, a note about comets", k=1).hits
            assert (hit.id, hit.metadata["topic"], hit.metadata["number"]) == (
                "d2",
                "comets",
                2,
            )

    def test_a_wrong_declaration_is_refused_before_anything_is_written(
        self, team: Team, tmp_path: Path
    ) -> None:
        """The index is not even made, and the part that differs is named."""
        import dataclasses  # noqa: PLC0415

        team.put([row_of(f"d{n}", document(n, version=0)) for n in range(20)])
        prefixed = dataclasses.replace(SPEC.model, document_prefix="passage: ")
        spec = dataclasses.replace(SPEC, model=prefixed)
        with open_workspace(tmp_path / "home", team) as opened:
            with pytest.raises(WrongDeclarationError, match="document_prefix") as caught:
                opened.adopt("docs", "v1", team.wish, spec=spec)
            assert caught.value.differs == ["model.document_prefix"]
            assert opened.indexes() == []

    def test_a_killed_scan_goes_on_where_it_was(self, team: Team, tmp_path: Path) -> None:
        """A scan that is stopped before its first page is finished by the same call."""
        team.put([row_of(f"d{n}", document(n, version=0)) for n in range(30)])
        with open_workspace(tmp_path / "home", team) as opened:
            first = opened.adopt("docs", "v1", team.wish, spec=SPEC, stop=lambda: True)
            assert not first.complete
            assert adopt(opened, team).rows == 30
            assert opened.index("docs").diff("v1").clean

    def test_writes_reach_the_team_s_own_rows(self, workspace: Repoint, team: Team) -> None:
        """Upserts and deletes through repoint are what the team's own code reads."""
        docs = workspace.index("docs")
        new: dict[str, Json] = {
            "text": "a brand new note",
            "metadata": {"topic": "news", "number": 7},
        }
        docs.upsert([{"id": "d1", **new}, {"id": "fresh", **new}], wait="all")
        docs.delete(["d2"], wait="all")
        rows = team.rows()
        assert "d2" not in rows
        for name in ("d1", "fresh"):
            assert rows[name].like(row_of(name, new))
        assert docs.diff("v1").clean

    def test_what_bypassed_repoint_is_found_and_taken_in(
        self, workspace: Repoint, team: Team
    ) -> None:
        """Added, changed and deleted rows become writes that reach every release."""
        docs = workspace.index("docs")
        bring_in_step(docs, "v2", dimensions=32)
        team.put([row("added", "added behind repoint"), row("d1", "changed behind repoint")])
        team.delete(["d2"])
        assert not docs.diff("v1").clean
        planned = docs.adopted.plan()
        expected = {BypassKind.ADDED: 1, BypassKind.CHANGED: 1, BypassKind.DELETED: 1}
        assert (dict(planned.taken), planned.conflicts) == (expected, 0)
        taken = docs.adopted.absorb(reason="the nightly import")
        assert dict(taken.taken) == expected
        for release in ("v1", "v2"):
            docs.sync(release)
            assert docs.diff(release).clean, docs.diff(release)
            assert docs.search("changed behind", release=release, k=1).hits[0].id == "d1"
        assert not docs.adopted.plan().taken

    def test_a_row_that_is_written_again_as_it_was_is_taken_in(
        self, workspace: Repoint, team: Team
    ) -> None:
        """Equal content hides nobody's write: not in place, not after a delete."""
        docs = workspace.index("docs")
        before = team.rows()
        docs.delete(["d3"], wait="all")
        team.delete(["d4"])
        team.put([before["d3"], before["d4"], before["d5"]])
        assert "d3" not in _found(docs)
        assert not docs.diff("v1").clean
        planned = docs.adopted.plan()
        assert (planned.conflicts, dict(planned.taken)) == (1, {})
        assert docs.adopted.absorb(prefer="collection").decided == 1
        docs.sync("v1")
        assert docs.diff("v1").clean, docs.diff("v1")
        assert {"d3", "d4", "d5"} <= _found(docs)
        assert all(team.rows()[name].like(before[name]) for name in ("d3", "d4", "d5"))
        planned = docs.adopted.plan()
        assert (planned.conflicts, dict(planned.taken)) == (0, {})

    def test_a_conflict_is_left_until_somebody_decides(
        self, workspace: Repoint, team: Team
    ) -> None:
        """A document that was deleted through repoint does not come back by itself."""
        docs = workspace.index("docs")
        docs.delete(["d3", "d4"], wait="all")
        back = row("d3", "back again"), row("d4", "back again")
        team.put(back)
        planned = docs.adopted.plan()
        assert (planned.conflicts, dict(planned.taken)) == (2, {})
        assert docs.adopted.absorb().conflicts == 2
        assert "d3" not in {hit.id for hit in docs.search("back again", k=50).hits}
        assert docs.adopted.absorb(prefer="log").decided == 2
        assert not {"d3", "d4"} & set(team.rows())
        team.put(back[:1])
        assert docs.adopted.absorb(prefer="collection").decided == 1
        assert docs.search("back again", k=1).hits[0].id == "d3"
        assert docs.diff("v1").clean

    def test_an_adopted_collection_is_only_dropped_by_its_name(
        self, workspace: Repoint, team: Team
    ) -> None:
        """It can be let go of, and deleted only by whoever types its name."""
        docs = workspace.index("docs")
        bring_in_step(docs, "v2", dimensions=32)
        docs.promote("v2", options=UNMEASURED)
        docs.accept("v2")
        docs.retire("v1")
        before = set(team.rows())
        with pytest.raises(HeldError, match="keep-collection"):
            docs.drop("v1")
        with pytest.raises(HeldError, match="not 'something else'"):
            docs.drop("v1", fate=Fate(delete="something else"))
        docs.drop("v1", fate=Fate(keep=True))
        assert set(team.rows()) == before


def _found(docs: Index) -> set[str]:
    return {hit.id for hit in docs.search("a note about something", k=CORPUS).hits}
