from __future__ import annotations

from dataclasses import MISSING, fields
from datetime import timedelta
from pathlib import Path

import pytest
from pydantic_core import PydanticUndefined

from repoint.domain.errors import BadSpecError
from repoint.domain.policy import (
    BUILT_IN,
    GATES,
    LatencyGate,
    Policy,
    RelevanceGate,
    as_tree,
    from_tree,
)
from repoint.domain.triggers import TRIGGERS, UNRULED
from repoint.wiring import trigger_model
from repoint.wiring.policy_file import dump_policy, load_policy
from repoint.wiring.policy_model import SECTIONS, PolicyFile

FULL = """
queries: clinic
expires_hours: 24
max_lag: 10
inconclusive: warn
gates:
  - {gate: relevance, measure: nDCG@5, tolerance: 0.01, groups: true, minimum_queries: 30}
  - {gate: citations, measure: CitationR@3}
  - {gate: groundedness, judge: lexical, minimum: 0.6, groups: true}
  - {gate: recall, measure: R@50, minimum: 0.7}
  - {gate: index-recall, k: 5, minimum: 0.9}
  - {gate: latency, p95_ms: 40, p95_ratio: 1.5}
  - {gate: cost, ratio: 2, storage_ratio: 1.6}
  - {gate: lost-documents, share: 0.1}
  - {gate: empty-answers}
"""

WATCHED = """
gates: [{gate: relevance}]
readiness: {max_age: 24h}
guard: {queries: clinic, every: 90s, rollbacks: 2, false_alarm: 0.005}
triggers:
  - {trigger: relevance, groups: true, tolerance: 0.03}
  - {trigger: citations, measure: CitationP@5}
  - {trigger: groundedness, judge: gpt, minimum: 0.7, window: 2h, no_data: fail}
  - {trigger: index-recall, then: freeze}
  - {trigger: latency, p95_ratio: 2, window: 10m}
  - {trigger: cost, ratio: 1.5}
  - {trigger: provider-errors, share: 0.02, in_a_row: 2}
  - {trigger: missing-documents, lag: 1000}
  - {trigger: empty-answers, no_data: fail}
  - {trigger: search-probes}
  - {trigger: model-drift, error_limit: 3}
  - {trigger: canary, false_alarm: 0.005, failed: 0.02, then: freeze}
  - {trigger: prometheus, name: p95, url: "http://127.0.0.1:9090", query: up, below: 1}
  - {trigger: alert, alert: SearchIsSlow, labels: {index: docs}}
"""
TRIGGERED = "gates: [{{gate: relevance}}]\ntriggers: [{}]"


def test_a_policy_is_read_with_every_default_and_written_back() -> None:
    policy = load_policy(FULL)
    assert [gate.gate for gate in policy.gates] == list(GATES)
    assert policy.gates[0] == RelevanceGate(
        measure="nDCG@5", tolerance=0.01, groups=True, minimum_queries=30
    )
    assert policy.gates[5] == LatencyGate(p95_ms=40.0, p95_ratio=1.5)
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
    nested = {"inconclusive", "inconclusive_refuses", "guard", "readiness"}
    mine = {f.name: f.default for f in fields(Policy) if f.name not in nested}
    theirs = {n: f.default for n, f in PolicyFile.model_fields.items() if n not in nested}
    assert theirs.pop("gates") is PydanticUndefined
    mine.pop("gates")
    assert theirs == mine


def test_the_written_form_has_the_domain_s_triggers_fields_and_defaults() -> None:
    for section, (name, kind) in zip(trigger_model.SECTIONS, TRIGGERS.items(), strict=True):
        known = dict(section.model_fields)
        assert known.pop("trigger").annotation.__args__ == (name,)  # type: ignore[union-attr]  # a literal's
        theirs = {n: f.get_default(call_default_factory=True) for n, f in known.items()}
        assert theirs == {
            f.name: {}
            if f.default_factory is dict
            else PydanticUndefined
            if f.default is MISSING
            else f.default
            for f in fields(kind)
        }
    assert trigger_model.GuardSection().rules() == UNRULED


