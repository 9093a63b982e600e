"""How values become text in the tables and come back the same."""

from __future__ import annotations

import json
from collections.abc import Mapping
from typing import TypeVar

from repoint.domain.document import Json
from repoint.domain.ids import DocumentId
from repoint.domain.operation import Baseline
from repoint.domain.release import Probe, ProbeSet
from repoint.domain.spec import ReleaseSpec, as_tree, from_tree

_Key = TypeVar("_Key", bound=str)


def encode(value: Mapping[_Key, object]) -> str:
    """Return a compact JSON object that people can read: characters stand for themselves."""
    return json.dumps(dict(value), ensure_ascii=False, separators=(",", ":"))


def decode(text: str) -> dict[str, Json]:
    """Return the object that the text holds."""
    value = json.loads(text)
    if not isinstance(value, dict):
        raise TypeError(f"no JSON object: {text[:40]!r}")
    return value


def encode_spec(spec: ReleaseSpec) -> str:
    """Return the spec with every default written out."""
    return encode(as_tree(spec))


def decode_spec(text: str) -> ReleaseSpec:
    """Return the spec that was stored."""
    return from_tree(decode(text), source="the control store")


def encode_probes(probes: ProbeSet) -> str:
    """Return the sentinels with their vectors."""
    return encode(
        {
            "noise_band": probes.noise_band,
            "probes": [
                {"text": p.text, "purpose": p.purpose, "vector": [float(x) for x in p.vector]}
                for p in probes.probes
            ],
        }
    )


def decode_probes(text: str) -> ProbeSet:
    """Return the sentinels that were stored."""
    tree = json.loads(text)
    return ProbeSet(
        probes=tuple(
            Probe(text=p["text"], purpose=p["purpose"], vector=tuple(p["vector"]))
            for p in tree["probes"]
        ),
        noise_band=tree["noise_band"],
    )


def encode_baseline(baseline: Baseline) -> str:
    """Return all but the names and the moment, which are columns."""
    return encode(
        {
            "answers": {query: list(found) for query, found in baseline.answers.items()},
            "expected": dict(baseline.expected),
            "latency_p50_ms": baseline.latency_p50_ms,
            "latency_p95_ms": baseline.latency_p95_ms,
        }
    )


def answers(tree: Mapping[str, list[str]]) -> dict[str, tuple[DocumentId, ...]]:
    """Return a baseline's answers as they were before they became JSON."""
    return {query: tuple(DocumentId(d) for d in found) for query, found in tree.items()}
