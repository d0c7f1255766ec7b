"""Rows come from JSON Lines, CSV and Parquet files and from iterables, each with its place."""

import sys
from types import MappingProxyType

import pytest

from pytest_llmval.case_sets.rows import read_rows
from pytest_llmval.errors import DatasetError

ROWS = [{"question": "Open?", "answer": "Yes."}, {"question": "Where?", "answer": "Here."}]


def contents(rows):
    """The fields of rows, as plain dictionaries."""
    return [dict(row.fields) for row in rows]


def test_json_lines(jsonl):
    """One object a line; the place is file and line."""
    rows = read_rows(jsonl(*ROWS))

    assert contents(rows) == ROWS
    assert [row.place for row in rows] == ["faq.jsonl:1", "faq.jsonl:2"]


def test_blank_lines_are_skipped_and_counted(jsonl):
    """The place is the line an editor shows."""
    rows = read_rows(jsonl(ROWS[0], "", "   ", ROWS[1]))

    assert [row.place for row in rows] == ["faq.jsonl:1", "faq.jsonl:4"]


def test_ndjson_is_json_lines(jsonl):
    """Both names of the format are known."""
    assert contents(read_rows(jsonl(*ROWS, name="faq.ndjson"))) == ROWS


def test_csv(text_file):
    """The header names the fields; all values are text."""
    rows = read_rows(text_file("faq.csv", 'question,answer\nOpen?,Yes.\n"Where, when?","Here,\nnow."\n'))

    assert contents(rows) == [ROWS[0], {"question": "Where, when?", "answer": "Here,\nnow."}]
    assert [row.place for row in rows] == ["faq.csv:2", "faq.csv:4"]


def test_parquet(tmp_path):
    """Values keep their types, null is None."""
    pyarrow = pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")
    parquet = pytest.importorskip("pyarrow.parquet", reason="Parquet needs pyarrow")
    rows = [{"question": "Open?", "options": ["a", "b"], "gold": 1}, {"question": None, "options": [], "gold": 0}]
    parquet.write_table(pyarrow.Table.from_pylist(rows), tmp_path / "faq.parquet")

    read = read_rows(tmp_path / "faq.parquet")

    assert contents(read) == rows
    assert [row.place for row in read] == ["faq.parquet:1", "faq.parquet:2"]


def test_an_iterable():
    """A generator serves as well as a list; rows count from one."""
    rows = read_rows(row for row in ROWS)

    assert contents(rows) == ROWS
    assert [row.place for row in rows] == ["row 1", "row 2"]


def test_any_mapping_is_a_row():
    """The signature says Mapping, so a read-only one is none the worse."""
    assert contents(read_rows([MappingProxyType(ROWS[0])])) == [ROWS[0]]


def test_a_row_is_frozen_when_read():
    """What the author changes afterwards is not what is asked: the hash would not show it."""
    given = dict(ROWS[0])

    (row,) = read_rows([given])
    given["question"] = "Closed?"

    assert row.fields["question"] == "Open?"


@pytest.mark.parametrize("line_end", ["\n", "\r\n"])
@pytest.mark.parametrize("name", ["faq.jsonl", "faq.csv"])
def test_a_byte_order_mark_and_foreign_line_ends(tmp_path, name, line_end):
    """Files saved on Windows read the same."""
    lines = ['{"question": "Grüße?"}'] if name == "faq.jsonl" else ["question", "Grüße?"]
    (tmp_path / name).write_bytes(b"\xef\xbb\xbf" + (line_end.join(lines) + line_end).encode())

    assert contents(read_rows(tmp_path / name)) == [{"question": "Grüße?"}]


@pytest.mark.parametrize("separator", ["\u2028", "\u2029", "\x85"])
def test_unicode_line_separators_do_not_end_a_row(jsonl, text_file, separator):
    """Python's splitlines() would break these texts, and JSON allows them raw."""
    text = f"first{separator}second"

    assert contents(read_rows(jsonl({"question": text}))) == [{"question": text}]
    assert contents(read_rows(text_file("faq.csv", f"question\n{text}\n"))) == [{"question": text}]


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("{'id': 1}", r"faq\.jsonl:2: not JSON: .* at column 2: \"\{'id': 1\}\""),
        ('{"id": 1', r"faq\.jsonl:2: not JSON: "),
        ("[1, 2]", r"faq\.jsonl:2: expected an object with named fields, got list '\[1, 2\]'"),
        ('"text"', r"faq\.jsonl:2: expected an object with named fields, got str 'text'"),
    ],
)
def test_a_line_that_is_no_row(jsonl, line, message):
    """File and line are named, and what stands there."""
    with pytest.raises(DatasetError, match=f"^{message}"):
        read_rows(jsonl(ROWS[0], line))


