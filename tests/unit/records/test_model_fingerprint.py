"""The fingerprint changes with whatever makes a model answer otherwise, and with nothing else."""

import json
import os

import pytest

from pytest_llmval.records import fingerprint as module
from pytest_llmval.records.fingerprint import CHUNK, fingerprint
from pytest_llmval.settings import ModelSettings


@pytest.fixture
def model(tmp_path):
    """A function that makes a folder of small files which looks like a model, with settings for it."""

    def make(name="v1", **fields):
        folder = tmp_path / name
        folder.mkdir()
        for file in (
            "config.json",
            "model.safetensors",
            "tokenizer.json",
            "tokenizer_config.json",
            "chat_template.jinja",
        ):
            (folder / file).write_text(f"content of {file}", encoding="utf-8")
        return ModelSettings(**{"name": name, "model": str(folder), "device": "cpu"} | fields)

    return make


@pytest.fixture
def digest(tmp_path):
    """A function from settings to the digest."""
    return lambda settings: fingerprint(settings, tmp_path / "hashes").digest


@pytest.mark.parametrize(
    ("file", "part"),
    [
        ("model.safetensors", "weights"),
        ("model-00002-of-00002.safetensors", "weights"),
        ("pytorch_model.bin", "weights"),
        ("config.json", "config"),
        ("generation_config.json", "config"),
        ("tokenizer.json", "tokenizer"),
        ("added_tokens.json", "tokenizer"),
        ("special_tokens_map.json", "tokenizer"),
        ("tokenizer_config.json", "template"),
        ("chat_template.jinja", "template"),
    ],
)
def test_another_byte_is_another_model(model, tmp_path, file, part):
    """Only the part that the file belongs to changes, so that the manifest can name it."""
    settings = model()
    before = fingerprint(settings, tmp_path / "hashes")

    with (tmp_path / "v1" / file).open("a") as stream:
        stream.write("x")
    after = fingerprint(settings, tmp_path / "hashes")

    assert after.digest != before.digest
    assert {name for name in after.parts if after.parts[name] != before.parts[name]} == {part}


@pytest.mark.parametrize("field", [{"dtype": "bfloat16"}, {"quantization": "int8"}, {"threads": 2}, {"device": "cuda"}])
def test_another_way_to_load_is_another_model(model, digest, field):
    """Each may change the last bits of an answer."""
    assert digest(model("v1")) != digest(model("v2", **field))


def test_name_and_folder_do_not_matter(model, digest):
    """The same bytes elsewhere are the same model: its records may be taken over."""
    assert digest(model("v1")) == digest(model("v2", same_weights_as="v1"))


def test_files_that_do_not_count(model, digest, tmp_path):
    """A model card may be edited."""
    settings = model()
    before = digest(settings)

    (tmp_path / "v1" / "README.md").write_text("A card.", encoding="utf-8")

    assert digest(settings) == before


def test_a_renamed_file_is_a_change(model, digest, tmp_path):
    """Its name decides what it is loaded as."""
    settings = model()
    before = digest(settings)

    (tmp_path / "v1" / "model.safetensors").rename(tmp_path / "v1" / "other.safetensors")

    assert digest(settings) != before


def test_an_adapter_is_a_part(model, digest, tmp_path):
    """And its weights are."""
    adapter = tmp_path / "adapter"
    adapter.mkdir()
    (adapter / "adapter_model.safetensors").write_text("a", encoding="utf-8")
    settings = model("v2", adapter=str(adapter))
    before = digest(settings)

    (adapter / "adapter_model.safetensors").write_text("b", encoding="utf-8")

    assert len({digest(model("v1")), before, digest(settings)}) == 3


def test_a_hub_id_is_named_and_not_hashed(tmp_path):
    """Its answers are not taken over by a later run: the name may point elsewhere by then."""
    one, other = (
        fingerprint(ModelSettings(name="x", model="owner/name", device="cpu", revision=each), tmp_path)
        for each in ("main", "v2")
    )

    assert not one.is_local
    assert (one.parts["model"], one.parts["revision"]) == ("owner/name", "main")
    assert one.digest != other.digest


def test_a_scripted_version_is_its_answers(tmp_path):
    """Another script is another model."""
    answers = tmp_path / "answers.jsonl"
    settings = ModelSettings(name="x", server="scripted", answers=str(answers))
    answers.write_text("a", encoding="utf-8")
    before = fingerprint(settings, tmp_path)
    answers.write_text("b", encoding="utf-8")

    assert before.is_local
    assert fingerprint(settings, tmp_path).digest != before.digest


@pytest.fixture
def reads(monkeypatch):
    """The paths of files that are read to be hashed."""
    seen = []
    original = module._read_and_hash
    monkeypatch.setattr(module, "_read_and_hash", lambda path: seen.append(path.name) or original(path))
    return seen


def test_a_large_file_is_hashed_once(model, digest, tmp_path, reads):
    """Its hash is remembered as long as the file does not change, here by its time alone."""
    settings = model()
    weights = tmp_path / "v1" / "model.safetensors"
    weights.write_bytes(b"x" * CHUNK)

    first, second = digest(settings), digest(settings)
    assert reads.count("model.safetensors") == 1

    weights.write_bytes(b"y" * CHUNK)
    os.utime(weights, ns=(1, 1))

    assert digest(settings) != first == second
    assert reads.count("model.safetensors") == 2


@pytest.mark.parametrize("content", ["", "[]", "3", "{}", '{"sha": 1}'])
def test_a_damaged_note_is_replaced(model, digest, tmp_path, reads, content):
    """The file is read again."""
    settings = model()
    (tmp_path / "v1" / "model.safetensors").write_bytes(b"x" * CHUNK)
    before = digest(settings)
    (note,) = (tmp_path / "hashes").iterdir()
    note.write_text(content, encoding="utf-8")

    assert digest(settings) == before
    assert reads.count("model.safetensors") == 2
    assert len(json.loads(note.read_text(encoding="utf-8"))["sha256"]) == 64


def test_small_files_leave_no_note(model, digest, tmp_path):
    """Reading them is cheaper."""
    digest(model())

    assert not (tmp_path / "hashes").exists()
