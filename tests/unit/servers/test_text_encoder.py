"""TextEncoder: unit vectors of texts, whatever the model, its padding and its batches."""

from __future__ import annotations

import json
import re
import shutil
import subprocess
import sys
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch

from pytest_llmval.errors import ServerError, SettingsError
from pytest_llmval.scoring.encoder import identity_of
from pytest_llmval.servers.engine.embedding import TextEncoder

V1 = Path(__file__).parents[3] / "example_suites" / "models" / "v1"
TEXTS = (
    "The library opens at nine.",
    "A lost card costs five euros, and late returns cost ten cents a day at any branch of the library.",
    "Grüße",
    "東京 and 🙂",
    "book",
)
SIZES: dict[str, Any] = {
    "vocab_size": 400,
    "hidden_size": 32,
    "intermediate_size": 64,
    "num_hidden_layers": 2,
    "num_attention_heads": 2,
    "max_position_embeddings": 64,
    "initializer_range": 0.3,
    "bos_token_id": 0,
    "eos_token_id": 1,
    "pad_token_id": 1,
}


def config_of(kind: str) -> Any:
    """The configuration of a tiny model of one architecture."""
    import transformers

    configs = {
        "bert": lambda: transformers.BertConfig(**SIZES),
        "roberta": lambda: transformers.RobertaConfig(**SIZES),
        "fnet": lambda: transformers.FNetConfig(**SIZES | {"num_attention_heads": None}),
        "t5": lambda: transformers.T5Config(
            vocab_size=400, d_model=32, d_kv=16, d_ff=64, num_layers=2, num_heads=2, initializer_factor=3.0
        ),
    }
    return configs[kind]()


@pytest.fixture(scope="module")
def folder_of(tmp_path_factory: pytest.TempPathFactory, make_tokenizer: Any, tiny_model: Any) -> Any:
    """A function from an architecture to a folder with a tiny random model of it, `<s>` and `</s>` around its texts."""
    from tokenizers import processors
    from transformers import AutoModel

    made: dict[str, Path] = {"v1": V1}

    def folder(kind: str) -> Path:
        if kind in ("llama", "gpt2"):
            return Path(tiny_model(kind).model)
        if kind not in made:
            made[kind] = tmp_path_factory.mktemp("encoders") / kind
            tokenizer = make_tokenizer(made[kind])
            tokenizer.backend_tokenizer.post_processor = processors.TemplateProcessing(
                single="<s> $A </s>", special_tokens=[("<s>", 0), ("</s>", 1)]
            )
            tokenizer.save_pretrained(made[kind])
            torch.manual_seed(7)
            AutoModel.from_config(config_of(kind)).save_pretrained(made[kind])
        return made[kind]

    return folder


@pytest.fixture
def copy_of(folder_of: Any, tmp_path: Path) -> Any:
    """A function from an architecture to a copy of its folder that a test may damage."""

    def copied(kind: str = "bert") -> Path:
        return Path(shutil.copytree(folder_of(kind), tmp_path / "copy"))

    return copied


def alone(folder: Path, text: str) -> np.ndarray:
    """The oracle: one text, one forward pass, the mean over its tokens, divided by its length."""
    from transformers import AutoModel, AutoTokenizer

    tokenizer, model = AutoTokenizer.from_pretrained(folder), AutoModel.from_pretrained(folder, dtype=torch.float32)
    ids = torch.tensor([tokenizer(text)["input_ids"]])
    body = model.get_encoder() if model.config.is_encoder_decoder else model
    with torch.inference_mode():
        states = body.eval()(input_ids=ids).last_hidden_state[0]
    mean = sum(state for state in states) / len(states)
    return (mean / mean.pow(2).sum().sqrt()).numpy()


