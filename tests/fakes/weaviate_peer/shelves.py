"""The classes, aliases and objects of the fake, and what filters make of them."""

import json
import math
import operator
import re
import threading
from collections import Counter
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass, field
from typing import TypeAlias
from uuid import UUID

import numpy as np
import numpy.typing as npt
from weaviate.proto.v1 import base_pb2

from repoint.domain.document import Json

Value: TypeAlias = str | float | bool
Vector: TypeAlias = npt.NDArray[np.float32]
Ops: TypeAlias = "base_pb2.Filters.Operator"

_WORD = re.compile(r"[^\W_]+")
_ORDERS: Mapping[int, Callable[[Value, Value], bool]] = {
    base_pb2.Filters.OPERATOR_EQUAL: operator.eq,
    base_pb2.Filters.OPERATOR_LESS_THAN: operator.lt,
    base_pb2.Filters.OPERATOR_LESS_THAN_EQUAL: operator.le,
    base_pb2.Filters.OPERATOR_GREATER_THAN: operator.gt,
    base_pb2.Filters.OPERATOR_GREATER_THAN_EQUAL: operator.ge,
}
#: What Weaviate takes off the ends of a text that is one token.
SPACE = "\t\n\v\f\r \x85\xa0\u1680\u2028\u2029\u202f\u205f\u3000" + "".join(
    map(chr, range(0x2000, 0x200B))
)


class Refusal(Exception):  # noqa: N818 - it is an answer
    """What the server says no with: an HTTP status, and a sentence."""

    def __init__(self, status: int, message: str) -> None:
        super().__init__(message)
        self.status = status


@dataclass(kw_only=True)
class Stored:
    """One object."""

    uuid: UUID
    properties: dict[str, Value]
    vectors: dict[str, Vector]


@dataclass(kw_only=True)
class Class:
    """One class: its configuration as JSON, and its objects by tenant and id."""

    config: dict[str, Json]
    objects: dict[str, dict[UUID, Stored]] = field(default_factory=dict)

    @property
    def name(self) -> str:
        return str(self.config["class"])

    @property
    def has_tenants(self) -> bool:
        tenancy = self.config.get("multiTenancyConfig")
        return isinstance(tenancy, dict) and tenancy.get("enabled") is True

    @property
    def vectors(self) -> dict[str, dict[str, Json]]:
        found = self.config.get("vectorConfig")
        return found if isinstance(found, dict) else {}  # type: ignore[return-value]

    @property
    def properties(self) -> list[dict[str, Json]]:
        found = self.config.setdefault("properties", [])
        assert isinstance(found, list)
        return found  # type: ignore[return-value]

    def kind(self, name: str) -> str | None:
        for one in self.properties:
            if one["name"] == name:
                kinds = one["dataType"]
                assert isinstance(kinds, list)
                return str(kinds[0])
        return None

    @property
    def has_unnamed(self) -> bool:
        """Whether its only vectors have no name, as those of older clients."""
        return not self.vectors

    def index(self, vector: str) -> dict[str, Json]:
        """Return how a vector's index is made."""
        found = self.config if self.has_unnamed else self.vectors[vector]
        index = found["vectorIndexConfig"]
        assert isinstance(index, dict)
        return index

    def patch(self, place: UUID, sent: Mapping[str, Json]) -> None:
        """Change what is named of an object, and nothing else; null takes a value away."""
        held = self.share("").get(place)
        if held is None:
            raise Refusal(404, "")
        properties, vectors = sent.get("properties") or {}, sent.get("vectors") or {}
        assert isinstance(properties, dict)
        assert isinstance(vectors, dict)
        for name, value in properties.items():
            if self.kind(name) is None:
                raise Refusal(422, f"the fake makes no property by itself: {name}")
            held.properties.pop(name, None)
            if isinstance(value, str | float | int | bool):
                held.properties[name] = value
        if "vector" in sent:
            vectors = {**vectors, "": sent["vector"]}
        for name, values in vectors.items():
            held.vectors[name] = np.asarray(values, dtype=np.float32)

    def tokenization(self, name: str) -> str:
        return next(
            str(one.get("tokenization")) for one in self.properties if one["name"] == name
        )

    def share(self, tenant: str) -> dict[UUID, Stored]:
        if not self.has_tenants:
            if tenant:
                raise Refusal(422, f"class {self.name} has multi-tenancy disabled")
            return self.objects.setdefault("", {})
        if tenant not in self.objects:
            raise Refusal(422, f"tenant not found: {tenant!r}")
        return self.objects[tenant]


