"""Bundles of evidence: what is in them, what is not, and that nobody changes them unseen."""

from __future__ import annotations

import gzip
import hashlib
import io
import json
import stat
import tarfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from pathlib import Path

import pytest
import rfc8785
from joserfc.jwk import OKPKey

from repoint import Repoint
from repoint.client.evidence import Exported, verify
from repoint.domain.document import Json
from repoint.domain.errors import (
    AlreadyExistsError,
    BadInputError,
    BrokenEvidenceError,
    NotFoundError,
    StoreUnavailableError,
)
from repoint.domain.expected import Expected
from repoint.domain.histogram import Histogram
from repoint.domain.ids import IndexName, ProcessId, ReleaseName
from repoint.domain.spec import ModelSpec, ReleaseSpec
from repoint.domain.telemetry import Arm, Count, Period, Stage, Tally
from repoint.operations.evaluate import Options
from repoint.operations.promote import PromoteOptions
from repoint.ports.store.traffic import Measured
from repoint.wiring import signing
from repoint.wiring.signing import KEY_FILE, Key

ANSWER = "That is a secret of the gardener's own"
WORDS = [
    "brassica",
    "zinnia",
    "tamarisk",
    "yarrow",
    "quince",
    "medlar",
    "sorrel",
    "lovage",
    "borage",
    "chervil",
]


@dataclass
class Told:
    repoint: Repoint
    home: Path

    def export(self, move: int = 3, **given: object) -> Exported:
        return self.repoint.evidence.export("docs", move, **given)  # type: ignore[arg-type]

    def files(self, path: Path) -> dict[str, bytes]:
        with tarfile.open(path) as tar:
            return {one.name: _read(tar, one) for one in tar}


def _read(tar: tarfile.TarFile, entry: tarfile.TarInfo) -> bytes:
    content = tar.extractfile(entry)
    assert content is not None
    return content.read()


def spec(seed: int, *, location: str = "") -> ReleaseSpec:
    return ReleaseSpec(
        model=ModelSpec(
            provider="hashing", dimensions=32, location=location, options={"seed": seed}
        )
    )


def filled(home: Path) -> None:
    with Repoint.init(home) as repoint:
        repoint.create_index("other").upsert([{"id": "x", "text": "elsewhere"}])
        docs = repoint.create_index("docs")
        docs.upsert(
            {"id": f"doc-{word}", "text": f"{word} grows in bed {n}. It likes shade."}
            for n, word in enumerate(WORDS)
        )
        docs.create_release("v1", spec(1))
        docs.create_release("v2", spec(2, location="http://ana:pa55word@models.example/v1"))
        for name in ("v1", "v2"):
            docs.sync(name)
        docs.promote("v1", options=PromoteOptions(without_evaluation="the first"))
        docs.judging.known_items("items", count=8)
        asked = docs.judging.query_set("items").questions
        known = {
            one.id: Expected(answer=ANSWER, citations=dict.fromkeys(asked.qrels[one.id], ()))
            for one in asked.queries
        }
        docs.judging.add_queries("items", replace(asked, expected=known))
        docs.judging.evaluate("v2", queries="items", options=Options(judge="lexical"))
        repoint.index("other").freeze(reason="somebody else's affair")
        docs.promote("v2", options=PromoteOptions(without_evaluation="a test"))
        docs.rollback(reason="<b>bad</b> & worse")


@pytest.fixture(scope="module")
def template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    home = tmp_path_factory.mktemp("evidence") / "ws"
    filled(home)
    return home


@pytest.fixture(scope="module")
def told(template: Path) -> Iterator[Told]:
    """Tests only read it, and write files of their own."""
    with Repoint.open(template, keep_in_step=False) as repoint:
        yield Told(repoint, template)


@pytest.fixture
def bundle(told: Told, tmp_path: Path) -> Path:
    return told.export(out=tmp_path / "docs.tar.gz").path


def packed(files: dict[str, bytes], path: Path, *, entries: tuple[str, ...] = ()) -> Path:
    """Write a tar of these files, and of entries of kinds that no bundle has."""
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for name, content in files.items():
            entry = tarfile.TarInfo(name)
            entry.size = len(content)
            tar.addfile(entry, io.BytesIO(content))
        for name in entries:
            entry = tarfile.TarInfo(name)
            entry.type, entry.linkname = tarfile.SYMTYPE, "/etc/passwd"
            tar.addfile(entry)
    path.write_bytes(gzip.compress(plain.getvalue(), mtime=0))
    return path


