"""Each claim holds on a good story, and fails on one that is broken in one place."""

from dataclasses import replace

from tests.unit.demo.scenes import (
    APPLIED,
    EXPECTED,
    NEWEST,
    RELEASES,
    STANDING,
    TURNS,
    WRITES,
    A,
    B,
    asked,
)

from repoint.demo import claims
from repoint.demo.claims import Claims, Standing
from repoint.demo.records import Asked, Seen


def _mixed(*answers: Asked) -> list[str]:
    return claims.mixed_space(answers, releases=RELEASES, expected=EXPECTED)


def _resurrected(*answers: Asked, standing: Standing = STANDING) -> list[str]:
    return claims.resurrected(WRITES, answers, applied=APPLIED, standing=standing)


def _stale(*answers: Asked) -> list[str]:
    return claims.stale(WRITES, answers, applied=APPLIED, turns=TURNS)


def test_a_good_story_breaks_no_claim() -> None:
    good = asked()
    assert not _mixed(good)
    assert not _resurrected(good)
    assert not _stale(good)
    assert not claims.failed([good])
    assert not claims.lost(NEWEST, STANDING)
    assert Claims().hold


def test_any_broken_claim_means_that_not_all_hold() -> None:
    names = ("mixed_space", "failed", "lost", "resurrected", "stale", "other")
    assert not any(Claims(**{name: ["broken"]}).hold for name in names)


def test_an_answer_stamped_with_another_release_than_the_pointers_is_mixed() -> None:
    assert _mixed(asked(epoch=2))


def test_a_score_that_the_releases_own_model_does_not_give_is_mixed() -> None:
    assert _mixed(asked(hits=(Seen(document=A, lsn=13, score=0.4),)))


def test_a_hit_that_nobody_wrote_is_mixed() -> None:
    assert _mixed(asked(hits=(Seen(document=A, lsn=99, score=0.8),)))


def test_a_question_without_an_answer_is_failed() -> None:
    assert claims.failed([asked(error="unavailable: no")])


def test_a_write_that_is_not_in_the_log_is_lost() -> None:
    assert claims.lost(NEWEST, replace(STANDING, log={B: None}))


def test_an_edit_whose_content_the_log_does_not_have_is_lost() -> None:
    assert claims.lost(NEWEST, replace(STANDING, log={A: (13, "other"), B: None}))


def test_a_delete_that_is_not_in_the_log_is_lost() -> None:
    whole = {A: STANDING.log[A]}
    assert claims.lost(NEWEST, replace(STANDING, log=whole))
    assert claims.lost(NEWEST, replace(STANDING, log={**whole, B: (12, "x")}))


def test_a_write_that_one_release_lacks_or_has_in_an_older_version_is_lost() -> None:
    for held in ({}, {A: 11}):
        assert claims.lost(NEWEST, replace(STANDING, collections={"v1": {A: 13}, "v2": held}))


def test_a_write_that_search_does_not_find_is_lost() -> None:
    assert claims.lost(NEWEST, replace(STANDING, found={A: False}))


def test_a_deleted_document_in_an_answer_came_back_once_its_delete_was_applied() -> None:
    shown = (Seen(document=B, lsn=12, score=0.1),)
    assert _resurrected(asked(hits=shown))
    assert not _resurrected(asked(hits=shown, began=1.5))  # not applied yet


def test_a_deleted_document_in_a_collection_came_back() -> None:
    held = {"v1": {A: 13}, "v2": {A: 13, B: 12}}
    assert _resurrected(standing=replace(STANDING, collections=held))


def test_an_older_version_of_an_edited_document_is_out_of_date() -> None:
    shown = (Seen(document=A, lsn=11, score=0.8),)
    assert _stale(asked(hits=shown))
    assert not _stale(asked(hits=shown, began=1.5))  # not applied yet


def test_an_answer_of_the_release_before_a_completed_move_is_out_of_date() -> None:
    assert _stale(asked(began=3.5))
    assert not _stale(asked(began=2.9))  # the move was under way