def test_a_policy_with_every_trigger_is_read_and_written_back() -> None:
    policy = load_policy(WATCHED)
    assert [one.trigger for one in policy.triggers] == list(TRIGGERS)
    assert policy.readiness == timedelta(hours=24)
    assert policy.guard.every == timedelta(seconds=90)
    assert policy.guard.cool_down == UNRULED.cool_down
    assert load_policy(dump_policy(policy)) == policy
    assert from_tree(as_tree(policy)) == policy


def test_a_policy_that_was_stored_before_there_were_triggers_declares_none() -> None:
    tree = as_tree(BUILT_IN)
    for name in ("readiness", "guard", "triggers"):
        del tree[name]
    assert from_tree(tree) == BUILT_IN


@pytest.mark.parametrize(
    ("text", "said"),
    [
        (
            "gates: [{gate: relevance}]\ntriggers:\n  - {trigger: relevence}",
            "line 3: triggers[0]: names no trigger",
        ),
        (
            "gates: [{gate: relevance}]\ntriggers:\n  - trigger: latency\n    p95_ms: -1",
            "line 4: triggers[0].p95_ms: ",
        ),
        (TRIGGERED.format("{trigger: latency}"), "names no limit"),
        (TRIGGERED.format("{trigger: cost}"), "names no limit"),
        (TRIGGERED.format("{trigger: groundedness, tolerance: null}"), "names no limit"),
        (TRIGGERED.format("{trigger: groundedness}"), "no query set is named"),
        (TRIGGERED.format("{trigger: citations, measure: F1}"), "'F1' is no measure"),
        (TRIGGERED.format("{trigger: latency, p95_ms: 9, window: 15}"), "is a duration"),
        (TRIGGERED.format("{trigger: latency, p95_ms: 9, window: 0s}"), "out of bounds"),
        (TRIGGERED.format("{trigger: relevance, measure: best}"), "'best' is no measure"),
        (TRIGGERED.format("{trigger: relevance, then: panic}"), "triggers[0].then: "),
        (TRIGGERED.format("{trigger: alert}"), "triggers[0].alert: is needed"),
        (
            TRIGGERED.format("{trigger: prometheus, name: p, url: 'x', query: q, above: 1}"),
            "triggers[0].url: ",
        ),
        (
            TRIGGERED.format(
                "{trigger: prometheus, name: p, url: 'http://a:b@c', query: q, above: 1}"
            ),
            "token_env",
        ),
        *(
            (
                TRIGGERED.format(
                    f"{{trigger: prometheus, name: p, url: '{url}', query: q, above: 1}}"
                ),
                "triggers[0].url: ",
            )
            for url in ("http://c:abc", "http://c:99999", "http://c d", "http://[::1")
        ),
        (
            TRIGGERED.format("{trigger: prometheus, name: p, url: 'http://c', query: q}"),
            "above or below",
        ),
        (
            TRIGGERED.format("{trigger: model-drift}, {trigger: model-drift}"),
            "triggers[1]: is a second 'model-drift'",
        ),
        (
            TRIGGERED.format("{trigger: model-drift}, {trigger: index-recall}"),
            "triggers[1]: index-recall asks benchmark questions, and no query set is named",
        ),
        (
            TRIGGERED.format("{trigger: latency, of: benchmark, p50_ms: 1}"),
            "no query set is named",
        ),
        ("gates: [{gate: relevance}]\nreadiness: {max_age: soon}", "readiness.max_age: "),
        ("gates: [{gate: relevance}]\nguard: {rollbacks: -1}", "line 2: guard.rollbacks: "),
    ],
)
def test_a_mistake_in_a_trigger_is_named_with_its_line_and_field(text: str, said: str) -> None:
    with pytest.raises(BadSpecError) as caught:
        load_policy(text)
    assert said in f"{caught.value.message} {caught.value.hint}"


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
