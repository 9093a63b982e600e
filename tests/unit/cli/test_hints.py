"""What commands say to type next, and what they warn of."""

import json

from tests.unit.cli.conftest import GOOD_SPEC, OTHER_SPEC, Shell

GATES = "gates: [{gate: relevance}]\n"


def test_a_hint_repeats_the_workspace_that_was_given(docs: Shell) -> None:
    home = str(docs.home)
    said = docs.ok("--home", home, "index", "create", "more")
    assert f"  -> next: repoint --home {home} ingest more corpus.jsonl" in said
    said = docs.ok("release", "create", "docs", "v1", "--spec", docs.file("s", GOOD_SPEC))
    assert "  -> next: repoint sync docs v1 --plan" in said
    said = docs.ok("init", "--home", str(docs.folder / "an other"))
    assert f"-> next: repoint --home '{docs.folder}/an other' index create docs" in said


def test_a_version_of_a_query_set_is_named_wherever_a_set_is(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.corpus(30))
    docs.release("v1", GOOD_SPEC)
    docs.ok("promote", "docs", "v1")
    docs.release("v2", OTHER_SPEC)
    docs.ok("queries", "known-items", "docs", "garden", "--count", "20")
    docs.run("evaluate", "docs", "v1", "--queries", "garden", "--save-as", "june")
    docs.ok("queries", "known-items", "docs", "garden", "--count", "25", "--seed", "1")

    said = docs.refused(
        4, "evaluate", "docs", "v2", "--queries", "garden", "--baseline", "june"
    )
    assert "--queries garden@1" in said
    result = docs.run(
        "evaluate", "docs", "v2", "--queries", "garden@1", "--baseline", "june", "--json"
    )
    assert json.loads(result.stdout)["evaluation"]["version"] == 1
    shown = docs.json("queries", "show", "docs", "garden@1")
    assert (shown["version"], shown["queries"]) == (1, 20)
    assert "garden@7" in docs.refused(3, "evaluate", "docs", "v2", "--queries", "garden@7")
    for wrong in ("garden@", "garden@x", "garden@0", "@1", "two words"):
        docs.refused(3, "evaluate", "docs", "v2", "--queries", wrong)
    docs.refused(3, "queries", "known-items", "docs", "garden@3")


def test_a_policy_names_a_query_set_that_can_be_and_warns_of_one_that_is_not(
    docs: Shell,
) -> None:
    def setting(name: str) -> list[str]:
        return ["policy", "set", "docs", docs.file("p.yaml", f"queries: {name}\n{GATES}")]

    assert "'no name'" in docs.refused(3, *setting("'no name'"))
    assert "policy 0" in docs.ok("policy", "show", "docs")

    said = docs.ok(*setting("clinic"))
    assert "there is no query set 'clinic' yet" in said
    docs.ok("queries", "add", "docs", "clinic", "--from", docs.file("q.txt", "one\n"))
    assert "there is no query set" not in docs.ok(*setting("clinic"))
    assert "there is no query set" not in docs.ok(*setting("clinic@1"))
    assert "'clinic@2'" in docs.ok(*setting("clinic@2"))


def test_judgements_of_documents_that_are_not_there_are_counted(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.corpus(5))
    docs.ok("queries", "add", "docs", "asked", "--from", docs.file("q.txt", "one\ntwo\n"))
    said = docs.ok("queries", "judge", "docs", "asked", "line-1", "d3", "1")
    assert "are not in docs" not in said
    said = docs.ok("queries", "judge", "docs", "asked", "line-1", "nosuch", "1")
    assert "1 of the judged or cited documents are not in docs" in said
    docs.ok("delete", "docs", "d3")
    more = docs.json("queries", "judge", "docs", "asked", "line-2", "d4", "1")
    assert more["unknown_documents"] == 2


