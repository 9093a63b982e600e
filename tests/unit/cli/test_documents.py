"""Documents in: streams, bad lines named, nothing written twice, nothing half done."""

import gzip
import json
from pathlib import Path

from tests.unit.cli.conftest import GOOD_SPEC, Shell


def test_repeating_an_ingest_changes_nothing(docs: Shell) -> None:
    corpus = docs.corpus(25)
    assert docs.json("ingest", "docs", corpus)["written"] == 25
    again = docs.json("ingest", "docs", corpus)
    assert (again["written"], again["unchanged"], again["head"]) == (0, 25, 25)


def test_a_malformed_line_is_named_and_says_what_to_type(docs: Shell) -> None:
    path = docs.file("bad.jsonl", '{"_id": "1", "text": "one"}\n{"_id": "2", "text": \n')
    said = docs.refused(3, "ingest", "docs", path)
    assert "bad.jsonl, line 2" in said
    assert "--skip-bad-lines" in said


def test_an_id_that_stands_twice_in_a_file_is_named(docs: Shell) -> None:
    line = json.dumps({"_id": "1", "text": "one"})
    path = docs.file("twice.jsonl", f"{line}\n{line}\n")
    assert "line 2: the id '1' stands already in line 1" in docs.refused(
        3, "ingest", "docs", path
    )


def test_bad_lines_are_left_out_and_kept_with_their_reason(docs: Shell) -> None:
    good, bad = '{"_id": "1", "text": "one"}', b'{"_id": "2", "text": "\xff"}'
    path = docs.file("some.jsonl", f"{good}\nno json\n".encode() + bad + b"\n")
    rejects = docs.folder / "left-out.jsonl"
    done = docs.json("ingest", "docs", path, "--skip-bad-lines", "--rejects", str(rejects))
    assert (done["written"], done["rejected"]) == (1, 2)
    rows = [json.loads(line) for line in rejects.read_text(encoding="utf-8").splitlines()]
    assert [row["line"] for row in rows] == [2, 3]
    assert rows[0]["raw"] == "no json"
    assert all(row["why"] for row in rows)


def test_standard_input_is_json_lines(docs: Shell) -> None:
    docs.ok("ingest", "docs", "-", stdin=b'{"_id": "1", "text": "one"}\n')
    assert docs.json("status", "docs")["head"] == 1


def test_lines_before_the_start_line_are_skipped(docs: Shell) -> None:
    assert docs.json("ingest", "docs", docs.corpus(10), "--start-line", "8")["written"] == 3


def test_a_start_line_for_several_files_is_a_misuse(docs: Shell) -> None:
    path = docs.corpus(3)
    docs.refused(2, "ingest", "docs", path, path, "--start-line", "2")


def test_csv_and_packed_files_are_read_by_their_names(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.file("a.csv", "id,text,lang\n1,one,en\n2,two,de\n"))
    packed = docs.folder / "b.jsonl.gz"
    packed.write_bytes(gzip.compress(b'{"_id": "3", "text": "three"}\n'))
    docs.ok("ingest", "docs", str(packed))
    assert docs.json("status", "docs")["head"] == 3


def test_a_file_that_is_not_there_is_said_to_be_missing(docs: Shell) -> None:
    assert "there is no file" in docs.refused(3, "ingest", "docs", "nowhere.jsonl")


def test_waiting_for_all_returns_when_every_live_release_has_it(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.corpus(5))
    docs.release("v1", GOOD_SPEC)
    more = docs.file("more.jsonl", '{"_id": "new", "text": "a fresh word: quokka"}\n')
    done = docs.json("ingest", "docs", more, "--wait", "all")
    assert done["lag"] == {"v1": 0}
    hits = docs.json("search", "docs", "quokka", "-k", "1", "--release", "v1")["hits"]
    assert isinstance(hits, list)
    assert isinstance(hits[0], dict)
    assert hits[0]["id"] == "new"


def test_waiting_for_a_paused_release_is_refused_with_the_way_out(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.corpus(5))
    docs.release("v1", GOOD_SPEC)
    docs.ok("sync", "docs", "v1", "--pause")
    said = docs.refused(3, "delete", "docs", "d1", "--wait", "all")
    assert "--resume" in said


def test_a_delete_says_how_many_documents_were_not_there(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.corpus(3))
    done = docs.json("delete", "docs", "d1", "nobody")
    assert (done["deleted"], done["absent"]) == (1, 1)


def test_a_writer_that_waits_for_nobody_says_who_is_behind(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.corpus(5))
    docs.release("v1", GOOD_SPEC)
    docs.ok("sync", "docs", "v1", "--pause")
    said = docs.ok("delete", "docs", "d1")
    assert "not searchable everywhere yet: v1 by 1" in said
    assert "repoint worker docs" in said


def test_rejects_that_cannot_be_written_are_an_error(docs: Shell) -> None:
    path = docs.file("bad.jsonl", "no json\n")
    nowhere = str(Path(docs.folder) / "no" / "such" / "folder.jsonl")
    said = docs.refused(3, "ingest", "docs", path, "--skip-bad-lines", "--rejects", nowhere)
    assert "--rejects FILE" in said


def test_a_field_of_another_type_is_a_bad_line_like_any_other(shell: Shell) -> None:
    shell.ok("init")
    shell.ok("index", "create", "docs")
    rows = [{"_id": f"d{n}", "text": f"text {n}", "metadata": {"n": n}} for n in range(2_500)]
    rows[2_100]["metadata"] = {"n": "many"}
    file = shell.file("typed.jsonl", "".join(json.dumps(row) + "\n" for row in rows))

    said = shell.refused(3, "ingest", "docs", file)

    assert "typed.jsonl, line 2101: document 'd2100': field 'n' is text here" in said
    assert "2,000 documents before it are in the log" in said
    rejects = str(shell.folder / "rejects.jsonl")
    done = shell.json("ingest", "docs", file, "--skip-bad-lines", "--rejects", rejects)
    assert (done["written"], done["unchanged"], done["rejected"]) == (499, 2_000, 1)
    assert json.loads(Path(rejects).read_text("utf-8"))["line"] == 2101