@pytest.mark.parametrize("kind", ["bert", "roberta", "fnet", "t5", "llama", "gpt2", "v1"])
def test_same_as_alone(folder_of: Any, kind: str) -> None:
    """In a batch with longer texts each gets the vector that it has alone: no padding is seen."""
    folder = folder_of(kind)

    vectors = TextEncoder(folder).embed(TEXTS)

    expected = np.stack([alone(folder, text) for text in TEXTS])
    assert (vectors.shape, vectors.dtype) == (expected.shape, np.float32)
    np.testing.assert_allclose(vectors, expected, atol=2e-6)
    np.testing.assert_allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert np.abs(vectors[0] - vectors[1]).max() > 0.01  # a model that gives one vector to all would pass as well


@pytest.mark.parametrize("batch_size", [1, 2, 3, 64])
def test_batches(folder_of: Any, batch_size: int) -> None:
    """The size of batches and the order of texts do not change a vector."""
    whole = TextEncoder(folder_of("bert")).embed(TEXTS)

    vectors = TextEncoder(folder_of("bert"), batch_size=batch_size).embed(TEXTS[::-1])

    np.testing.assert_allclose(vectors[::-1], whole, atol=2e-6)


def test_distinct_texts_once(folder_of: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    """A thousand rows of three texts are three rows of the model."""
    encoder = TextEncoder(folder_of("bert"))
    seen: list[int] = []
    encoder.embed(["loaded"])
    encoder._opened.model.register_forward_pre_hook(
        lambda *call: seen.append(len(call[-1]["input_ids"])), with_kwargs=True
    )

    vectors = encoder.embed(list(TEXTS[:3]) * 1000)

    assert sum(seen) == 3
    assert vectors.shape == (3000, 32)
    assert (vectors[:3] == vectors[-3:]).all()


def test_opened_once(folder_of: Any) -> None:
    """Two encoders of a folder share one model, however the folder is written."""
    folder = folder_of("bert")

    assert TextEncoder(folder)._opened is TextEncoder(str(folder / ".." / folder.name))._opened


def test_similarity(folder_of: Any) -> None:
    """It is the cosine of the two vectors, to six decimals; of a text with itself 1."""
    encoder = TextEncoder(folder_of("bert"))
    vectors = encoder.embed(TEXTS).astype(float)

    found = encoder.similarity([TEXTS[0], TEXTS[0], TEXTS[2]], [TEXTS[1], TEXTS[0], TEXTS[0]])

    assert found == pytest.approx([vectors[0] @ vectors[1], 1, vectors[2] @ vectors[0]], abs=2e-6)
    assert found[1] == 1
    assert (found == found.round(6)).all()


def test_many_pairs(folder_of: Any) -> None:
    """Pairs beyond one piece of 4096 are in their places."""
    encoder = TextEncoder(folder_of("bert"))
    texts = list(TEXTS) * 2000

    found = encoder.similarity(texts, [TEXTS[0]] * len(texts))

    assert found.shape == (10000,)
    assert (found.reshape(2000, 5) == encoder.similarity(TEXTS, [TEXTS[0]] * 5)).all()


@pytest.mark.parametrize("blank", ["", " ", "\n\t"])
def test_blank_texts(folder_of: Any, blank: str) -> None:
    """A text without a word has the zero vector, and the cosine 0 with any other; nothing is NaN."""
    encoder = TextEncoder(folder_of("bert"))

    vectors = encoder.embed([blank, "book"])

    assert not vectors[0].any()
    assert vectors[1].any()
    assert encoder.similarity([blank, "book", blank], ["book", blank, blank]).tolist() == [0, 0, 0]


def test_nothing_at_all(folder_of: Any) -> None:
    """No text gives no vector, and blank texts alone need no forward pass."""
    encoder = TextEncoder(folder_of("bert"))

    assert encoder.embed([]).shape == (0, 32)
    assert encoder.similarity([], []).shape == (0,)
    assert not encoder.embed([""]).any()


@pytest.mark.parametrize(("kind", "room"), [("bert", 64), ("roberta", 62), ("llama", 128), ("t5", 512)])
def test_long_text(folder_of: Any, kind: str, room: int) -> None:
    """What exceeds the positions is cut, the end token kept, and counted; a megabyte is no trouble.

    RoBERTa counts positions from the one after padding's, which is 1: of 64 there are 62.
    """
    encoder = TextEncoder(folder_of(kind))
    text = "The library opens at nine. " * 40_000

    found = encoder.similarity([text, text, "book"], [text[:4000], "book", "book"])

    assert encoder.room == room
    assert encoder.cut == 2
    assert found[0] == 1  # both begin alike
    assert -1 <= found[1] < 1


def test_cut_keeps_the_end_token(folder_of: Any) -> None:
    """A text that is cut has the vector of its first tokens with `</s>` after them."""
    from transformers import AutoModel, AutoTokenizer

    folder = folder_of("bert")
    text = "The library opens at nine. " * 20
    ids = AutoTokenizer.from_pretrained(folder)(text)["input_ids"]
    with torch.inference_mode():
        model = AutoModel.from_pretrained(folder).eval()
        mean = model(input_ids=torch.tensor([[*ids[:63], 1]])).last_hidden_state[0].mean(0)

    found = TextEncoder(folder).embed([text])[0]

    np.testing.assert_allclose(found, (mean / mean.norm()).numpy(), atol=2e-6)


def test_lone_surrogate(folder_of: Any) -> None:
    """Half a surrogate pair, which no tokenizer takes, is read as a question mark."""
    encoder = TextEncoder(folder_of("bert"))

    assert encoder.similarity(["book \ud83d", "\ud83d"], ["book ?", "?"]).tolist() == [1, 1]


def test_quiet(folder_of: Any, copy_of: Any, capfd: pytest.CaptureFixture[str]) -> None:
    """Loading and encoding print nothing, and leave the number of threads alone."""
    folder = copy_of()
    capfd.readouterr()
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        TextEncoder(folder).embed(["book " * 500])
        assert torch.get_num_threads() == 2
    finally:
        torch.set_num_threads(before)

    assert capfd.readouterr() == ("", "")


def test_one_thread(folder_of: Any) -> None:
    """It computes with its own number of threads, which is 1."""
    encoder, seen = TextEncoder(folder_of("roberta")), []
    encoder._opened.model.register_forward_pre_hook(lambda *_: seen.append(torch.get_num_threads()))
    before = torch.get_num_threads()
    torch.set_num_threads(2)
    try:
        encoder.embed(["book"])
    finally:
        torch.set_num_threads(before)

    assert seen == [1]


@pytest.mark.parametrize("name", ["nowhere/at/all", "./nowhere", "~/nowhere", "", "/nowhere"])
def test_no_such_folder(name: str) -> None:
    """A folder that is not there is named, at once."""
    with pytest.raises(
        SettingsError, match=rf"^text encoder '{re.escape(name)}': no such folder; expected a Hugging Face model folder"
    ):
        TextEncoder(name)


def test_no_config(tmp_path: Path) -> None:
    """A folder that holds no model says what is missing."""
    with pytest.raises(SettingsError, match=r"^text encoder '.*': no config\.json in it; expected a Hugging Face"):
        TextEncoder(tmp_path)


@pytest.mark.parametrize(
    ("file", "message"),
    [
        ("model.safetensors", r"^text encoder '.*copy': its weights cannot be read: OSError: .*model\.safetensors"),
        ("tokenizer.json", r"^text encoder '.*copy': its tokenizer (cannot be read: |knows no text; is a vocabulary)"),
    ],
)
def test_file_missing(copy_of: Any, file: str, message: str) -> None:
    """A model without weights or tokenizer says which of them is missing."""
    folder = copy_of()
    (folder / file).unlink()

    with pytest.raises(ServerError, match=message):
        TextEncoder(folder).embed(["book"])


def test_tokenizer_without_vocabulary(copy_of: Any) -> None:
    """A tokenizer of special tokens alone, to which all texts are alike, is refused."""
    folder = copy_of()
    (folder / "tokenizer.json").unlink()
    settings = folder / "tokenizer_config.json"
    settings.write_text(json.dumps({"tokenizer_class": "BertTokenizer"}))

    with pytest.raises(ServerError, match=r"its tokenizer knows no text; is a vocabulary file missing"):
        TextEncoder(folder).embed(["book"])


def test_weights_with_holes(copy_of: Any) -> None:
    """Weights that the checkpoint lacks are an error, where transformers would put random numbers."""
    folder = copy_of()
    config = folder / "config.json"
    config.write_text(json.dumps(json.loads(config.read_text()) | {"num_hidden_layers": 3}))

    with pytest.raises(ServerError, match=r"copy': 16 weights missing or of another shape, first 'encoder\.layer\.2"):
        TextEncoder(folder).embed(["book"])


def test_no_pooler(copy_of: Any) -> None:
    """Weights that come after the last hidden states may be missing: they do not matter."""
    from safetensors.torch import load_file, save_file

    folder = copy_of()
    whole = TextEncoder(folder.parent / "copy").embed(["book"])
    weights = load_file(folder / "model.safetensors")
    kept = {name: tensor for name, tensor in weights.items() if not name.startswith("pooler")}
    assert len(kept) == len(weights) - 2
    other = Path(shutil.copytree(folder, folder.parent / "other"))
    save_file(kept, other / "model.safetensors", {"format": "pt"})

    assert (TextEncoder(other).embed(["book"]) == whole).all()


def test_numbers_that_are_none(copy_of: Any) -> None:
    """Vectors that are not finite are an error that names the text, not a NaN in a score."""
    from safetensors.torch import load_file, save_file

    folder = copy_of()
    weights = load_file(folder / "model.safetensors")
    weights["embeddings.word_embeddings.weight"][:] = float("nan")
    save_file(weights, folder / "model.safetensors", {"format": "pt"})

    with pytest.raises(ServerError, match=r"gives numbers that are not finite for 1 of 2 texts: 'book'$"):
        TextEncoder(folder).embed(["", "book"])


@pytest.mark.parametrize(
    ("call", "error", "message"),
    [
        (lambda encoder: encoder.embed("book"), TypeError, r"^texts='book': expected a list of texts$"),
        (lambda encoder: encoder.embed(["book", 3]), TypeError, r"^texts=3: expected a list of texts$"),
        (lambda encoder: encoder.similarity(["a"], []), ValueError, r"^1 texts but 0 others; expected one for each$"),
        (lambda encoder: TextEncoder(encoder.files, batch_size=0), ValueError, r"TextEncoder\(batch_size=0\): exp"),
        (lambda encoder: TextEncoder(encoder.files, threads=1.5), ValueError, r"TextEncoder\(threads=1\.5\): expected"),
    ],
)
def test_wrong_arguments(folder_of: Any, call: Any, error: type[Exception], message: str) -> None:
    """What is no list of texts, or no number of them, is named."""
    with pytest.raises(error, match=message):
        call(TextEncoder(folder_of("bert")))


HUB = """
import sys
from pytest_llmval.scoring.encoder import encoder_of, identity_of
from pathlib import Path
encoder = encoder_of("owner/tiny", "m", Path("."))
print(encoder.embed(["book"]).shape, encoder, encoder.files.name, identity_of(encoder))
"""


def test_hub_id(folder_of: Any, tmp_path: Path) -> None:
    """A hub id is read from the cache of the hub, and is told apart as the same files in a folder are."""
    commit = "0123456789abcdef0123456789abcdef01234567"
    home = tmp_path / "hub" / "models--owner--tiny"
    shutil.copytree(folder_of("bert"), home / "snapshots" / commit)
    (home / "refs").mkdir()
    (home / "refs" / "main").write_text(commit)
    environment = {"HF_HOME": str(tmp_path), "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    source = str(Path(__file__).parents[3] / "src")

    done = subprocess.run(
        [sys.executable, "-c", HUB],
        env=environment | {"PYTHONPATH": source},
        cwd=tmp_path,
        capture_output=True,
        text=True,
        check=False,
    )

    same = identity_of(TextEncoder(folder_of("bert")))
    assert done.stdout == f"(1, 32) TextEncoder('owner/tiny') {commit} {same}\n", done.stderr
