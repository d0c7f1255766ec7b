"""Masks are compared by who sees whom, in whatever form a kernel takes them."""

from __future__ import annotations

import pytest
import torch

from pytest_llmval.scoring.tensors.layers.compare import compare_layers
from pytest_llmval.scoring.tensors.layers.finding import StageVerdict
from pytest_llmval.scoring.tensors.layers.masks import difference_of, mask_like, sight_of
from pytest_llmval.scoring.tensors.layers.prompts import Batch

BOTH = pytest.mark.parametrize("attention", ["eager", "sdpa"])


def with_mask(model, change):
    """The model with a bug in the code that prepares its masks: `change` takes the mask of tokens, `[rows, length]`."""

    def prepare(_, args, kwargs):
        mask = kwargs.get("attention_mask")
        return args, kwargs if mask is None else {**kwargs, "attention_mask": change(mask.clone())}

    model.model.register_forward_pre_hook(prepare, with_kwargs=True)
    return model


def second_token_hidden(mask):
    """In the second of several rows, whose prompt has five tokens."""
    if len(mask) > 1:
        mask[1, -4] = 0
    return mask


def weak(mask, blocked=-10.0, dtype=torch.float32):
    """What is not to be seen gets a score that is only a little lower."""
    length = mask.shape[1]
    allowed = torch.ones(length, length, dtype=torch.bool).tril() & mask.bool()[:, None, None]
    allowed |= torch.eye(length, dtype=torch.bool)
    return torch.where(allowed, 0.0, blocked).to(dtype)


@BOTH
@pytest.mark.parametrize("other", ["eager", "sdpa"])
def test_a_mask_that_is_wrong_in_one_row_is_named_with_prompt_and_position(tiny, few, attention, other):
    """The layers that are given it are right."""
    candidate = with_mask(tiny(attention=attention), second_token_hidden)

    report = compare_layers(candidate, tiny(attention=other), few)

    assert [each.name for each in report.culprits] == ["mask"]
    assert report.headline == (
        "mask is at fault: 4 pairs of positions differ, first: in prompt 1, position 1 no longer sees position 1"
    )
    assert report.culprits[0].recovered_kl is None


@BOTH
def test_it_is_named_in_bfloat16(tiny, half, few, attention):
    """And the layers after it are compared with the reference's mask in the candidate's form."""
    candidate = with_mask(half(tiny(attention=attention)), second_token_hidden)

    report = compare_layers(candidate, tiny(), few)

    assert [each.name for each in report.culprits] == ["mask"]
    assert all(stage.signature.ratio == pytest.approx(1, abs=0.05) for stage in report.stages if stage.signature)


@BOTH
def test_a_mask_that_hides_too_little_is_named(tiny, few, attention):
    """A score of −10 instead of −∞ lets 5e-5 of the weight through, which no norm of logits shows."""
    report = compare_layers(with_mask(tiny(attention=attention), weak), tiny(), few)

    assert [each.name for each in report.culprits] == ["mask"]
    assert "first: in prompt 0, position 0 sees position 1" in report.headline


@BOTH
@pytest.mark.parametrize("blocked", [torch.finfo(torch.float32).min, -torch.inf])
def test_a_mask_of_another_form_that_hides_the_same_is_right(tiny, few, attention, blocked):
    """The lowest number and infinity."""
    candidate = with_mask(tiny(attention=attention), lambda mask: weak(mask, blocked))

    assert compare_layers(candidate, tiny(attention="sdpa"), few).passed


@pytest.mark.parametrize("prompts", [[[1, 2, 3]], [[1, 2, 3], [4, 5, 6]], [[1, 2, 3], [4, 5]]])
def test_no_mask_and_a_mask_of_numbers_are_one(tiny, prompts):
    """Without padding SDPA is given none; eager attention is always given numbers."""
    assert compare_layers(tiny(attention="sdpa"), tiny(), prompts).passed
    assert compare_layers(tiny(), tiny(attention="sdpa"), prompts).passed


