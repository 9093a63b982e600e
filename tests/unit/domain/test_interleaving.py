"""Team draft: every document once, teams of equal size, and nobody favoured by the coin."""

from collections import Counter

from hypothesis import given
from hypothesis import strategies as st

from repoint.domain.interleaving import Team, coins, preference, team_draft

RANKING = st.lists(st.integers(0, 20), unique=True, max_size=12)
SEED = st.binary(min_size=1, max_size=8)


@given(RANKING, RANKING, st.integers(1, 15), SEED)
def test_the_list_holds_each_document_once_and_nothing_else(
    a: list[int], b: list[int], limit: int, seed: bytes
) -> None:
    picks = team_draft(a, b, limit=limit, coin=coins(seed))
    documents = [pick.document for pick in picks]
    assert len(set(documents)) == len(documents) == min(limit, len({*a, *b}))
    assert set(documents) <= {*a, *b}
    for pick in picks:
        assert pick.team is Team.NOBODY or pick.document in (
            a if pick.team is Team.ACTIVE else b
        )


@given(RANKING, RANKING, st.integers(1, 15), SEED)
def test_the_teams_are_of_equal_size_up_to_the_last_pick(
    a: list[int], b: list[int], limit: int, seed: bytes
) -> None:
    teams = Counter(pick.team for pick in team_draft(a, b, limit=limit, coin=coins(seed)))
    assert abs(teams[Team.ACTIVE] - teams[Team.CANDIDATE]) <= 1


@given(RANKING, SEED)
def test_each_side_s_own_order_is_kept(a: list[int], seed: bytes) -> None:
    b = list(reversed(a))
    picks = team_draft(a, b, limit=20, coin=coins(seed))
    mine = [pick.document for pick in picks if pick.team is Team.ACTIVE]
    assert mine == sorted(mine, key=a.index)


def test_a_coin_decides_who_is_first_and_favours_nobody() -> None:
    firsts = Counter(
        team_draft(["a"], ["b"], limit=1, coin=coins(seed.to_bytes(4, "big")))[0].team
        for seed in range(2_000)
    )
    assert abs(firsts[Team.ACTIVE] - 1_000) < 135  # three standard deviations


def test_where_one_ranking_ends_the_rest_is_nobody_s() -> None:
    picks = team_draft(["a"], ["b", "c", "d"], limit=9, coin=coins(b"x"))
    assert [pick.team for pick in picks[2:]] == [Team.NOBODY] * 2
    assert {pick.document for pick in picks} == {"a", "b", "c", "d"}


def test_credit_goes_to_whose_pick_was_clicked() -> None:
    teams = {"a": Team.ACTIVE, "b": Team.CANDIDATE, "c": Team.NOBODY}
    assert preference(teams, {"b": 1.0}) == 1.0
    assert preference(teams, {"a": 1.0}) == 0.0
    assert preference(teams, {"a": 1.0, "b": 1.0}) == 0.5
    assert preference(teams, {"a": 1.0, "b": 2.0}) == 1.0
    assert preference(teams, {"c": 9.0, "unknown": 9.0}) == 0.5
    assert preference(teams, {}) == 0.5
