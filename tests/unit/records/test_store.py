"""The record store on a local disk."""

import json
import os
import stat

import pytest

from pytest_llmval.errors import StoreError
from pytest_llmval.records.files import json_line
from pytest_llmval.records.record import to_json
from pytest_llmval.records.store import LlmvalStoreWarning, LocalStore, Place, read_records


@pytest.fixture
def store(tmp_path):
    """A store that does not exist yet."""
    return LocalStore(tmp_path / "deep" / ".llmval")


def test_nothing_is_created_before_the_first_record(store):
    """Looking is not writing."""
    assert store.read_block("r1", "b1") is None
    assert store.find_block("i1") is None
    assert list(store.responses("r1")) == []

    assert not store.root.parent.exists()


def test_a_block_read_back(store, make_record):
    """All records, in order."""
    records = [make_record(case_id=name) for name in "abc"]

    store.write_block("r1", "b1", records)

    assert store.read_block("r1", "b1") == records
    assert store.read_block("r2", "b1") is None


def test_all_records_of_a_run(store, make_record):
    """Its blocks in the order of their names."""
    for block, name in (("b2", "b"), ("b1", "a")):
        store.write_block("r1", block, [make_record(case_id=name)])

    assert [record.case_id for record in store.responses("r1")] == ["a", "b"]


@pytest.mark.parametrize("text", ["\u2028", "\x85", "\r", "\r\n", "\x1c", "\ud800", "🙂\ud83d", "\x00"])
def test_texts_that_look_like_the_end_of_a_line(store, make_record, text):
    """One record is one line, whatever the model said."""
    records = [make_record(text=f"a{text}b"), make_record(text="c")]

    store.write_block("r1", "b1", records)

    assert store.read_block("r1", "b1") == records


def test_text_stays_readable(store, make_record):
    """A person may look into the file."""
    store.write_block("r1", "b1", [make_record(text="Grüße 東京")])

    (path,) = store.root.glob("runs/r1/responses/*.jsonl")
    assert "Grüße 東京" in path.read_text(encoding="utf-8")


@pytest.mark.parametrize(
    ("tail", "reason"),
    [
        (b'{"key": "k', "JSONDecodeError"),
        ('{"key": "ü'.encode()[:-1], "UnicodeDecodeError"),
        (b"{}", "KeyError"),
        (b'{"schema": 2}', "ValueError"),
        (b"[]", "TypeError"),
        (b"", "JSONDecodeError"),
    ],
)
def test_a_torn_or_foreign_line_is_reported_and_left_out(tmp_path, make_record, tail, reason):
    """What is whole is used; file and line are named, also when the tear is inside a character."""
    path = tmp_path / "b1.jsonl"
    path.write_bytes(json_line(to_json(make_record())).encode() + b"\n" + tail + b"\n")

    with pytest.warns(LlmvalStoreWarning, match=rf"^b1\.jsonl:2: not a whole record \({reason}\); it is left out$"):
        records = list(read_records(path))

    assert records == [make_record()]


def test_a_place_in_the_index(store, make_record):
    """A later run finds a block as long as its records are there."""
    store.write_block("r1", "b1", [make_record()])
    store.index_block("i1", "r1", "b1")
    store.index_block("i2", "r1", "gone")

    assert store.find_block("i1") == Place("r1", "b1")
    assert store.find_block("i2") is None
    assert store.find_block("i3") is None


@pytest.mark.parametrize("content", ["", "r1", "r1 b1 more", "\x00"])
def test_a_damaged_index_is_no_index(store, make_record, content):
    """The block is measured again."""
    store.write_block("r1", "b1", [make_record()])
    store.index_block("i1", "r1", "b1")
    (store.root / "index" / "i1").write_text(content, encoding="utf-8")

    assert store.find_block("i1") is None


def test_the_manifest(store):
    """Replaced as a whole."""
    store.write_manifest("r1", {"run_id": "r1", "ended_at": None})
    store.write_manifest("r1", {"run_id": "r1", "ended_at": "now"})

    assert store.read_manifest("r1") == {"run_id": "r1", "ended_at": "now"}


def test_no_manifest(store):
    """The path is named."""
    with pytest.raises(StoreError, match=r"runs/r1/manifest\.json: no manifest of a run can be read: .*No such file"):
        store.read_manifest("r1")


def test_lines_are_appended(store):
    """One JSON value a line."""
    store.append("r1", "verdicts.jsonl", {"a": "x\ny"})
    store.append("r1", "verdicts.jsonl", {"a": "\ud800"})

    lines = (store.run_folder("r1") / "verdicts.jsonl").read_text(encoding="utf-8").splitlines()
    assert [json.loads(line) for line in lines] == [{"a": "x\ny"}, {"a": "\ud800"}]


def test_the_store_is_kept_out_of_version_control(store):
    """By a file of its own, which a user may change."""
    store.open()
    ignore = store.root / ".gitignore"
    assert ignore.read_text(encoding="utf-8") == "*\n"

    ignore.write_text("", encoding="utf-8")
    store.open()

    assert ignore.read_text(encoding="utf-8") == ""


def test_files_and_folders_are_readable_by_their_owner_only(store, make_record):
    """Answers may be confidential; folders above the store are no business of ours but when we make them."""
    old = os.umask(0)
    try:
        store.open()
        store.write_block("r1", "b1", [make_record()])
        store.index_block("i1", "r1", "b1")
        store.append("r1", "scores/main.jsonl", {})
        store.write_manifest("r1", {})
    finally:
        os.umask(old)

    modes = {path: stat.S_IMODE(path.stat().st_mode) for path in [store.root, *store.root.rglob("*")]}
    assert {mode for path, mode in modes.items() if path.is_file()} == {0o600}
    assert {path.name: oct(mode) for path, mode in modes.items() if path.is_dir() and mode != 0o700} == {}


def test_one_process_holds_the_lock_of_a_block(store):
    """A second one would wait; another block is free."""
    from filelock import Timeout

    with store.lock("r1", "b1"):
        with pytest.raises(Timeout):
            store.lock("r1", "b1").acquire(timeout=0)
        with store.lock("r1", "b2").acquire(timeout=0):
            pass


@pytest.mark.parametrize(
    "write",
    [
        lambda store: store.open(),
        lambda store: store.write_block("r1", "b1", []),
        lambda store: store.append("r1", "verdicts.jsonl", {}),
        lambda store: store.lock("r1", "b1"),
    ],
)
def test_a_store_that_cannot_be_written(tmp_path, write):
    """Here because its folder is a file: path, reason and the option that helps."""
    (tmp_path / "file").write_text("", encoding="utf-8")

    with pytest.raises(StoreError) as caught:
        write(LocalStore(tmp_path / "file" / "store"))

    text = str(caught.value)
    assert text.startswith(f"cannot write {tmp_path / 'file' / 'store'}")
    assert text.endswith(": Not a directory; records go where --llmval-store says, reports where --llmval-out says")
