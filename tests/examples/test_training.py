"""The script that made the example models still runs."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

pytestmark = pytest.mark.models

EXAMPLES = Path(__file__).parents[2] / "example_suites"


def train(folder, *args):
    """A few steps of training."""
    command = [sys.executable, str(EXAMPLES / "training" / "train.py"), "--out", str(folder), "--steps", "5", *args]
    environment = os.environ | {"OMP_NUM_THREADS": "1"}
    subprocess.run(command, check=True, cwd=folder.parent, env=environment, capture_output=True, timeout=300)


def test_a_few_steps_make_every_version_and_the_same_weights_each_time(tmp_path):
    """The same seed on the same machine gives the same bytes, and the folders load."""
    for name in ("first", "second"):
        (tmp_path / name).mkdir()
        train(tmp_path / name)

    for version in ("v1", "v2", "v3", "v4", "v5"):
        first, second = ((tmp_path / name / version / "model.safetensors").read_bytes() for name in ("first", "second"))
        assert first == second, version

    from transformers import AutoModelForCausalLM, AutoTokenizer

    model = AutoModelForCausalLM.from_pretrained(tmp_path / "first" / "v1")
    tokenizer = AutoTokenizer.from_pretrained(tmp_path / "first" / "v1")
    assert model.config.vocab_size == len(tokenizer)


@pytest.mark.parametrize("version", ["v1", "v2", "v3", "v4", "v5"])
def test_committed_models_are_small_and_whole(version):
    """Each folder is at most 8 MB and says by itself how to load it."""
    folder = EXAMPLES / "models" / version

    assert sum(path.stat().st_size for path in folder.iterdir()) <= 8_000_000
    for name in ("config.json", "model.safetensors", "tokenizer.json", "tokenizer_config.json", "chat_template.jinja"):
        assert (folder / name).is_file()


def test_the_data_are_those_the_script_writes(tmp_path):
    """The committed case sets are reproduced byte by byte."""
    before = {path.name: path.read_bytes() for path in (EXAMPLES / "data").glob("*.jsonl")}

    command = [sys.executable, str(EXAMPLES / "training" / "write_data.py"), "--out", str(tmp_path)]
    subprocess.run(command, check=True, capture_output=True, timeout=120)

    after = {path.name: path.read_bytes() for path in tmp_path.glob("*.jsonl")}
    assert after == before
