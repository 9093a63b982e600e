"""An answer's id: it says what was given, and nobody can make one up."""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from repoint.domain.answer_id import CREDITED, AnswerId, key_mark, mark, marked
from repoint.domain.errors import BadInputError
from repoint.domain.ids import Epoch, IndexName
from repoint.domain.interleaving import Team
from repoint.domain.telemetry import Arm

DOCS = IndexName("docs")
SECRET = b"secret"


def answer(*documents: str, arm: Arm = Arm.INTERLEAVED) -> AnswerId:
    teams = [Team.ACTIVE if n % 2 else Team.CANDIDATE for n in range(len(documents))]
    return AnswerId(
        index=DOCS,
        since=Epoch(7),
        arm=arm,
        nonce=bytes(range(16)),
        key=key_mark("user-1"),
        teams=marked(documents, teams),
    )


@given(st.lists(st.text(), max_size=70), st.sampled_from([Arm.CANARY, Arm.INTERLEAVED]))
def test_an_id_says_what_it_was_made_of(documents: list[str], arm: Arm) -> None:
    made = answer(*documents, arm=arm)
    assert AnswerId.read(made.written(SECRET), index=DOCS, secret=SECRET) == made
    assert len(made.teams) <= CREDITED


@given(st.data())
def test_an_id_that_was_changed_anywhere_is_none(data: st.DataObject) -> None:
    written = answer("d1", "d2").written(SECRET)
    place = data.draw(st.integers(0, len(written) - 2))  # the last one has unused bits
    other = data.draw(st.sampled_from("ABCxyz019-_").filter(lambda c: c != written[place]))
    changed = written[:place] + other + written[place + 1 :]
    with pytest.raises(BadInputError):
        AnswerId.read(changed, index=DOCS, secret=SECRET)


@given(st.text(max_size=200))
def test_any_other_text_is_none(text: str) -> None:
    with pytest.raises(BadInputError):
        AnswerId.read(text, index=DOCS, secret=SECRET)


def test_an_id_counts_only_for_its_own_index_and_secret() -> None:
    written = answer("d1").written(SECRET)
    for index, secret in ((IndexName("other"), SECRET), (DOCS, b"another")):
        with pytest.raises(BadInputError):
            AnswerId.read(written, index=index, secret=secret)


def test_an_interleaved_answer_counts_once_and_in_an_arm_a_key_does() -> None:
    assert answer().unit != answer(arm=Arm.CANARY).unit
    assert answer(arm=Arm.CANARY).unit == "canary:" + key_mark("user-1").hex()


def test_no_key_and_no_document_can_be_read_from_it() -> None:
    written = answer("secret-document").written(SECRET)
    assert "user-1" not in written
    assert mark("secret-document") != b"secret-document"[:4]
