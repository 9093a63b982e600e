"""The reference page of the HTTP API, from its own OpenAPI document."""

from __future__ import annotations

import json
from typing import Final, cast

from repoint.domain.document import Json
from repoint.http.app import Running, described_app
from repoint.http.values import ChangedBody

_TOP: Final = """# HTTP API

`repoint serve` answers these. The same as OpenAPI: `GET /v1/openapi.json`. How to use it:
[serve clients that search by themselves](../how-to/route-clients.md) and
[feed an index](../how-to/sources.md). Keys go into
`Authorization: Bearer KEY`. Errors are `application/problem+json` with repoint's
[codes](errors.md); their HTTP statuses stand there. Within `/v1` paths, parameters, fields and
their kinds stay; new ones may join.
"""


#: Read by hand, within a bound, so that the document has it inline.
_NAMED: Final = cast("dict[str, Json]", ChangedBody.model_json_schema())
_CHANGES: Final = ("PushedBody", "ChangedBody", "PolledBody")


def http_reference() -> str:
    """Return the page."""
    document = cast("dict[str, Json]", described_app(Running()).openapi())
    parts = [_TOP]
    for path, methods in _object(document["paths"]).items():
        for method, operation in _object(methods).items():
            parts.append(_operation(f"{method.upper()} {path}", _object(operation)))
    shapes = _object(_object(document["components"])["schemas"])
    parts.append("## Shapes\n")
    for name in ("RouteBody", "ModelBody", "AckBody", "AckedBody", *_CHANGES, "HealthBody"):
        named = _object(shapes.get(name)) or _NAMED
        shape = json.dumps(named["properties"], indent=2)
        parts.append(f"### {name}\n\n```json\n{shape}\n```\n")
    return "\n".join(parts)


def _operation(title: str, operation: dict[str, Json]) -> str:
    lines = [f"## `{title}`", f"{operation['summary']}.", str(operation["description"])]
    parameters = [_object(one) for one in _list(operation.get("parameters"))]
    if parameters:
        rows = [
            f"| `{one['name']}` | {one['in']} | {'yes' if one['required'] else 'no'} "
            f"| {one.get('description', '')} |"
            for one in parameters
        ]
        lines.append(
            "\n".join(["| parameter | in | needed | meaning |", "|---|---|---|---|", *rows])
        )
    statuses = [
        f"| {status} | {_object(answer).get('description', '')} |"
        for status, answer in _object(operation["responses"]).items()
    ]
    lines.append("\n".join(["| status | meaning |", "|---|---|", *statuses]))
    return "\n\n".join(lines) + "\n"


def _object(value: Json) -> dict[str, Json]:
    return value if isinstance(value, dict) else {}


def _list(value: Json) -> list[Json]:
    return value if isinstance(value, list) else []