@BOTH
@pytest.mark.parametrize("kind", ["mistral", "gemma3"])
@pytest.mark.parametrize(
    ("window", "problem"),
    [
        (9, "12 pairs of positions differ, first: in prompt 2, position 8 sees position 0"),
        (7, "13 pairs of positions differ, first: in prompt 2, position 7 no longer sees position 0"),
    ],
)
def test_a_sliding_window_off_by_one_is_named(tiny, few, kind, attention, window, problem):  # noqa: PLR0917
    """In the prompt of 20 tokens, 12 see one more than the window of 8 lets them, or 13 one less."""
    candidate = tiny(kind, attention=attention)
    candidate.config.sliding_window = window

    report = compare_layers(candidate, tiny(kind), few)

    assert [(each.name, each.problem) for each in report.culprits] == [("mask", problem)]


def test_a_window_that_no_prompt_reaches_shows_nothing(tiny):
    """A fault shows only where a prompt brings it out, as the documentation says."""
    candidate = tiny("mistral")
    candidate.config.sliding_window = 9

    assert compare_layers(candidate, tiny("mistral"), [[1, 2, 3, 4, 5, 6, 7, 8]]).passed


def test_what_cannot_be_read_is_not_compared(tiny):
    """A mask of three axes, say, works by broadcasting; what it means for whom is not known here."""

    def flat(mask):
        return dict.fromkeys(("full_attention", "sliding_attention"), weak(mask, -torch.inf)[0])

    report = compare_layers(with_mask(tiny("gemma3"), flat), tiny("gemma3"), [[1, 2, 3], [4, 5, 6]])

    assert report.headline == "mask was not compared: masks of type Tensor cannot be read"
    assert report.undecided
    assert not report.passed


def test_the_first_difference_is_counted_from_the_start_of_the_text():
    """Row 1 has two positions of padding, which are counted below 0."""
    batch = Batch(((1, 2, 3, 4), (5, 6)))
    allowed = torch.ones(4, 4, dtype=torch.bool).tril().repeat(2, 1, 1, 1)
    exact = allowed.clone()
    exact[1, :, :, :2] = False
    leaking = allowed

    found = difference_of(sight_of(leaking, batch, "sdpa"), sight_of(exact, batch, "sdpa"), batch)

    assert (found.count, found.row, found.query, found.key, found.allowed) == (4, 1, 0, -2, False)


def test_padding_may_see_what_it_likes():
    """Nothing depends on it."""
    batch = Batch(((1, 2, 3, 4), (5, 6)))
    exact = torch.ones(4, 4, dtype=torch.bool).tril().repeat(2, 1, 1, 1)
    other = exact.clone()
    other[1, :, :2] = ~other[1, :, :2]

    assert difference_of(sight_of(other, batch, "sdpa"), sight_of(exact, batch, "sdpa"), batch) is None


def test_a_bias_that_differs_is_a_difference():
    """Distances added to the scores, as ALiBi does, are part of the mask."""
    batch = Batch(((1, 2, 3),))
    bias = -torch.arange(3.0).flip(0).expand(1, 1, 3, 3)
    blocked = torch.ones(3, 3, dtype=torch.bool).triu(1)
    mask = bias.masked_fill(blocked, -torch.inf)

    same = sight_of(mask.bfloat16(), batch, "eager")
    other = sight_of((1.1 * bias).masked_fill(blocked, -torch.inf), batch, "eager")

    assert difference_of(same, sight_of(mask, batch, "eager"), batch) is None
    assert difference_of(other, sight_of(mask, batch, "eager"), batch).count == 5


@pytest.mark.parametrize("own", [None, torch.ones(1, 1, 1, 1, dtype=torch.bool), torch.zeros(1, 1, 1, 1)])
def test_a_mask_in_the_form_of_another_lets_the_same_be_seen(own):
    """Whatever the form."""
    batch = Batch(((1, 2, 3, 4), (5, 6)))
    exact = sight_of(weak(torch.tensor([[1, 1, 1, 1], [0, 0, 1, 1]]), -torch.inf), batch, "eager")

    form = mask_like(exact, own, batch, torch.bfloat16, "cpu")

    assert difference_of(sight_of(form, batch, "sdpa"), exact, batch) is None
    assert form.dtype == (torch.bool if own is None else own.dtype)


def test_every_kind_of_mask_is_compared_by_itself(tiny, few):
    """Only the sliding window's is wrong; the full one is right."""
    candidate = tiny("gemma3")
    candidate.config.sliding_window = 9

    masks = {stage.name: stage.verdict for stage in compare_layers(candidate, tiny("gemma3"), few).stages}

    assert (masks["mask"], masks["mask of layers.1"]) == (StageVerdict.CULPRIT, StageVerdict.OK)
