"""Two thousand documents of a team's files, whose texts stay there."""

from __future__ import annotations

import json
from collections.abc import Mapping
from datetime import timedelta
from pathlib import Path
from typing import Final

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from repoint import Repoint
from repoint.demo import models
from repoint.domain.source import FileSettings
from repoint.operations.promote import PromoteOptions

ROWS: Final = 2_000
UNMEASURED: Final = PromoteOptions(
    without_evaluation="a test", ack_timeout=timedelta(seconds=5)
)
pytestmark = [pytest.mark.models, pytest.mark.slow]


def _written(folder: Path, texts: Mapping[str, str]) -> None:
    """Write half as JSON lines and half as Parquet of several row groups."""
    names = list(texts)
    lines = [{"_id": one, "text": texts[one], "kind": "note"} for one in names[:1_000]]
    (folder / "1.jsonl").write_text("".join(json.dumps(one) + "\n" for one in lines))
    rest = names[1_000:]
    columns = {"id": rest, "text": [texts[one] for one in rest], "kind": ["note"] * len(rest)}
    pq.write_table(pa.table(columns), folder / "2.parquet", row_group_size=300)


def test_forward_edits_and_back_with_texts_that_stay_in_their_files(tmp_path: Path) -> None:
    folder, home = tmp_path / "dump", tmp_path / "home"
    folder.mkdir()
    texts = {
        f"n{n}": f"a private remark on case {n}: tablets of {n * 7} milligrams"
        for n in range(ROWS)
    }
    _written(folder, texts)
    with Repoint.init(home) as opened:
        docs = opened.create_index("docs")
        docs.feeding.add("dump", FileSettings(folder=str(folder), by_reference=True))
        assert docs.feeding.poll("dump").written == ROWS
        for stage in (models.V1, models.V2):
            docs.create_release(stage.release, models.load(stage))
            assert docs.sync(stage.release).embedded == ROWS
            docs.promote(stage.release, reason="it is better", options=UNMEASURED)
        texts |= {f"n{n}": f"{texts[f'n{n}']}, edited" for n in range(960, 1_040)}
        texts["n1500"] = "zebra crossing"
        for number in range(20):
            del texts[f"n{number}"]
        _written(folder, texts)
        report = docs.feeding.poll("dump", sweep=True)
        assert (report.written, report.swept) == (81, 20)
        texts["n1501"] = "a gnu, which no poll has seen"
        _written(folder, texts)
        rolled = docs.rollback(reason="it is worse")
        assert rolled.verified, [f.summary for f in rolled.findings if f.status != "ok"]
        assert docs.feeding.poll("dump").written == 1
        for name in ("v1", "v2"):
            docs.sync(name)
            assert docs.diff(name).clean
        for words, name in (("zebra crossing", "n1500"), ("a gnu", "n1501")):
            hit = docs.search(words, k=1).hits[0]
            assert (hit.document, hit.text) == (name, texts[name])
        assert all(one.document in texts for one in docs.search("case 3", k=50).hits)
    inside = [
        path
        for path in home.rglob("*")
        if path.is_file() and "collections" not in path.relative_to(home).parts
    ]
    assert any(path.name.endswith(".db") for path in inside)
    for path in inside:
        content = path.read_bytes()
        assert b"a private remark" not in content, path
        assert b"zebra" not in content, path