def signed_anew(files: dict[str, bytes], key: Key) -> dict[str, bytes]:
    """Return the files with a manifest of their own, signed by somebody else."""
    files = {**files, "key.json": json.dumps(key.public).encode()}
    manifest = json.loads(files["manifest.json"])
    manifest["key"] = key.thumbprint
    manifest["files"] = {
        name: {"sha256": hashlib.sha256(content).hexdigest(), "bytes": len(content)}
        for name, content in files.items()
        if not name.startswith("manifest.")
    }
    files["manifest.json"] = rfc8785.dumps(manifest)
    files["manifest.jws"] = key.sign(files["manifest.json"]).encode()
    return files


def test_sources_and_answers_are_in_it_as_figures_without_a_text(
    told: Told, bundle: Path
) -> None:
    files = told.files(bundle)
    (one,) = json.loads(files["evaluations.json"])
    assert [figure["measure"] for figure in one["citations"]["figures"]] == [
        "CitationF1@5",
        "CitationP@5",
        "CitationR@5",
    ]
    assert one["grounding"]["judge"] == "lexical"
    assert one["grounding"]["candidate"]["answers"] == 8
    assert one["grounding"]["worse"] == []
    assert not any(ANSWER.encode() in content for content in files.values())
    included = told.export(out=bundle.with_name("with.tar.gz"), include_queries=True).path
    assert not any(ANSWER.encode() in one for one in told.files(included).values())


def test_a_bundle_verifies_where_it_was_made_and_elsewhere_by_its_key(
    told: Told, bundle: Path, tmp_path: Path
) -> None:
    own = verify(bundle, home=told.home)
    assert (own.trusted_by, own.bundle.manifest["move"]) == ("workspace", 3)
    assert own.bundle.audit_records > 3
    assert verify(bundle).trusted_by == ""
    key = tmp_path / "key.json"
    key.write_text(json.dumps(told.repoint.evidence.key().public), encoding="utf-8")
    assert verify(bundle, key=key).trusted_by == "given"
    key.write_text(json.dumps(Key(OKPKey.generate_key("Ed25519")).public), encoding="utf-8")
    assert verify(bundle, key=key, home=told.home).trusted_by == ""


def test_the_same_evidence_gives_the_same_bytes(told: Told, tmp_path: Path) -> None:
    one = told.export(out=tmp_path / "one.tar.gz")
    two = told.export(out=tmp_path / "two.tar.gz")
    assert one.manifest_sha256 == two.manifest_sha256
    assert one.path.read_bytes() == two.path.read_bytes()
    assert not told.export(out=tmp_path / "one.tar.gz").written


def test_it_holds_what_explains_the_move(told: Told, bundle: Path) -> None:
    files = told.files(bundle)
    for name in ("move", "moves", "findings", "evaluations", "policy", "log", "holds", "audit"):
        assert f"{name}.json" in files
    releases = {name for name in files if name.startswith("releases/")}
    assert releases == {"releases/v1.json", "releases/v2.json"}
    actions = [one.get("action") for one in json.loads(files["audit.json"])]
    assert actions[-1] == "verify-rollback"
    assert {"promote", "rollback"} <= set(actions)
    assert "export-evidence" not in actions
    findings = json.loads(files["findings.json"])
    assert {"processes", "golden"} <= {one["check"] for one in findings["findings"]}
    assert {one["name"]: one["watermark"] for one in findings["releases"]} == {
        "v1": len(WORDS),
        "v2": len(WORDS),
    }
    assert json.loads(files["holds.json"])[0]["release"] == "v2"
    assert json.loads(files["evaluations.json"])[0]["figures"]


def test_it_holds_no_text_no_question_no_vector_and_no_secret(told: Told, bundle: Path) -> None:
    everything = b"\n".join(told.files(bundle).values()).decode()
    for word in WORDS:
        assert f"{word} grows" not in everything
    assert "pa55word" not in everything
    assert "***@models.example" in everything
    assert '"vector"' not in everything
    private = json.loads((told.home / KEY_FILE).read_text(encoding="utf-8"))["d"]
    assert private not in everything
    assert "somebody else's affair" not in everything


