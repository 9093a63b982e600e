from __future__ import annotations

from dataclasses import fields
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from repoint.domain.errors import BadSpecError
from repoint.domain.policy import BUILT_IN, GATES, LatencyGate, Policy, RelevanceGate
from repoint.wiring.policy_file import dump_policy, load_policy
from repoint.wiring.policy_model import SECTIONS, PolicyFile

FULL = """
queries: clinic
expires_hours: 24
max_lag: 10
inconclusive: warn
gates:
  - {gate: relevance, measure: nDCG@5, tolerance: 0.01, groups: true, minimum_queries: 30}
  - {gate: recall, measure: R@50, minimum: 0.7}
  - {gate: index-recall, k: 5, minimum: 0.9}
  - {gate: latency, p95_ms: 40, p95_ratio: 1.5}
  - {gate: cost, ratio: 2, storage_ratio: 1.6}
  - {gate: lost-documents, share: 0.1}
  - {gate: empty-answers}
"""


def test_a_policy_is_read_with_every_default_and_written_back() -> None:
    policy = load_policy(FULL)
    assert [gate.gate for gate in policy.gates] == list(GATES)
    assert policy.gates[0] == RelevanceGate(
        measure="nDCG@5", tolerance=0.01, groups=True, minimum_queries=30
    )
    assert policy.gates[3] == LatencyGate(p95_ms=40.0, p95_ratio=1.5)
    assert not policy.inconclusive_refuses
    assert load_policy(dump_policy(policy)) == policy
    assert load_policy(dump_policy(BUILT_IN)) == BUILT_IN


def test_the_written_form_has_the_domain_s_gates_fields_and_defaults() -> None:
    for section, (name, kind) in zip(SECTIONS, GATES.items(), strict=True):
        known = dict(section.model_fields)
        assert known.pop("gate").annotation.__args__ == (name,)  # type: ignore[union-attr]  # a literal's
        assert {n: f.default for n, f in known.items()} == {
            f.name: f.default for f in fields(kind)
        }
    mine = {f.name: f.default for f in fields(Policy) if f.name != "inconclusive_refuses"}
    theirs = {n: f.default for n, f in PolicyFile.model_fields.items() if n != "inconclusive"}
    assert theirs.pop("gates") is PydanticUndefined
    mine.pop("gates")
    assert theirs == mine


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("gates: []", "gates: "),
        ("queries: x", "gates: is needed"),
        ("- 3", "keys with values"),
        ("gates: [{gate: relevence}]", "line 1: gates[0]: names no gate"),
        ("gates:\n  - {gate: recall, minimum: 2}", "line 2: gates[0].minimum: "),
        ("gates: [{gate: cost}]", "names no limit"),
        ("gates: [{gate: latency, p95: 3}]", "gates[0].p95: there is no such key"),
        (
            "gates: [{gate: relevance, measure: MAP@3}]",
            "gates[0].measure: 'MAP@3' is no measure",
        ),
        ("max_lag: -1\ngates: [{gate: relevance}]", "line 1: max_lag: "),
    ],
)
def test_a_mistake_is_named_with_its_line_and_field(text: str, said: str) -> None:
    with pytest.raises(BadSpecError) as caught:
        load_policy(text)
    assert said in caught.value.message


def test_a_file_is_named_in_errors(tmp_path: Path) -> None:
    with pytest.raises(BadSpecError, match="nosuch"):
        load_policy(tmp_path / "nosuch.yaml")
