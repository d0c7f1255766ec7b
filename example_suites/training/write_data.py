"""Writes the case files: `python example_suites/training/write_data.py`."""

from __future__ import annotations

import argparse
import json
from pathlib import Path
from typing import TYPE_CHECKING

from case_files import build_case_files

if TYPE_CHECKING:
    from collections.abc import Iterable

    from example import Row

DATA = Path(__file__).parent.parent / "data"


def main(arguments: list[str] | None = None) -> None:
    """Writes every case file to the folder given."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--out", type=Path, default=DATA)
    out: Path = parser.parse_args(arguments).out
    out.mkdir(parents=True, exist_ok=True)
    for name, rows in build_case_files().items():
        write_rows(out / f"{name}.jsonl", rows)


def write_rows(path: Path, rows: Iterable[Row]) -> None:
    """One JSON object a line, the identifier first."""
    lines = [json.dumps({"id": row.id, **row.columns}, ensure_ascii=False) for row in rows]
    path.write_text("".join(f"{line}\n" for line in lines), encoding="utf-8", newline="\n")


if __name__ == "__main__":
    main()