def test_document_ids_are_at_most_in_the_sentence_of_a_finding(
    told: Told, bundle: Path
) -> None:
    for name, content in told.files(bundle).items():
        if name not in {"findings.json", "summary.html", "move.json", "moves.json"}:
            named = [word for word in WORDS if f"doc-{word}" in content.decode()]
            assert not named or name == "audit.json", name


def test_questions_are_in_it_only_where_they_were_asked_for(
    told: Told, bundle: Path, tmp_path: Path
) -> None:
    assert "queries.json" not in told.files(bundle)
    made = told.export(out=tmp_path / "asked.tar.gz", include_queries=True)
    files = told.files(made.path)
    assert len(json.loads(files["queries.json"])["items@2"]) == 8
    assert verify(made.path).bundle.manifest["queries_included"] is True
    assert any("known" in one or "queries" in one for one in told.export().missing)


def test_the_page_is_whole_by_itself_and_escapes_what_people_wrote(
    told: Told, bundle: Path
) -> None:
    page = told.files(bundle)["summary.html"].decode()
    assert "docs went back from v2 to v1" in page
    assert "&lt;b&gt;bad&lt;/b&gt; &amp; worse" in page
    assert "<b>bad" not in page
    for outside in ("src=", "href=", "@import", "url("):
        assert outside not in page


def test_a_promotion_and_a_diagnosis_are_evidence_too(tmp_path: Path) -> None:
    home = tmp_path / "ws"
    filled(home)
    with Repoint.open(home, keep_in_step=False) as repoint:
        here = Told(repoint, home)
        assert any("diagnosis" in one for one in here.export(3).missing)
        assert here.files(here.export(2).path)["move.json"].startswith(b"{")
        repoint.index("docs").diagnose("v2")
        made = here.export(3, out=tmp_path / "with.tar.gz")
        content = json.loads(here.files(made.path)["diagnosis.json"])
    assert content["release"] == "v2"
    assert verify(made.path, home=home).trusted_by == "workspace"


def test_what_never_happened_has_no_evidence(told: Told) -> None:
    with pytest.raises(NotFoundError) as caught:
        told.export(9)
    assert caught.value.known == ["1", "2", "3"]
    with pytest.raises(NotFoundError):
        told.repoint.evidence.export("nosuch", 1)


def test_another_file_is_never_overwritten(told: Told, tmp_path: Path) -> None:
    mine = tmp_path / "thesis.tar.gz"
    mine.write_text("ten years of work", encoding="utf-8")
    with pytest.raises(AlreadyExistsError):
        told.export(out=mine)
    assert mine.read_text(encoding="utf-8") == "ten years of work"
    with pytest.raises(StoreUnavailableError):
        told.export(out=tmp_path / "thesis.tar.gz" / "inside.tar.gz")


def test_telemetry_is_in_it_epoch_by_epoch_and_adds_up(tmp_path: Path) -> None:
    home = tmp_path / "ws"
    filled(home)
    with Repoint.open(home, keep_in_step=False) as repoint:
        here = Told(repoint, home)
        assert any("telemetry" in one for one in here.export(3).missing)
        moves = {int(one.after.epoch): one.at for one in repoint.index("docs").history()}
        put(repoint, "v1", moves[1], [2.0] * 100)
        put(repoint, "v1", moves[1] - timedelta(seconds=4), [2.0])  # not over when it began
        put(repoint, "v1", moves[1] - timedelta(days=3), [9.0])  # before the story
        put(repoint, "v2", moves[2], [2.0, 4.0, 400.0], failed=2)
        put(repoint, "v1", moves[3] + timedelta(minutes=3), [3.0])
        made = here.export(3, out=tmp_path / "with.tar.gz")
        files = here.files(made.path)
    assert not any("telemetry" in one for one in made.missing)
    before, bad, after = json.loads(files["telemetry.json"])
    assert [one["epoch"] for one in (before, bad, after)] == [1, 2, 3]
    (served,) = before["arms"]
    assert (served["release"], served["counts"]) == ("v1", {"queries": 101})
    assert bad["arms"][0]["counts"] == {"failed": 2, "queries": 5}
    assert bad["arms"][0]["errors"] == {"rate-limited": 2}
    total = bad["arms"][0]["stages"]["total"]
    assert (total["count"], total["p99_ms"]) == (3, pytest.approx(400.0, rel=0.01))
    whole = Histogram.from_tree(total["histogram"])
    whole.merge(Histogram.from_tree(served["stages"]["total"]["histogram"]))
    assert whole.count == 104
    assert whole.quantile(0.5) == pytest.approx(2.0, rel=0.01)
    page = files["summary.html"].decode()
    assert "Live queries, epoch by epoch" in page
    assert "rate-limited 2" in page
    assert verify(made.path, home=home).trusted_by == "workspace"
    forged = {**files, "telemetry.json": files["telemetry.json"].replace(b"101", b"999")}
    with pytest.raises(BrokenEvidenceError, match=r"telemetry\.json was changed"):
        verify(packed(forged, tmp_path / "forged.tar.gz"))


