"""What a team's collection is made of: its fields, its key, and what may stand in them."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Final

from pymilvus import DataType, MilvusClient

from repoint.backends.milvus.engine import TIMEOUT_S
from repoint.domain.adoption import Field, FieldKind

#: Milvus' own name of the field that holds what the schema does not name.
DYNAMIC: Final = "$meta"
#: What a field of a type is, and how many bytes it has.
KINDS: Final = {
    DataType.BOOL: (FieldKind.BOOLEAN, None),
    DataType.INT8: (FieldKind.INTEGER, 1),
    DataType.INT16: (FieldKind.INTEGER, 2),
    DataType.INT32: (FieldKind.INTEGER, 4),
    DataType.INT64: (FieldKind.INTEGER, 8),
    DataType.FLOAT: (FieldKind.NUMBER, 4),
    DataType.DOUBLE: (FieldKind.NUMBER, 8),
    DataType.JSON: (FieldKind.JSON, None),
}
_VECTORS: Final = frozenset(
    {
        DataType.FLOAT_VECTOR,
        DataType.BINARY_VECTOR,
        DataType.FLOAT16_VECTOR,
        DataType.BFLOAT16_VECTOR,
        DataType.SPARSE_FLOAT_VECTOR,
    }
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Column:
    """One field of a collection's schema."""

    name: str
    type: DataType
    parameters: Mapping[str, object]
    is_key: bool = False
    #: The database makes its values: keys, or the output of a function.
    made: bool = False
    #: A row may be without one.
    optional: bool = False

    @property
    def is_vector(self) -> bool:
        """Whether it holds vectors."""
        return self.type in _VECTORS

    def field(self) -> Field | None:
        """Return it as a field that holds texts or metadata; None where it cannot."""
        required = not self.optional
        if self.type == DataType.VARCHAR:
            return Field(
                name=self.name,
                kind=FieldKind.TEXT,
                required=required,
                size=int(str(self.parameters["max_length"])),
                in_bytes=True,
            )
        if self.type not in KINDS:
            return None
        kind, size = KINDS[self.type]
        return Field(name=self.name, kind=kind, required=required, size=size)


@dataclass(frozen=True, slots=True, kw_only=True)
class Schema:
    """What a collection is made of."""

    columns: Mapping[str, Column]
    #: It takes keys that the schema does not name.
    dynamic: bool

    @staticmethod
    def of(client: MilvusClient, collection: str) -> Schema:
        """Return a collection's schema."""
        described = client.describe_collection(collection, timeout=TIMEOUT_S)
        columns = [_column(one) for one in described["fields"] if not one.get("is_dynamic")]
        return Schema(
            columns={one.name: one for one in columns},
            dynamic=bool(described.get("enable_dynamic_field")),
        )

    @property
    def key(self) -> Column:
        """The primary key."""
        return next(one for one in self.columns.values() if one.is_key)

    @property
    def key_field(self) -> Field:
        """The primary key, as expressions take it."""
        whole = self.key.type == DataType.INT64
        kind = FieldKind.INTEGER if whole else FieldKind.TEXT
        return Field(name=self.key.name, kind=kind, required=True)

    def read(self) -> list[str]:
        """Return the fields of a row besides its vectors."""
        named = [name for name, one in self.columns.items() if not one.is_vector]
        return [*named, *([DYNAMIC] if self.dynamic else [])]

    def dimensions(self, vector: str) -> int:
        """Return the length of the vectors."""
        return int(str(self.columns[vector].parameters["dim"]))


def _column(described: Mapping[str, object]) -> Column:
    parameters = described.get("params")
    is_key = bool(described.get("is_primary"))
    return Column(
        name=str(described["name"]),
        type=DataType(described["type"]),
        parameters=parameters if isinstance(parameters, Mapping) else {},
        is_key=is_key,
        made=bool(described.get("is_function_output"))
        or (is_key and bool(described.get("auto_id"))),
        optional=bool(described.get("nullable")) or described.get("default_value") is not None,
    )
