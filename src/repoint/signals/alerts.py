"""Alerts as they are sent: by Alertmanager's webhook, or one by one in the plain form.

{"alert": "SearchIsSlow", "status": "firing", "labels": {"index": "docs"}}
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Final, TypeGuard

from repoint.domain.document import Json
from repoint.domain.errors import BadInputError
from repoint.domain.guarding import Alert

_STATES: Final = ("firing", "resolved")
_LONGEST_NAME: Final = 200
_MOST: Final = 1_000


def read_alerts(body: bytes, *, now: datetime) -> list[Alert]:
    """Return the alerts of a request.

    Raises:
        BadInputError: it is none; the error says what is missing.
    """
    try:
        tree: Json = json.loads(body)
    except (ValueError, RecursionError) as error:
        raise BadInputError("the request is no JSON") from error
    if not isinstance(tree, dict):
        raise BadInputError("the request is no JSON object")
    if "alert" in tree:
        return [_alert(tree, name=tree["alert"], now=now)]
    listed = tree.get("alerts")
    if not isinstance(listed, list) or len(listed) > _MOST:
        raise BadInputError(
            "the request has no list of alerts",
            hint='send what Alertmanager sends, or {"alert": "NAME", "status": "firing"}',
        )
    found = []
    for one in listed:
        if not isinstance(one, dict):
            raise BadInputError("an alert is no JSON object")
        found.append(_alert(one, name=_labels(one).get("alertname"), now=now))
    return found


def _alert(tree: Mapping[str, Json], *, name: Json, now: datetime) -> Alert:
    if not isinstance(name, str) or not 0 < len(name) <= _LONGEST_NAME:
        raise BadInputError("an alert has no name", hint="its label alertname, or alert")
    if not name.isprintable():
        raise BadInputError(f"the name {name!r} of an alert is not one line of printable text")
    status = tree.get("status")
    if status not in _STATES:
        raise BadInputError(f"the alert {name!r} is {status!r}", hint=f"one of {_STATES}")
    labels = _labels(tree)
    given = tree.get("fingerprint")
    return Alert(
        fingerprint=given if _is_fingerprint(given) else _fingerprint(name, labels),
        name=name,
        labels=labels,
        firing=status == "firing",
        started_at=_moment(tree.get("startsAt"), otherwise=now),
        received_at=now,
    )


def _is_fingerprint(given: Json) -> TypeGuard[str]:
    return isinstance(given, str) and 0 < len(given) <= _LONGEST_NAME and given.isprintable()


def _labels(tree: Mapping[str, Json]) -> dict[str, str]:
    labels = tree.get("labels", {})
    if not isinstance(labels, dict) or not all(isinstance(o, str) for o in labels.values()):
        raise BadInputError("the labels of an alert are no texts by name")
    return {name: str(value) for name, value in labels.items()}


def _moment(given: Json, *, otherwise: datetime) -> datetime:
    if not isinstance(given, str):
        return otherwise
    try:
        found = datetime.fromisoformat(given)
        return (found if found.tzinfo else found.replace(tzinfo=UTC)).astimezone(UTC)
    except (ValueError, OverflowError) as error:
        raise BadInputError(
            f"{given[:60]!r} is no moment", hint="as RFC 3339 has it"
        ) from error


def _fingerprint(name: str, labels: Mapping[str, str]) -> str:
    text = json.dumps([name, sorted(labels.items())], ensure_ascii=False)
    return hashlib.sha256(text.encode("utf-8", "surrogatepass")).hexdigest()[:16]
