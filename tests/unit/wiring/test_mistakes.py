"""Mistakes in files are told in plain words."""

from datetime import timedelta
from pathlib import Path

import pytest

from repoint.domain.errors import BadSpecError
from repoint.wiring.config import read_config
from repoint.wiring.policy_file import load_policy


@pytest.mark.parametrize(
    ("text", "field", "why"),
    [
        ("lease_seconds = 0", "lease_seconds", "must be at least 1, not 0"),
        ("lease_seconds = 9999", "lease_seconds", "must be at most 600, not 9999"),
        ('lease_seconds = "x"', "lease_seconds", "must be a number, not text"),
        ("evidence = 5", "evidence", "must be text, not the number 5"),
        ("nosuch = 5", "nosuch", "there is no such setting"),
        ("store = 5", "store", "must be keys with values, not the number 5"),
        ('[store]\nkind = "mysql"', "store.kind", "must be sqlite or postgres"),
        ('[probes]\nevery = "often"', "probes.every", "a number with s, m or h, as in 10m"),
        ('[probes]\non_drift = "cry"', "probes.on_drift", "must be warn or stop"),
        ("[backends.x]", "backends.x.kind", "is needed"),
        ('[backends.x]\nkind = ""', "backends.x.kind", "is empty"),
        (
            '[backends.x]\nkind = "y"\napi_key_env = "a key!"',
            "backends.x.api_key_env",
            "never write the key itself here",
        ),
        ('[backends."1"]\nkind = "y"', "backends.1.[key]", "must be a letter, then"),
    ],
)
def test_a_setting_that_cannot_be_is_told_in_plain_words(
    tmp_path: Path, text: str, field: str, why: str
) -> None:
    file = tmp_path / "repoint.toml"
    file.write_text(text, encoding="utf-8")

    with pytest.raises(BadSpecError) as caught:
        read_config(file)

    assert caught.value.field == field
    assert why in caught.value.message


def test_the_interval_of_probes_is_a_duration(tmp_path: Path) -> None:
    file = tmp_path / "repoint.toml"
    for text, wanted in {
        "30s": timedelta(seconds=30),
        "10m": timedelta(minutes=10),
        "1h": timedelta(hours=1),
        "0s": timedelta(0),
    }.items():
        file.write_text(f'[probes]\nevery = "{text}"\n', encoding="utf-8")
        assert read_config(file).probes.interval == wanted


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("gates: [{gate: relevance, tolerance: 2}]", "must be at most 1, not 2"),
        ("gates: [{gate: relevance, groups: maybe}]", "must be true or false, not text"),
        ("gates: [{gate: index-recall, k: 1.5}]", "must be a whole number, not the number 1.5"),
        ("gates: []", "must have at least one item"),
        ("inconclusive: sometimes\ngates: [{gate: relevance}]", "must be one of"),
        ("expires_hours: 0\ngates: [{gate: relevance}]", "must be more than 0, not 0"),
    ],
)
def test_a_policy_that_cannot_be_is_told_in_plain_words(text: str, why: str) -> None:
    with pytest.raises(BadSpecError) as caught:
        load_policy(text)

    assert why in caught.value.message
    assert "Input" not in caught.value.message