def put(
    repoint: Repoint, release: str, at: datetime, total_ms: list[float], *, failed: int = 0
) -> None:
    """Store what a process would have counted in the ten seconds that begin then."""
    tally = Tally()
    tally.counts[Count.QUERIES] = len(total_ms) + failed
    if failed:
        tally.counts[Count.FAILED] = failed
        tally.errors["rate-limited"] = failed
    for value in total_ms:
        tally.measure(Stage.TOTAL, value)
    period = Period(
        index=IndexName("docs"),
        release=ReleaseName(release),
        arm=Arm.ACTIVE,
        starts_at=at,
        width=timedelta(seconds=10),
    )
    with repoint.session.store.begin() as tx:
        tx.telemetry.put([Measured(period=period, process=ProcessId("p"), tally=tally)])


# Tampering


def changed(
    name: str, old: bytes, new: bytes
) -> Callable[[dict[str, bytes]], dict[str, bytes]]:
    def change(files: dict[str, bytes]) -> dict[str, bytes]:
        assert old in files[name]
        return {**files, name: files[name].replace(old, new)}

    return change


TAMPERED: dict[str, Callable[[dict[str, bytes]], dict[str, bytes]]] = {
    "a figure": changed("findings.json", b'"ok"', b'"OK"'),
    "the page": changed("summary.html", b"v2", b"v3"),
    "an audit record": changed("audit.json", b"worse", b"great"),
    "the manifest": changed("manifest.json", b'"move":3', b'"move":4'),
    "the signature": changed("manifest.jws", b".", b".A"),
    "the key": lambda files: {
        **files,
        "key.json": json.dumps(Key(OKPKey.generate_key("Ed25519")).public).encode(),
    },
    "a file is gone": lambda files: {
        name: content for name, content in files.items() if name != "policy.json"
    },
    "the manifest is gone": lambda files: {
        name: content for name, content in files.items() if name != "manifest.json"
    },
    "a file more": lambda files: {**files, "note.json": b"{}"},
    "a path that leaves": lambda files: {**files, "../../evil.json": b"{}"},
    "a path from the root": lambda files: {**files, "/tmp/evil.json": b"{}"},  # noqa: S108 - never made
    "a hidden name": lambda files: {**files, ".bashrc": b"x"},
    "no JSON": lambda files: {**files, "manifest.json": b"{"},
}


@pytest.mark.parametrize("how", TAMPERED)
def test_a_bundle_that_was_changed_is_found(
    told: Told, bundle: Path, tmp_path: Path, how: str
) -> None:
    broken = packed(TAMPERED[how](told.files(bundle)), tmp_path / "broken.tar.gz")
    with pytest.raises(BrokenEvidenceError):
        verify(broken, home=told.home)
    assert not (tmp_path.parent / "evil.json").exists()


