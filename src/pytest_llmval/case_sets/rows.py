"""Rows of a JSON Lines, CSV or Parquet file, each with the place where it stands."""

from __future__ import annotations

import csv
import io
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import DatasetError, nearest

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator


@dataclass(frozen=True, slots=True)
class Row:
    """One line of a dataset."""

    fields: Mapping[str, Any]
    place: str
    """`faq.jsonl:12`, or `row 3` of an iterable."""


def read_rows(source: Path | Iterable[Mapping[str, Any]]) -> list[Row]:
    """All rows of a file or an iterable of mappings.

    Raises:
        DatasetError: If the file is missing, has an unknown suffix or a broken line, or there is no row.
    """
    rows = list(_read_file(source) if isinstance(source, Path) else _read_iterable(source))
    if not rows:
        name = source.name if isinstance(source, Path) else "the iterable given to cases()"
        msg = f"{name}: no rows; a case set needs at least one"
        raise DatasetError(msg)
    return rows


def _read_file(path: Path) -> Iterator[Row]:
    if not path.is_file():
        raise DatasetError(_missing_file(path))
    reader = READERS.get(path.suffix.lower())
    if reader is None:
        msg = f"{path.name}: unknown kind of dataset {path.suffix!r}; expected one of {', '.join(READERS)}"
        raise DatasetError(msg)
    yield from reader(path)


def _missing_file(path: Path) -> str:
    folder = path.parent
    if not folder.is_dir():
        return f"{path}: there is no folder {folder}; dataset paths are relative to the file that calls cases()"
    siblings = [each.name for each in folder.iterdir() if each.suffix.lower() in READERS]
    return f"{path}: no such file; {nearest(path.name, siblings)}"


def _read_iterable(source: Iterable[Mapping[str, Any]]) -> Iterator[Row]:
    for number, fields in enumerate(source, start=1):
        yield Row(_fields(fields, f"row {number}"), f"row {number}")


def _text(path: Path) -> str:
    content = path.read_bytes()
    try:
        return content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        line = error.object.count(b"\n", 0, error.start) + 1
        msg = f"{path.name}:{line}: not UTF-8 ({error.reason}); save the file as UTF-8"
        raise DatasetError(msg) from error


def _read_jsonl(path: Path) -> Iterator[Row]:
    # Not splitlines(): a text may hold other line separators than the one that ends a row.
    for number, line in enumerate(_text(path).split("\n"), start=1):
        if line.strip():
            place = f"{path.name}:{number}"
            yield Row(_fields(_json(line, place), place), place)


def _json(line: str, place: str) -> object:
    try:
        return json.loads(line)
    except json.JSONDecodeError as error:
        msg = f"{place}: not JSON: {error.msg} at column {error.colno}: {line.strip()[:60]!r}"
        raise DatasetError(msg) from error


def _fields(value: object, place: str) -> Mapping[str, Any]:
    if not isinstance(value, Mapping):
        msg = f"{place}: expected an object with named fields, got {type(value).__name__} {str(value)[:60]!r}"
        raise DatasetError(msg)
    return dict(value)  # what is changed after the hash was taken must not be what is asked


def _read_csv(path: Path) -> Iterator[Row]:
    # Strict: a quote that is never closed would otherwise swallow the rest of the file as one value.
    reader = csv.DictReader(io.StringIO(_text(path), newline=""), strict=True)
    try:
        for fields in reader:
            place = f"{path.name}:{reader.line_num}"
            if None in fields or None in fields.values():
                msg = f"{place}: expected {len(reader.fieldnames or ())} columns as in the header, got another number"
                raise DatasetError(msg)
            yield Row(fields, place)
    except csv.Error as error:
        # The reader still stands at the row before.
        msg = f"{path.name}:{reader.line_num + 1}: not CSV: {error}"
        raise DatasetError(msg) from error


def _read_parquet(path: Path) -> Iterator[Row]:
    try:
        from pyarrow import parquet
    except ImportError as error:
        msg = f"{path.name}: reading Parquet needs pyarrow: pip install pytest-llmval[parquet]"
        raise DatasetError(msg) from error
    try:
        table = parquet.read_table(path)
    except (OSError, ValueError) as error:
        msg = f"{path.name}: not a Parquet file: {error}"
        raise DatasetError(msg) from error
    for number, fields in enumerate(table.to_pylist(), start=1):
        yield Row(fields, f"{path.name}:{number}")


READERS = {".jsonl": _read_jsonl, ".ndjson": _read_jsonl, ".csv": _read_csv, ".parquet": _read_parquet}
