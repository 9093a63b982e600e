"""Policies as files: reading them with every default, and writing them."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Final

from pydantic import ValidationError

from repoint.domain.errors import BadInputError, BadSpecError
from repoint.domain.measures import Measure
from repoint.domain.policy import GATES, Policy, as_tree
from repoint.wiring.mistakes import plainly
from repoint.wiring.policy_model import PolicyFile
from repoint.wiring.spec_yaml import Lined, Place, dotted, read_yaml, write_yaml

_SHORTEST: Final = "gates: [{gate: relevance}]"


def load_policy(origin: Path | str, *, source: str = "policy") -> Policy:
    """Return the policy in a file, or in a text that ``source`` names in errors.

    Raises:
        BadSpecError: it cannot be read; the error says where and what to write.
    """
    if isinstance(origin, Path):
        source = str(origin)
        try:
            origin = origin.read_text(encoding="utf-8-sig")
        except OSError as error:
            why = f"cannot be read: {error.strerror or error}"
            raise BadSpecError(source=source, field="", why=why) from error
        except UnicodeDecodeError as error:
            raise BadSpecError(source=source, field="", why="is no UTF-8") from error
    lined = read_yaml(origin, source=source)
    if not isinstance(lined.values, dict):
        why = "a policy is keys with values"
        raise BadSpecError(source=source, field="", why=why, hint=f"the shortest: {_SHORTEST}")
    try:
        policy = PolicyFile.model_validate(lined.values).policy()
    except ValidationError as error:
        raise _explained(error, lined, source=source) from error
    for place, measure in _measures(policy):
        _require_measure(measure, lined, place, source=source)
    return policy


def dump_policy(policy: Policy) -> str:
    """Return the policy as YAML with every default written out; it can be read back."""
    return write_yaml(as_tree(policy))


def _measures(policy: Policy) -> Iterator[tuple[Place, str]]:
    for number, gate in enumerate(policy.gates):
        measure = getattr(gate, "measure", None)
        if measure is not None:
            yield ("gates", number, "measure"), measure
    if policy.bridge is not None:
        yield ("bridge", "measure"), policy.bridge.measure


def _require_measure(text: str, lined: Lined, place: Place, *, source: str) -> None:
    try:
        Measure.parse(text)
    except BadInputError as error:
        line = _line(place, lined)
        field = dotted(place)
        raise BadSpecError(
            source=source, line=line, field=field, why=error.message, hint=error.hint
        ) from error


def _explained(error: ValidationError, lined: Lined, *, source: str) -> BadSpecError:
    """Return the first mistake in the file, and how many follow."""
    mistakes = error.errors(include_url=False)
    # A list that is too short only because an item of it is wrong explains nothing.
    mistakes.sort(
        key=lambda one: (one["type"] == "too_short", _line(_place(one["loc"]), lined))
    )
    first, place = mistakes[0], _place(mistakes[0]["loc"])
    match first["type"]:
        case "extra_forbidden":
            why, hint = "there is no such key", "see the reference of policies"
        case "missing":
            why, hint = "is needed", f"the shortest policy: {_SHORTEST}"
        case "union_tag_invalid" | "union_tag_not_found":
            why, hint = "names no gate", f"gates: {', '.join(GATES)}"
        case "value_error":
            why, hint = str(first["ctx"]["error"]), ""
        case _:
            why, hint = plainly(first), ""
    if len(mistakes) > 1:
        why += f" (and {len(mistakes) - 1} more)"
    line = _line(place, lined)
    return BadSpecError(source=source, line=line, field=dotted(place), why=why, hint=hint)


def _place(loc: tuple[int | str, ...]) -> Place:
    """Leave out the kind of gate, which pydantic puts into the place of what is in it."""
    return tuple(
        part
        for number, part in enumerate(loc)
        if not (number == 2 and loc[0] == "gates")  # noqa: PLR2004 - gates, which one, its kind
    )


def _line(place: Place, lined: Lined) -> int:
    while place not in lined.lines:
        place = place[:-1]
    return lined.lines[place]
