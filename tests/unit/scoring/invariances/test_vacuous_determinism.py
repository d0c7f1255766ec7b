"""Determinism as a well-known suite checks it, and what that lets pass (V5 of the collected vacuous checks)."""

import pytest
import torch

from pytest_llmval import ModelRegression, assert_deterministic

PROMPTS = [[3, 1, 4, 1, 5], [9, 2, 6, 5]]
VOCABULARY = 12


class Wandering:
    """Logits whose largest is the same in every run, while two of the others change places."""

    def __init__(self):
        self.runs = 0

    def __call__(self, input_ids, attention_mask):  # noqa: ARG002 - what a function is given
        """The next run."""
        torch.manual_seed(0)
        table = torch.randn(VOCABULARY, VOCABULARY)
        logits = table[input_ids]
        logits[..., 0] = 9.0
        self.runs += 1
        if self.runs % 2 == 0:
            logits[..., [5, 6]] = logits[..., [6, 5]]
        return logits


def logprobs_of_sampled_tokens(model):
    """What a check sees that reads the logprob of the greedy token alone."""
    ids = torch.tensor(PROMPTS[0])[None]
    return model(ids, torch.ones_like(ids)).log_softmax(-1).max(-1)


def passes_in_any_of(check, attempts):
    """A check that is run again when it fails."""
    return any(check() for _ in range(attempts))


def test_logprobs_of_sampled_tokens_alone_do_not_show_it():
    """Theirs passes: the sampled token and its logprob repeat themselves to rounding. Ours compares every logit."""
    model = Wandering()

    first, second = logprobs_of_sampled_tokens(model), logprobs_of_sampled_tokens(model)

    assert torch.equal(first.indices, second.indices)
    assert torch.allclose(first.values, second.values, rtol=0, atol=1e-6)
    with pytest.raises(ModelRegression, match="determinism fails"):
        assert_deterministic(Wandering(), PROMPTS)


def test_reruns_until_it_passes_show_nothing():
    """A needle test marked flaky passes when one of four attempts does; ours must agree in all runs."""
    model = Wandering()
    expected = model(torch.tensor(PROMPTS[0])[None], None)

    def theirs():
        return torch.equal(model(torch.tensor(PROMPTS[0])[None], None), expected)

    assert passes_in_any_of(theirs, attempts=4)
    with pytest.raises(ModelRegression):
        assert_deterministic(Wandering(), PROMPTS, n=4)
