"""Embedding similarity: cosines of answers and references by one encoder."""

import shutil
import sys
import time
import warnings
from pathlib import Path

import numpy as np
import pytest

from pytest_llmval import Response, Unscored, assert_no_regression
from pytest_llmval.errors import InvalidComparison, SettingsError
from pytest_llmval.scoring.encoder import identity_of
from pytest_llmval.scoring.text.embedding import embedding_similarity
from pytest_llmval.servers.engine.embedding import TextEncoder

V1 = Path(__file__).parents[4] / "example_suites" / "models" / "v1"
pytestmark = pytest.mark.models


@pytest.fixture(scope="module")
def encoder():
    """The example model v1, a decoder."""
    return TextEncoder(V1)


def test_cosines(responses_to, encoder):
    """The value is the cosine of the encoder's own vectors of answer and reference."""
    answers, references = (
        ["It opens at nine.", "A card costs five euros."],
        ["We open at 9.", "A card costs five euros."],
    )
    vectors = encoder.embed([*answers, *references]).astype(float)

    scores = embedding_similarity(responses_to(*answers, cases={"reference": references}), encoder)

    assert scores.values == pytest.approx([vectors[0] @ vectors[2], 1], abs=2e-6)
    assert scores.values[0] < 0.999
    assert (scores.name, scores.kind, scores.bounds) == ("embedding_similarity", "graded", (-1.0, 1.0))


def test_best_of_several_references(responses_to, encoder):
    """Of several references the nearest counts; blank ones do not."""
    cases = {"reference": [["It opens at nine.", "Paris", ""], ["Paris"]]}

    both, far = embedding_similarity(
        responses_to("It opens at nine.", "It opens at nine.", cases=cases), encoder
    ).values

    assert both == 1
    assert far < 1


@pytest.mark.parametrize("reference", [None, "", " ", [], ["", None]])
def test_no_reference(responses_to, encoder, reference):
    """A case without a reference has no score, whatever the answer."""
    responses = responses_to("Nine.", "", cases={"reference": [reference, reference]})

    assert set(embedding_similarity(responses, encoder).values) == {Unscored("the case has no reference")}


def test_empty_and_failed_answers(responses_to, encoder):
    """An empty answer is as bad as one without relation, a failed one counts against the version."""
    responses = responses_to("", " \n", Response.failed("timeout"), cases={"reference": ["Nine."] * 3})

    assert embedding_similarity(responses, encoder).values == (0.0, 0.0, Unscored("timeout", failed=True))


def test_trials(responses_to, encoder):
    """Each trial is scored, and the case has their mean."""
    scores = embedding_similarity(responses_to("Nine.", "", cases={"reference": ["Nine."]}, trials=2), encoder)

    assert scores.values == (0.5,)
    assert scores.by_trial == ((1.0, 0.0),)


def test_a_megabyte_and_half_a_character(responses_to, encoder):
    """A long answer is cut with a warning that says so; a lone surrogate is no obstacle."""
    responses = responses_to("nine " * 200_000, "nine \ud83d", cases={"reference": ["nine", "nine \ud83d"]})

    with pytest.warns(UserWarning, match="1 of 3 texts have more than the 512 tokens that the encoder reads; what"):
        scores = embedding_similarity(responses, encoder)

    assert scores.values[1] == 1
    assert -1 <= scores.values[0] < 1