def test_a_chain_that_was_changed_is_found_even_if_it_was_signed_anew(
    told: Told, bundle: Path, tmp_path: Path
) -> None:
    mallory = Key(OKPKey.generate_key("Ed25519"))
    files = told.files(bundle)
    whole = packed(signed_anew(files, mallory), tmp_path / "whole.tar.gz")
    assert verify(whole, home=told.home).trusted_by == ""

    def without(place: int) -> bytes:
        records = json.loads(files["audit.json"])
        del records[place]
        return json.dumps(records).encode()

    other = files["audit.json"].replace(b'"actor": "', b'"actor": "not-')
    for content in (other, without(1), without(2)):
        forged = signed_anew({**files, "audit.json": content}, mallory)
        with pytest.raises(BrokenEvidenceError, match="audit chain"):
            verify(packed(forged, tmp_path / "forged.tar.gz"))


def test_a_link_a_repetition_and_a_flood_are_refused(
    told: Told, bundle: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    files = told.files(bundle)
    with pytest.raises(BrokenEvidenceError, match="no file that a bundle holds"):
        verify(packed(files, tmp_path / "link.tar.gz", entries=("releases/v9.json",)))
    twice = tmp_path / "twice.tar.gz"
    plain = io.BytesIO()
    with tarfile.open(fileobj=plain, mode="w") as tar:
        for _ in range(2):
            entry = tarfile.TarInfo("policy.json")
            entry.size = 2
            tar.addfile(entry, io.BytesIO(b"{}"))
    twice.write_bytes(gzip.compress(plain.getvalue()))
    with pytest.raises(BrokenEvidenceError, match="twice"):
        verify(twice)
    monkeypatch.setattr("repoint.wiring.bundle._LARGEST", 100)
    with pytest.raises(BrokenEvidenceError, match="too much"):
        verify(bundle)


def test_what_stands_behind_its_end_is_found(bundle: Path, tmp_path: Path) -> None:
    whole = bundle.read_bytes()
    hidden = tmp_path / "hidden.tar.gz"
    for more in (whole, gzip.compress(b"\0" * 2_000_000 + b"unsigned")):
        hidden.write_bytes(whole + more)  # `tar --ignore-zeros` unpacks it
        with pytest.raises(BrokenEvidenceError, match="behind its end"):
            verify(hidden)
    hidden.write_bytes(whole + b"\0" * 512)  # what tapes and some copies leave
    assert verify(hidden).bundle.files > 1


def test_what_is_no_bundle_is_said_so(bundle: Path, tmp_path: Path) -> None:
    for name, content in {
        "text": b"hello",
        "cut": bundle.read_bytes()[:400],
        "empty": b"",
        "zipped wrong": bundle.read_bytes()[:100] + b"\xff" * 400,
    }.items():
        path = tmp_path / name
        path.write_bytes(content)
        with pytest.raises(BadInputError, match="no bundle"):
            verify(path)
    with pytest.raises(BadInputError, match="no file"):
        verify(tmp_path / "nosuch")
    bad = tmp_path / "bad-key.json"
    for text in (
        "{}",
        "[]",
        "[" * 100_000,
        "no",
        '{"crv": "Ed25519", "kty": "OKP", "x": "short"}',
    ):
        bad.write_text(text, encoding="utf-8")
        with pytest.raises(BadInputError, match="no Ed25519 key"):
            verify(bundle, key=bad)


# The key


def test_the_key_is_made_once_and_only_its_owner_may_read_it(tmp_path: Path) -> None:
    first = signing.workspace_key(tmp_path)
    assert stat.S_IMODE((tmp_path / KEY_FILE).stat().st_mode) == 0o600
    assert signing.workspace_key(tmp_path).thumbprint == first.thumbprint
    assert sorted(path.name for path in tmp_path.iterdir()) == [KEY_FILE]
    assert "d" not in first.public


def test_a_key_that_cannot_be_read_is_said_so(tmp_path: Path) -> None:
    (tmp_path / KEY_FILE).write_text("{}", encoding="utf-8")
    with pytest.raises(BadInputError, match="holds no key"):
        signing.workspace_key(tmp_path)
    assert signing.known_key(tmp_path / "elsewhere") is None
    with pytest.raises(StoreUnavailableError):
        signing.workspace_key(tmp_path / "nosuch")


def test_a_release_that_is_held_is_not_dropped_before_somebody_lifts_it(told: Told) -> None:
    found: Json = [one.release for one in told.repoint.index("docs").status().holds]
    assert found == ["v2"]