class Shelves:
    """Everything that the fake server holds."""

    def __init__(self) -> None:
        self.lock = threading.RLock()
        self.classes: dict[str, Class] = {}
        self.aliases: dict[str, str] = {}
        #: How many times a follower does not know yet what its leader made.
        self.behind = 0
        #: How many times a shard says that it is indexing, as with ``ASYNC_INDEXING``.
        self.indexing = 0

    def resolved(self, name: str) -> Class:
        """Return a class by its name or an alias of it."""
        name = self.aliases.get(name, name)
        if name not in self.classes:
            raise Refusal(404, f"could not find class {name} in schema")
        return self.classes[name]

    def make(self, config: dict[str, Json]) -> Class:
        name = capital(str(config["class"]))
        similar = [one for one in self.classes if one.lower() == name.lower()]
        if similar:
            raise Refusal(422, f'class already exists: found similar class "{similar[0]}"')
        if name in self.aliases:
            raise Refusal(422, f"alias name {name} already exists")
        made = Class(config=json.loads(json.dumps({**config, "class": name})))
        self.classes[name] = made
        return made

    def alias(self, alias: str, target: str, *, new: bool) -> None:
        alias, target = capital(alias), capital(target)
        if self.behind > 0:
            self.behind -= 1
            raise Refusal(422, f'validation: target class "{target}" does not exist')
        if re.fullmatch("[A-Z][_0-9A-Za-z]{0,254}", alias) is None:
            raise Refusal(422, f"validation: '{alias}' is not a valid alias name")
        if not new and alias not in self.aliases:
            raise Refusal(404, "")
        if target not in self.classes:
            raise Refusal(422, f'validation: target class "{target}" does not exist')
        if new and alias in self.classes:
            raise Refusal(500, f"create alias: class {alias} already exists")
        if new and alias in self.aliases:
            raise Refusal(422, f"create alias: {alias}, alias already exists")
        self.aliases[alias] = target


def capital(name: str) -> str:
    """Return a name as the server spells it."""
    return name[:1].upper() + name[1:]


def passing(
    kind: Class, objects: Iterable[Stored], filter_: base_pb2.Filters | None
) -> list[Stored]:
    """Return the objects that a filter lets pass."""
    if filter_ is None:
        return list(objects)
    return [one for one in objects if _passes(kind, one, filter_)]


def words(text: str) -> list[str]:
    """Return the words of a text, as the tokenization ``word`` finds them."""
    return [found.lower() for found in _WORD.findall(text)]


def ranked(objects: list[Stored], text: str, name: str) -> list[tuple[float, Stored]]:
    """Return who has some of the words, by BM25 over one property, best first."""
    texts = {one.uuid: Counter(words(str(one.properties.get(name, "")))) for one in objects}
    held = [one for one in objects if texts[one.uuid]]
    mean = sum(sum(texts[one.uuid].values()) for one in held) / max(len(held), 1)
    found = []
    for one in held:
        counted, score = texts[one.uuid], 0.0
        for word in set(words(text)):
            having = sum(1 for other in held if texts[other.uuid][word])
            rarity = math.log(1 + (len(held) - having + 0.5) / (having + 0.5))
            much, length = counted[word], sum(counted.values())
            score += rarity * much * 2.2 / (much + 1.2 * (0.25 + 0.75 * length / mean))
        if score > 0:
            found.append((score, one))
    return sorted(found, key=lambda pair: -pair[0])


def _passes(kind: Class, one: Stored, filter_: base_pb2.Filters) -> bool:
    asked = filter_.operator
    if asked == base_pb2.Filters.OPERATOR_AND:
        return all(_passes(kind, one, part) for part in filter_.filters)
    if asked == base_pb2.Filters.OPERATOR_OR:
        return any(_passes(kind, one, part) for part in filter_.filters)
    if asked == base_pb2.Filters.OPERATOR_NOT:
        return not _passes(kind, one, filter_.filters[0])
    return _meets(kind, one, filter_)


def _meets(kind: Class, one: Stored, filter_: base_pb2.Filters) -> bool:
    name, asked = filter_.target.property, filter_.operator
    if name == "_id":
        among = {filter_.value_text, *filter_.value_text_array.values}
        return str(one.uuid) in among
    data = kind.kind(name)
    if data is None:
        raise Refusal(422, f"no such prop with name '{name}' found in class '{kind.name}'")
    held = one.properties.get(name)
    if held is None:
        return False
    if asked == base_pb2.Filters.OPERATOR_CONTAINS_ANY:
        if data == "text" and kind.tokenization(name) == "word":
            texts = filter_.value_text_array.values
            return any(set(words(text)) <= set(words(str(held))) for text in texts)
        return held in {*filter_.value_text_array.values, *filter_.value_int_array.values}
    value = getattr(filter_, filter_.WhichOneof("test_value") or "")
    if data == "text":
        held, value = str(held).strip(SPACE), str(value).strip(SPACE)
        return _ORDERS[asked](held.encode(), value.encode())  # type: ignore[arg-type]
    return _ORDERS[asked](held, value)
