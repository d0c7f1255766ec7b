"""The gates below the text return verdicts, and a test in progress keeps them whatever they are."""

import copy
from contextlib import contextmanager

import numpy as np
import pytest
import torch
import transformers

from pytest_llmval import assert_kl_below, assert_layers_close, assert_no_flips, assert_weights_match
from pytest_llmval.current import TestInProgress, in_progress
from pytest_llmval.errors import InvalidComparison, ModelRegression


@pytest.fixture
def logits():
    """Logits of 150 positions over 20 tokens."""
    return np.random.default_rng(0).normal(size=(150, 20))


@contextmanager
def keeping():
    """Gives the verdicts of another test, which is in progress meanwhile."""
    test = TestInProgress("test_numbers.py::test_it")
    with in_progress(test):
        yield test.verdicts


@pytest.fixture(scope="module")
def model():
    """A random model of two layers."""
    torch.manual_seed(0)
    config = transformers.LlamaConfig(
        vocab_size=64, hidden_size=32, intermediate_size=64, num_hidden_layers=2, num_attention_heads=2
    )
    return transformers.LlamaForCausalLM(config).eval()


def test_a_gate_that_passes_returns_its_verdict(logits):
    """With number, limit and the whole table in its evidence."""
    with keeping() as kept:
        verdict = assert_kl_below(logits * 1.001, logits, 1e-3)

    assert verdict.passed
    assert verdict.headline.endswith("nats/token, allowed 0.001 (150 positions)")
    assert (verdict.metric, verdict.threshold, verdict.counts.compared) == ("mean KL", 1e-3, 150)
    assert 0 < verdict.candidate < 1e-3
    assert "Mean    KLD" in verdict.evidence["details"]["table"]
    assert kept == [verdict]
    assert verdict.evidence["test"] == "test_numbers.py::test_it"


def test_a_gate_that_fails_is_kept_and_raises(logits):
    """The message is the check's own; the verdict has the same number."""
    with keeping() as kept:
        with pytest.raises(ModelRegression, match=r"^mean KL\(reference \|\| candidate\) "):
            assert_kl_below(-logits, logits, 1e-3)
        with pytest.raises(ModelRegression, match="FLIP at"):
            assert_no_flips(-logits, logits)
        with pytest.raises(ModelRegression, match="looks transposed"):
            assert_weights_match({"w": logits.T}, {"w": logits})

    assert [verdict.outcome for verdict in kept] == ["regressed"] * 3
    assert [verdict.metric for verdict in kept] == ["mean KL", "flips", "differing weights"]
    assert kept[1].candidate == kept[1].counts.compared == 150


def test_quantiles_and_other_measures_are_named(logits):
    """Two gates on the same logits can be told apart."""
    with keeping() as kept:
        assert_kl_below(logits, logits, 1e-3, measure="js")
        assert_kl_below(logits, logits, 1e-3, at=0.99)

    assert [verdict.metric for verdict in kept] == ["mean JS", "99 % KL"]


def test_sides_that_cannot_be_compared_are_kept_as_invalid(logits):
    """The reason is the headline."""
    with keeping() as kept:
        with pytest.raises(InvalidComparison):
            assert_kl_below(logits[:, :10], logits, 1e-3)
        with pytest.raises(InvalidComparison):
            assert_weights_match({}, {})

    assert [verdict.outcome for verdict in kept] == ["invalid", "invalid"]
    assert "shape" in kept[0].headline


def test_wrong_arguments_are_errors_and_no_verdicts(logits):
    """A limit that cannot be meant says nothing about the model."""
    with keeping() as kept:
        with pytest.raises(ValueError, match="limit=0"):
            assert_kl_below(logits, logits, 0)
        with pytest.raises(TypeError):
            assert_kl_below(logits)

    assert kept == []


def test_the_layer_gate_keeps_its_report(model):
    """Stage by stage, as JSON values."""
    with keeping():
        verdict = assert_layers_close(copy.deepcopy(model), model, [[1, 2, 3, 4], [5, 6, 7]])

    assert verdict.passed
    assert (verdict.metric, verdict.candidate, verdict.threshold) == ("faulty stages", 0.0, 0.0)
    names = [stage["name"] for stage in verdict.evidence["details"]["report"]["stages"]]
    assert names == ["embed_tokens", "rotary_emb", "mask", "layers.0", "layers.1", "norm", "lm_head"]


def test_a_layer_comparison_that_says_nothing_is_inconclusive(model):
    """A model whose dropout is on gives no verdict; nothing is raised, so that later gates of the test still run."""
    noisy = transformers.LlamaForCausalLM(model.config).eval()
    noisy.model.norm = torch.nn.Sequential(noisy.model.norm, torch.nn.Dropout(0.5).train())

    with keeping() as kept:
        verdict = assert_layers_close(noisy, model, [[1, 2, 3, 4], [5, 6, 7]])

    assert verdict.outcome == "inconclusive"
    assert "the candidate gives other logits in a second run" in verdict.headline
    assert kept == [verdict]


def test_a_comparison_that_shows_nothing_is_refused(model):
    """A model with itself, and prompts of one token, which attention cannot be seen on."""
    with pytest.raises(ValueError, match="candidate and reference are one object"):
        assert_layers_close(model, model, [[1, 2, 3]])
    with pytest.raises(ValueError, match="every prompt is one token"):
        assert_layers_close(copy.deepcopy(model), model, [[1], [2]])
    with pytest.raises(TypeError, match="tokenizer='models/v1'; expected the tokenizer itself"):
        assert_layers_close(copy.deepcopy(model), model, ["text"], tokenizer="models/v1")


def test_outside_pytest_a_gate_is_kept_nowhere(logits):
    """It still returns and raises."""
    with in_progress(None):
        assert assert_kl_below(logits, logits, 1e-3).passed


def test_signatures_are_those_of_the_checks():
    """Editors and `help` show the arguments."""
    import inspect

    assert list(inspect.signature(assert_layers_close).parameters) == [
        "candidate", "reference", "prompts", "tokenizer", "reference_tokenizer", "control", "limits",
    ]  # fmt: skip
    assert "No stage of a candidate is at fault" in assert_layers_close.__doc__
