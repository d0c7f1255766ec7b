"""Files on disk: other goldens stay, several writers lose nothing, and a failed write changes nothing."""

from __future__ import annotations

import os
import subprocess
import sys

import numpy as np
import pytest

from pytest_llmval.errors import InvalidComparison, StoreError
from pytest_llmval.scoring.tensors.golden.file import add_goldens, names_in, read_goldens, remove_goldens

WRITER = """
import sys
from pathlib import Path
import numpy as np
from pytest_llmval.scoring.tensors.golden.comparing import kept_tensors
from pytest_llmval.scoring.tensors.golden.file import add_goldens
from pytest_llmval.scoring.tensors.golden.stored import Author, StoredGolden

for number in range(8):
    tensors, texts = kept_tensors(np.full(3, float(number)), "full")
    name = f"test_{sys.argv[2]}_{number}"
    add_goldens(Path(sys.argv[1]), (StoredGolden(name, {}, "full", Author(), "now", tensors, texts),))
"""


@pytest.fixture
def path(tmp_path):
    """A file that is not there yet, in a folder that is not either."""
    return tmp_path / "__snapshots__" / "test_a" / "test_x.safetensors"


def test_no_file_holds_no_goldens(path):
    """Absence is not damage."""
    assert read_goldens(path) == ()


def test_a_golden_replaces_its_own_and_no_other(path, golden_of, there):
    """Those of other names and of other environments stay as they were, byte by byte."""
    old = [golden_of(np.ones(3)), golden_of(np.ones(3), name="y"), golden_of(np.ones(3), facts=there)]
    add_goldens(path, tuple(old))

    add_goldens(path, (golden_of(np.zeros(3)),))

    read = {each.key: each.tensors[0].numbers().tolist() for each in read_goldens(path)}
    assert read == {old[0].key: [0, 0, 0], old[1].key: [1, 1, 1], old[2].key: [1, 1, 1]}
    assert names_in(path) == {"test_x", "y"}


def test_removing_the_last_golden_deletes_the_file(path, golden_of, there):
    """In all environments: the assertion is gone everywhere."""
    add_goldens(path, (golden_of(np.ones(3)), golden_of(np.ones(3), facts=there), golden_of(np.ones(3), name="y")))

    remove_goldens(path, {"test_x"})
    assert names_in(path) == {"y"}

    remove_goldens(path, {"y"})
    assert list(path.parent.iterdir()) == []


def test_two_processes_that_write_one_file_lose_nothing(path):
    """Each rewrites the whole file eight times, under a lock."""
    writers = [subprocess.Popen([sys.executable, "-c", WRITER, str(path), str(number)]) for number in range(2)]
    assert [writer.wait(timeout=60) for writer in writers] == [0, 0]

    assert names_in(path) == {f"test_{writer}_{number}" for writer in range(2) for number in range(8)}
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_full_disk_leaves_the_old_file(path, golden_of, monkeypatch):
    """And says so with the system's reason; nothing half-written stays."""
    add_goldens(path, (golden_of(np.ones(3)),))
    before = path.read_bytes()

    def fail(descriptor):
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "fsync", fail)
    with pytest.raises(StoreError, match=r"test_x.safetensors cannot be written: No space left.*nothing was changed"):
        add_goldens(path, (golden_of(np.zeros(3)),))

    assert path.read_bytes() == before
    assert [each.name for each in path.parent.iterdir()] == [path.name]


def test_a_file_that_cannot_be_read_is_not_replaced(path, golden_of):
    """It may hold the goldens of others, for example behind a pointer of Git LFS."""
    path.parent.mkdir(parents=True)
    path.write_bytes(b"version https://git-lfs.github.com/spec/v1\n")

    for read in (read_goldens, names_in, lambda path: add_goldens(path, (golden_of(np.ones(3)),))):
        with pytest.raises(InvalidComparison, match=r"test_x.safetensors cannot be read.*git lfs pull"):
            read(path)

    assert path.read_bytes().startswith(b"version")


def test_goldens_are_as_readable_as_any_file(path, golden_of):
    """They are for the repository, not for their owner only."""
    add_goldens(path, (golden_of(np.ones(3)),))

    plain = path.parent / "plain"
    plain.write_text("")
    assert path.stat().st_mode == plain.stat().st_mode
