from dataclasses import replace
from datetime import UTC, datetime

import pytest

from repoint.domain.audit import GENESIS, AuditRecord, Outcome, chained
from repoint.domain.errors import BrokenAuditError
from repoint.domain.evidence import chain, follow, names_a_password, without_secrets
from repoint.domain.ids import Actor, IndexName

NOW = datetime(2026, 11, 25, tzinfo=UTC)


def records(*indexes: str) -> list[AuditRecord]:
    made: list[AuditRecord] = []
    for number, index in enumerate(indexes, start=1):
        made.append(
            chained(
                sequence=number,
                at=NOW,
                actor=Actor("ana"),
                action="promote",
                index=index,
                outcome=Outcome.DONE,
                reason="",
                details={"epoch": number},
                previous=made[-1].digest if made else GENESIS,
            )
        )
    return made


def test_a_url_with_a_password_is_told_from_one_without() -> None:
    for text in ("see postgresql://ana:pa55@db/x", "https://:t@h", "redis://u:a:b@h:1"):
        assert names_a_password(text)
    for text in ("", "http://h:9090/", "http://u@h/", "http://h:3000?by=ana@h", "a://b c:d@e"):
        assert not names_a_password(text)


def test_users_and_passwords_of_urls_and_named_secrets_are_hidden() -> None:
    assert without_secrets(
        {
            "location": "postgresql://ana:pa55@db.example/x",
            "many": ["http://u@h/", "http://h/"],
            "api_key": "sk-1",
            "auth-token": "t",
            "client_secret": "s",
            "password": "p",
            "empty_key": "",
            "max_tokens": 5,
            "api_key_env": "OPENAI_API_KEY",
            "keyboard": "qwertz",
        }
    ) == {
        "location": "postgresql://***@db.example/x",
        "many": ["http://***@h/", "http://h/"],
        "api_key": "***",
        "auth-token": "***",
        "client_secret": "***",
        "password": "***",
        "empty_key": "",
        "max_tokens": 5,
        "api_key_env": "OPENAI_API_KEY",
        "keyboard": "qwertz",
    }


def test_of_other_indexes_only_the_links_are_told() -> None:
    told = chain(records("docs", "other", "docs"), index=IndexName("docs"))
    shown = [sorted(one) for one in told if isinstance(one, dict)]
    assert "reason" in shown[0]
    assert shown[1] == ["digest", "previous", "sequence"]


def test_a_chain_is_followed_through_links_and_whole_records() -> None:
    one, two, three = records("docs", "other", "docs")
    assert follow([one, (two.sequence, two.previous, two.digest), three]) == 2
    assert follow([two, three]) == 2
    assert follow([]) == 0


def test_what_was_changed_removed_or_put_in_breaks_it() -> None:
    one, two, three = records("docs", "docs", "docs")
    broken: list[list[AuditRecord | tuple[int, str, str]]] = [
        [replace(one, reason="another"), two, three],
        [one, three],
        [two, one, three],
        [one, (2, one.digest, "0" * 64), three],
        [one, (2, "0" * 64, two.digest), three],
    ]
    for chain_ in broken:
        with pytest.raises(BrokenAuditError):
            follow(chain_)
