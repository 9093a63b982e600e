"""A team with a table of its own in a folder of LanceDB."""

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

import lancedb
import numpy as np
import pyarrow as pa

from repoint.backends.lancedb import LanceBackend
from repoint.ports.adoption import Wish
from repoint.ports.backend import Backend
from repoint.testing.team import DIMENSIONS, TeamRow

SCHEMA = pa.schema(
    [
        pa.field("id", pa.string(), nullable=False),
        pa.field("body", pa.string(), nullable=False),
        pa.field("topic", pa.string()),
        pa.field("number", pa.int64()),
        pa.field("note", pa.string()),
        pa.field("vector", pa.list_(pa.float32(), DIMENSIONS), nullable=False),
    ]
)


class LanceTeam:
    """The team's own code: the synchronous API that most people use."""

    wish = Wish(
        collection="articles", id_field="id", text_field="body", metadata=("topic", "number")
    )

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.opened: list[LanceBackend] = []

    @property
    def table(self) -> str:
        return f'kind = "lancedb"\nurl = "{self.folder}"'

    def backend(self) -> Backend:
        self.opened.append(LanceBackend(self.folder))
        return self.opened[-1]

    def put(self, rows: Iterable[TeamRow]) -> None:
        given = list(rows)
        db = lancedb.connect(str(self.folder))
        there = (self.folder / "articles.lance").is_dir()
        table = (
            db.open_table("articles") if there else db.create_table("articles", schema=SCHEMA)
        )
        flat = np.concatenate([one.vector for one in given])
        own = pa.schema([field for field in SCHEMA if field.name != "note"])
        data = pa.table(
            [
                [one.id for one in given],
                [one.body for one in given],
                [one.topic for one in given],
                [one.number for one in given],
                pa.FixedSizeListArray.from_arrays(pa.array(flat), DIMENSIONS),
            ],
            schema=own,
        )
        merging = table.merge_insert("id").when_matched_update_all()
        merging.when_not_matched_insert_all().execute(data)

    def delete(self, ids: Sequence[str]) -> None:
        names = ", ".join(f"'{name}'" for name in ids)
        lancedb.connect(str(self.folder)).open_table("articles").delete(f"id IN ({names})")

    def rows(self) -> Mapping[str, TeamRow]:
        table = lancedb.connect(str(self.folder)).open_table("articles")
        return {
            row["id"]: TeamRow(
                id=row["id"],
                body=row["body"],
                topic=row["topic"] or "",
                number=row["number"],
                vector=np.array(row["vector"], dtype=np.float32),
            )
            for row in table.to_arrow().to_pylist()
        }

    def close(self) -> None:
        for backend in self.opened:
            backend.close()