def test_a_release_compared_with_itself_is_not_recommended(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.corpus(30))
    docs.release("v1", GOOD_SPEC)
    docs.ok("promote", "docs", "v1")
    docs.ok("queries", "known-items", "docs", "items", "--count", "25")
    docs.ok("policy", "set", "docs", docs.file("p.yaml", "gates: [{gate: empty-answers}]"))

    said = docs.ok("evaluate", "docs", "v1", "--queries", "items", "--baseline", "v1")

    assert "promote" not in said


def test_an_acceptance_before_any_promotion_says_what_is_missing(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.corpus(3))
    docs.release("v1", GOOD_SPEC)
    said = docs.refused(3, "accept", "docs", "v1")
    assert "nothing was promoted yet" in said
    assert "None" not in said


def test_a_question_has_a_bound(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.corpus(3))
    docs.release("v1", GOOD_SPEC)
    docs.ok("promote", "docs", "v1")
    said = docs.refused(3, "search", "docs", "word " * 20_001)
    assert "100,005 characters, more than 100,000" in said


def test_index_names_that_differ_only_in_case_are_refused(docs: Shell) -> None:
    said = docs.refused(3, "index", "create", "Docs")
    assert "'docs' differs from 'Docs' only in case" in said
    assert "Docs" not in docs.ok("index", "list")
    docs.ok("index", "create", "Docs2")


def test_the_policy_of_a_rollout_is_shown(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.corpus(30))
    docs.release("v1", GOOD_SPEC)
    docs.ok("promote", "docs", "v1")
    docs.ok("policy", "set", "docs", docs.file("p.yaml", GATES))
    docs.release("v2", OTHER_SPEC)
    docs.ok("queries", "known-items", "docs", "items", "--count", "25")
    docs.run("evaluate", "docs", "v2", "--queries", "items")

    assert "rollout of v2: preparing, judged by policy 1" in docs.ok("status", "docs")
    assert "v2 is judged by policy 1" in docs.ok("runs", "list", "docs")


def test_questions_without_judgements_are_inconclusive_and_can_be_overridden(
    docs: Shell,
) -> None:
    docs.ok("ingest", "docs", docs.corpus(30))
    docs.release("v1", GOOD_SPEC)
    docs.ok("promote", "docs", "v1")
    docs.release("v2", OTHER_SPEC)
    docs.ok("policy", "set", "docs", docs.file("p.yaml", GATES))
    docs.ok("abort", "docs")
    docs.release("v3", OTHER_SPEC)
    log = docs.file("log.txt", "number 3\nnumber 4\n")
    docs.ok("queries", "add", "docs", "log", "--from", log)

    result = docs.run("evaluate", "docs", "v3", "--queries", "log")

    assert result.exit_code == 3
    assert "inconclusive" in result.stdout
    assert "no judged query" in result.stdout
    docs.refused(3, "promote", "docs", "v3")
    docs.ok("promote", "docs", "v3", "--without-evaluation", "nobody judged them yet")


def test_a_lost_collection_is_noticed_and_made_again(docs: Shell) -> None:
    docs.ok("ingest", "docs", docs.corpus(30))
    for name, spec in (("v1", GOOD_SPEC), ("v2", OTHER_SPEC), ("v3", OTHER_SPEC)):
        docs.release(name, spec)
        if name != "v3":
            reason = ("--without-evaluation", "a test") if name == "v2" else ()
            docs.ok("promote", "docs", name, *reason)
    for folder in (docs.home / "collections" / "lancedb").iterdir():
        for file in sorted(folder.rglob("*"), reverse=True):
            file.unlink() if file.is_file() else file.rmdir()
        folder.rmdir()

    said = docs.run("check", "docs").stdout
    assert "standby:v3:open" in said
    assert "repoint diff docs v3 --repair" in said
    docs.refused(6, "diff", "docs", "v3")
    for name in ("v3", "v2", "v1"):
        said = docs.ok("diff", "docs", name, "--repair")
        assert f"{name}: 30 documents were written again" in said
        assert "all agree" in docs.ok("diff", "docs", name)
    assert "answered by v2" in docs.ok("search", "docs", "number 3", "-k", "1")