def test_a_hundred_thousand_pairs(responses_to, encoder):
    """Of 100,000 pairs of 1,000 distinct texts each text is computed once, and the call takes seconds."""
    texts = [f"The answer is number {n}." for n in range(1000)]
    answers = [texts[n % 1000] for n in range(100_000)]
    references = [texts[(7 * n + n // 1000) % 1000] for n in range(100_000)]
    responses = responses_to(*answers, cases={"reference": references})
    rows = []
    hook = encoder._opened.model.register_forward_pre_hook(
        lambda *call: rows.append(len(call[-1]["input_ids"])), with_kwargs=True
    )
    start = time.perf_counter()

    scores = embedding_similarity(responses, encoder)

    seconds = time.perf_counter() - start
    hook.remove()
    assert sum(rows) == 1000
    assert seconds < 60
    vectors = encoder.embed([answers[77_777], references[77_777]]).astype(float)
    assert scores.values[77_777] == pytest.approx(vectors[0] @ vectors[1], abs=2e-6)


def test_folder_beside_the_caller(responses_to, encoder, monkeypatch, tmp_path):
    """A relative folder begins at the file that calls, wherever pytest was started."""
    monkeypatch.chdir(tmp_path)
    responses = responses_to("It opens.", cases={"reference": ["We open."]})

    beside = embedding_similarity(responses, "../../../../example_suites/models/v1")

    assert beside == embedding_similarity(responses, encoder)
    assert beside.basis.metric_version == f"1 encoder {identity_of(encoder)}"


def test_another_encoder(responses_to, encoder, tmp_path):
    """Scores by encoders of other weights are refused; a copy under another name is the same encoder."""
    from safetensors.torch import load_file, save_file

    same, other = shutil.copytree(V1, tmp_path / "same"), shutil.copytree(V1, tmp_path / "other")
    weights = load_file(other / "model.safetensors")
    weights["model.norm.weight"][0] += 1
    save_file(weights, other / "model.safetensors", {"format": "pt"})
    responses = responses_to(*["Nine."] * 60, cases={"reference": ["Nine."] * 60})
    ours, copied, theirs = (embedding_similarity(responses, each) for each in (encoder, same, other))

    assert ours.basis == copied.basis
    with pytest.raises(InvalidComparison, match="metric version"):
        assert_no_regression(ours, theirs)


def test_the_settings_of_the_tokenizer_count(encoder, tmp_path):
    """An encoder that reads another number of tokens is another encoder."""
    other = shutil.copytree(V1, tmp_path / "other")
    (other / "tokenizer_config.json").write_text(
        (V1 / "tokenizer_config.json").read_text().replace("{", '{"model_max_length": 8,', 1)
    )

    assert identity_of(TextEncoder(other)) != identity_of(encoder)


@pytest.mark.parametrize("library", ["torch", "transformers"])
def test_missing_extra(responses_to, monkeypatch, library):
    """The message names the command that installs it."""
    monkeypatch.setitem(sys.modules, library, None)

    with pytest.raises(
        SettingsError, match=r"^embedding_similarity needs torch and transformers: pip install pytest-llmval\[tr"
    ):
        embedding_similarity(responses_to("x"), V1)


@pytest.mark.parametrize("name", ["nowhere/at/all", "../text/nowhere", "/nowhere", Path("nowhere"), "__pycache__/no"])
def test_missing_folder(responses_to, name):
    """A folder that is not there is named in full; so is one within a folder that is, which looks like a hub id."""
    (Path(__file__).parent / "__pycache__").mkdir(exist_ok=True)

    with pytest.raises(SettingsError, match=r"^text encoder '.*(nowhere.*|no)': no such folder; expected a Hugging"):
        embedding_similarity(responses_to("x"), name)


def test_no_encoder(responses_to):
    """What is neither folder nor encoder is shown."""
    with pytest.raises(
        TypeError, match=r"^embedding_similarity: encoder=3; expected the folder of a model, a hub id or"
    ):
        embedding_similarity(responses_to("x"), 3)


def test_no_warning_otherwise(responses_to, encoder):
    """Texts that fit give no warning, and no case at all is no trouble."""
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        assert embedding_similarity([], encoder).values == ()
        embedding_similarity(responses_to("a", cases={"reference": ["b"]}), encoder)


def test_values_are_plain_numbers(responses_to, encoder):
    """No numpy scalar reaches a record."""
    (value,) = embedding_similarity(responses_to("a", cases={"reference": ["b"]}), encoder).values

    assert type(value) is float
    assert not isinstance(value, np.floating)