def test_a_file_that_is_not_utf8(tmp_path):
    """The line of the first wrong byte is named: 0xe9 is é in Latin-1."""
    for name in ("faq.jsonl", "faq.csv"):
        (tmp_path / name).write_bytes(b'{"q": "a"}\n{"q": "b"}\n{"q": "caf\xe9"}\n')

        with pytest.raises(DatasetError, match=rf"^{name}:3: not UTF-8 \(invalid .*\); save the file as UTF-8$"):
            read_rows(tmp_path / name)


@pytest.mark.parametrize("line", ["only one", "one,two,three"])
def test_a_csv_line_with_another_number_of_columns(text_file, line):
    """A missing or an extra comma shifts values into the wrong field."""
    path = text_file("faq.csv", f"question,answer\nOpen?,Yes.\n{line}\n")

    with pytest.raises(DatasetError, match=r"^faq\.csv:3: expected 2 columns as in the header, got another number$"):
        read_rows(path)


def test_a_quote_that_is_never_closed(text_file):
    """It would swallow all rows behind it as one value; the row with the quote is named."""
    path = text_file("faq.csv", 'question,answer\nOpen?,"Yes.\nWhere?,Here.\nWho?,We.\n')

    with pytest.raises(DatasetError, match=r"^faq\.csv:2: not CSV: unexpected end of data$"):
        read_rows(path)


@pytest.mark.parametrize(
    ("name", "text"), [("faq.jsonl", ""), ("faq.jsonl", "\n\n"), ("faq.csv", ""), ("faq.csv", "question,answer\n")]
)
def test_a_file_without_rows(text_file, name, text):
    """An empty case set would pass every gate."""
    with pytest.raises(DatasetError, match=rf"^{name}: no rows; a case set needs at least one$"):
        read_rows(text_file(name, text))


def test_an_iterable_without_rows():
    """The message does not speak of a file."""
    with pytest.raises(
        DatasetError, match=r"^the iterable given to cases\(\): no rows; a case set needs at least one$"
    ):
        read_rows([])


def test_an_iterable_of_something_else():
    """A mapping of columns is a common mistake: it iterates over names."""
    with pytest.raises(DatasetError, match=r"^row 1: expected an object with named fields, got str 'question'$"):
        read_rows({"question": ["Open?"]})


def test_a_missing_file(jsonl):
    """The nearest dataset beside it is suggested."""
    path = jsonl(*ROWS)

    with pytest.raises(DatasetError, match=r"fag\.jsonl: no such file; did you mean 'faq\.jsonl'\?"):
        read_rows(path.with_name("fag.jsonl"))


def test_a_missing_folder(tmp_path):
    """The folder is named, and where paths start."""
    path = tmp_path / "data" / "faq.jsonl"

    with pytest.raises(DatasetError) as caught:
        read_rows(path)

    assert str(caught.value) == (
        f"{path}: there is no folder {path.parent}; dataset paths are relative to the file that calls cases()"
    )


def test_an_unknown_suffix(text_file):
    """The known ones are listed."""
    message = r"^faq\.json: unknown kind of dataset '\.json'; expected one of \.jsonl, \.ndjson, \.csv, \.parquet$"

    with pytest.raises(DatasetError, match=message):
        read_rows(text_file("faq.json", "[]"))


def test_a_file_that_is_no_parquet(text_file):
    """The words of pyarrow follow the name of the file."""
    pytest.importorskip("pyarrow", reason="Parquet needs pyarrow")

    with pytest.raises(DatasetError, match=r"^faq\.parquet: not a Parquet file: "):
        read_rows(text_file("faq.parquet", "question,answer\n"))


def test_parquet_without_pyarrow(text_file, monkeypatch):
    """The command that helps is named."""
    monkeypatch.setitem(sys.modules, "pyarrow", None)
    message = r"^faq\.parquet: reading Parquet needs pyarrow: pip install pytest-llmval\[parquet\]$"

    with pytest.raises(DatasetError, match=message):
        read_rows(text_file("faq.parquet", ""))
