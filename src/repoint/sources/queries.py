"""Query sets from files: BEIR folders, queries as JSON lines or text, judgements as TSV.

A line of JSON may carry what its answer should rest on: ``citations``, documents or spans of
them, and ``answer``, the answer itself; beside ``text`` or within ``metadata``.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Final

from repoint.domain.errors import BadInputError, BadLineError, NotFoundError
from repoint.domain.expected import Expected
from repoint.domain.ids import DocumentId, QueryId
from repoint.domain.queries import Query, QuerySetKind, Questions
from repoint.sources.expected import WRITTEN, expected_of

#: Bytes of a query file: far more than any set that one asks one by one.
LARGEST: Final = 64_000_000
#: Where a BEIR folder may keep its judgements.
_QRELS: Final = ("qrels.tsv", "qrels/test.tsv")
#: Grades that trec_eval's own counting stays exact for.
_GRADES: Final = range(101)
_DIGITS: Final = 3
_COLUMNS: Final = (3, 4)


def read_questions(
    origin: Path, *, qrels: Path | None = None, group_field: str = "group"
) -> Questions:
    """Return the queries, groups and judgements of a folder or a file.

    A folder holds ``queries.jsonl`` and, where it has judgements, ``qrels.tsv`` or
    ``qrels/test.tsv``. In a ``.txt`` file each line is a query. With judgements, only the
    queries that were judged, or carry what is expected of them, are kept: a data set's other
    queries belong to other parts.

    Raises:
        NotFoundError: there is no such file.
        BadLineError: a line is no query or no judgement.
    """
    folder = origin if origin.is_dir() else None
    file = folder / "queries.jsonl" if folder is not None else origin
    if folder is not None and qrels is None:
        qrels = next((folder / name for name in _QRELS if (folder / name).is_file()), None)
    expected: dict[QueryId, Expected] = {}
    if file.suffix == ".txt":
        queries = list(_plain(file))
    else:
        queries = list(_json_lines(file, expected, group_field=group_field))
    judgements = {} if qrels is None else read_qrels(qrels)
    known = {query.id for query in queries}
    strange = [query for query in judgements if query not in known]
    if strange:
        raise BadInputError(
            f"{qrels} judges query {strange[0]!r}, which {file} does not have",
            hint=f"{len(strange)} such queries; take both files from the same data set",
        )
    if judgements:
        queries = [one for one in queries if one.id in judgements or one.id in expected]
    return Questions(
        queries=tuple(queries),
        qrels=judgements,
        kind=QuerySetKind.JUDGED if judgements else QuerySetKind.LOG,
        source=file.name if folder is None else folder.name,
        expected=expected,
    )


def read_qrels(file: Path) -> dict[QueryId, dict[DocumentId, int]]:
    """Return judgements: query, document, grade a line; or TREC's with its unused column.

    Raises:
        NotFoundError: there is no such file.
        BadLineError: a line is no judgement, or judges a document twice in two ways.
    """
    found: dict[QueryId, dict[DocumentId, int]] = {}
    for number, line in _lines(file):
        cells = line.split("\t") if "\t" in line else line.split()
        if len(cells) not in _COLUMNS:
            raise BadLineError(
                source=str(file),
                line=number,
                why=f"{len(cells)} columns are no judgement",
                hint="write: query, document, grade; separated by tabs",
            )
        if number == 1 and not cells[-1].strip().lstrip("-").isdigit():
            continue  # BEIR's head line
        query, document, grade = QueryId(cells[0]), DocumentId(cells[-2]), cells[-1].strip()
        if not grade.isdecimal() or len(grade) > _DIGITS or int(grade) not in _GRADES:
            raise BadLineError(
                source=str(file), line=number, why=f"{grade!r} is no grade from 0 to 100"
            )
        judged = found.setdefault(query, {})
        if judged.get(document, int(grade)) != int(grade):
            raise BadLineError(
                source=str(file),
                line=number,
                why=f"document {document!r} has another grade for query {query!r} above",
            )
        judged[document] = int(grade)
    return found


def _plain(file: Path) -> Iterator[Query]:
    seen: set[str] = set()
    for number, line in _lines(file):
        text = " ".join(line.split())
        if text not in seen:  # a log holds the same question often; asking once is enough
            seen.add(text)
            yield Query(id=QueryId(f"line-{number}"), text=text)


def _json_lines(
    file: Path, expected: dict[QueryId, Expected], *, group_field: str
) -> Iterator[Query]:
    """Yield each query, and note what is expected of its answer."""
    seen: set[str] = set()
    for number, line in _lines(file):
        try:
            record = json.loads(line)
        except (ValueError, RecursionError) as error:
            raise BadLineError(source=str(file), line=number, why="is no JSON") from error
        query = _query(record, group_field=group_field)
        if isinstance(query, str):
            raise BadLineError(
                source=str(file),
                line=number,
                why=query,
                hint='write: {"_id": "1", "text": "a question", "metadata": {"group": "…"}}',
            )
        if query.id in seen:
            raise BadLineError(
                source=str(file), line=number, why=f"query {query.id!r} stands twice"
            )
        seen.add(query.id)
        try:
            known = expected_of(record)
        except ValueError as error:
            raise BadLineError(
                source=str(file), line=number, why=str(error), hint=WRITTEN
            ) from error
        if known is not None:
            expected[query.id] = known
        yield query


def _query(record: object, *, group_field: str) -> Query | str:
    """Return the query of a record, or why it is none."""
    if not isinstance(record, Mapping):
        return "is no object"
    name, text = record.get("_id", record.get("id")), record.get("text")
    if not isinstance(name, str) or not name:
        return '"_id" is no text'
    if not isinstance(text, str) or not text.strip():
        return '"text" is no text'
    metadata = record.get("metadata")
    inner = metadata.get(group_field) if isinstance(metadata, Mapping) else None
    group = record.get(group_field, inner)
    if not isinstance(group, str | int | None):
        return f"{group_field!r} is neither text nor a whole number"
    return Query(id=QueryId(name), text=text, group="" if group is None else str(group))


def _lines(file: Path) -> Iterator[tuple[int, str]]:
    """Yield each line that holds anything, with its number."""
    try:
        if file.stat().st_size > LARGEST:
            raise BadInputError(f"{file} is larger than {LARGEST:,} bytes")
        content = file.read_bytes().decode("utf-8-sig")
    except FileNotFoundError:
        raise NotFoundError(what="file", name=str(file)) from None
    except OSError as error:
        raise BadInputError(f"{file} cannot be read: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise BadInputError(f"{file} is no UTF-8", hint="save it as UTF-8") from error
    for number, line in enumerate(content.split("\n"), start=1):
        if line.strip():
            yield number, line.rstrip("\r")
