"""Files that are whole or absent."""

import json
import os
import threading

import pytest

from pytest_llmval.errors import StoreError
from pytest_llmval.records import files
from pytest_llmval.records.files import json_line, replace_file


def test_a_file_is_replaced(tmp_path):
    """The new text stands there, and nothing beside it."""
    path = tmp_path / "a" / "file.json"

    replace_file(path, "old")
    replace_file(path, "ü")

    assert path.read_text(encoding="utf-8") == "ü"
    assert [each.name for each in path.parent.iterdir()] == ["file.json"]


def test_a_failure_leaves_the_old_file_and_no_part(tmp_path, monkeypatch):
    """A full disk, met when the bytes are flushed."""
    path = tmp_path / "file.json"
    replace_file(path, "old")

    def no_space(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(files.os, "fsync", no_space)
    with pytest.raises(StoreError, match=r"file\.json: No space left on device; records go where --llmval-store says"):
        replace_file(path, "new")

    assert path.read_text(encoding="utf-8") == "old"
    assert [each.name for each in tmp_path.iterdir()] == ["file.json"]


def test_a_reader_sees_the_old_or_the_new_text(tmp_path):
    """Two writers and a reader at the same time: never half a file."""
    path = tmp_path / "file.json"
    texts = [letter * 100_000 for letter in "ab"]
    replace_file(path, texts[0])
    stop = threading.Event()
    seen = set()

    def write(text):
        while not stop.is_set():
            replace_file(path, text)

    writers = [threading.Thread(target=write, args=(text,)) for text in texts]
    for writer in writers:
        writer.start()
    for _ in range(100):
        seen.add(path.read_text(encoding="utf-8"))
    stop.set()
    for writer in writers:
        writer.join()

    assert seen <= set(texts)


def test_an_existing_folder_keeps_its_mode(tmp_path):
    """A user's own folder is not closed to others."""
    shared = tmp_path / "shared"
    shared.mkdir()
    shared.chmod(0o755)

    files.make_folder(shared / "ours")

    assert oct(shared.stat().st_mode & 0o777) == "0o755"
    assert oct((shared / "ours").stat().st_mode & 0o777) == "0o700"


@pytest.mark.parametrize("text", ["plain", "ü", "\ud800", "\u2028", "a\nb"])
def test_a_line_of_json(text):
    """It can be written as UTF-8 and read back."""
    line = json_line({"text": text})

    assert json.loads(line.encode()) == {"text": text}
    assert os.linesep not in line
