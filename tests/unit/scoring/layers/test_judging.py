"""What a stage's error is judged to be: a planted error is named, and noise of the control's size is none."""

from __future__ import annotations

from dataclasses import fields, replace

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmval.scoring.tensors.layers.finding import StageVerdict
from pytest_llmval.scoring.tensors.layers.judging import LayerLimits, judged
from pytest_llmval.scoring.tensors.layers.sums import ErrorSums

seeds = st.integers(0, 10_000)
laws = settings(deadline=None, max_examples=40, derandomize=True)
CHANNELS, TOKENS, PROMPTS = 48, 32, 6


def noise(seed: int, *shape: int) -> torch.Tensor:
    return torch.randn(*shape, generator=torch.Generator().manual_seed(seed), dtype=torch.float64)


def sums_of(ours, truth, theirs, spacing=0.0) -> ErrorSums:
    """Sums over prompts, each `[prompts, tokens, channels]`."""
    sums = ErrorSums(spacing)
    for row, (exact, mine, other) in enumerate(zip(truth, ours, theirs, strict=True)):
        sums.add(row, exact, mine, other, exact)
    return sums


@pytest.fixture
def truth() -> torch.Tensor:
    """Outputs of a stage, `[prompts, tokens, channels]`."""
    return noise(0, PROMPTS, TOKENS, CHANNELS)


@pytest.fixture
def errors() -> torch.Tensor:
    """Errors of a sound candidate."""
    return 1e-2 * noise(1, PROMPTS, TOKENS, CHANNELS)


@pytest.fixture
def control(truth) -> torch.Tensor:
    """What another sound implementation makes."""
    return truth + 1e-2 * noise(2, PROMPTS, TOKENS, CHANNELS)


@laws
@given(seeds, st.floats(0, 0.4))
def test_an_implementation_equal_to_the_control_has_a_ratio_of_one_and_no_trait(seed, size):
    """However large their common error."""
    exact = noise(seed, 3, 4, 8)
    ours = exact + size * noise(seed + 1, 3, 4, 8)

    found = judged("norm", sums_of(ours, exact, ours.clone()), LayerLimits())

    assert found.verdict is StageVerdict.OK
    assert found.problem == ""
    assert (found.signature.is_none, found.signature.ratio, found.signature.gain_z) == (True, 1.0, 0.0)
    assert found.local == found.control


@laws
@given(seeds, st.floats(0, 0.5), st.sampled_from(fields(LayerLimits)), st.floats(1, 100), st.booleans())
def test_a_wider_limit_makes_no_stage_a_culprit(seed, size, field, factor, planted):
    """For each limit, by itself."""
    exact = noise(seed, 2, 6, 8)
    ours = exact * (1 + size * 1e-2) + 1e-2 * noise(seed + 1, 2, 6, 8)
    ours[1, 3, 2] += planted * size
    sums = sums_of(ours, exact, exact + 1e-2 * noise(seed + 2, 2, 6, 8))
    limits = LayerLimits()

    narrow = judged("norm", sums, limits)
    wide = judged("norm", sums, replace(limits, **{field.name: factor * getattr(limits, field.name)}))

    assert narrow.verdict is StageVerdict.CULPRIT or wide.verdict is StageVerdict.OK


@pytest.mark.parametrize(
    ("trait", "where", "words"),
    [
        ("channel", (slice(None), slice(None), 7), "most at channel 7"),
        ("row", (4, slice(None), slice(None)), "most in prompt 4"),
        ("position", (slice(None), 11, slice(None)), "most at position 11"),
        ("token", (2, 9, slice(None)), "most at position 9 of prompt 2"),
    ],
)
def test_the_slice_with_a_planted_error_is_named(request, trait, where, words):
    """Five times the noise in one slice of an axis."""
    truth, errors, control = map(request.getfixturevalue, ("truth", "errors", "control"))
    errors[where] *= 5

    found = judged("norm", sums_of(truth + errors, truth, control), LayerLimits())

    assert found.verdict is StageVerdict.CULPRIT
    assert words in found.problem.split("; ")
    assert getattr(found.signature, trait).place == tuple(at for at in where if isinstance(at, int))
    assert getattr(found.signature, trait).height == pytest.approx(25, rel=0.5)


def test_a_channel_of_attention_is_named_with_its_head(truth, errors, control):
    """Channel 39 of heads of 16 is one of head 2."""
    errors[..., 39] *= 5

    found = judged("q_proj", sums_of(truth + errors, truth, control), LayerLimits(), heads=16)

    assert "most at channel 39 of head 2" in found.problem


def test_an_error_that_grows_with_the_position_is_called_so(truth, errors, control):
    """As positions that are off by a factor make it; where it is largest says less then."""
    errors *= torch.linspace(1, 5, TOKENS, dtype=torch.float64)[:, None]

    found = judged("attention", sums_of(truth + errors, truth, control), LayerLimits())

    assert "grows with the position (rank correlation 0.9" in found.problem
    assert "most at position 31;" not in found.problem


@pytest.mark.parametrize("factor", [1.01, 0.99, 1.2])
def test_a_common_factor_is_named(truth, errors, control, factor):
    """As exactly as the noise lets it be known."""
    found = judged("norm", sums_of(factor * truth + errors, truth, control), LayerLimits())

    assert found.problem.endswith(f"; scaled by {1 + found.signature.gain:.4g}")
    assert found.signature.gain == pytest.approx(factor - 1, abs=4e-4)  # noise of 1e-2 in 9216 elements, four times


def test_a_uniform_excess_is_called_rounding(truth, errors, control):
    """Twice the noise everywhere has no place and no factor."""
    found = judged("norm", sums_of(truth + 2 * errors, truth, control), LayerLimits())

    assert found.problem == "error 0.0197 of what it adds, the control's 0.00979; spread evenly, as by rounding"


def test_noise_of_the_controls_size_is_sound(truth, errors, control):
    """Though candidate and control have not one element in common."""
    found = judged("norm", sums_of(truth + errors, truth, control), LayerLimits())

    assert found.verdict is StageVerdict.OK
    assert found.signature.ratio == pytest.approx(1, abs=0.02)


def test_the_peak_of_a_small_slice_must_be_higher(truth, errors, control):
    """Numerics §1.5's limit is for many elements; the largest of few is large by chance."""
    few = slice(None, 2)

    sums = sums_of((truth + errors)[:, :, few], truth[:, :, few], control[:, :, few])
    found = judged("norm", sums, LayerLimits())

    assert found.signature.token.height > LayerLimits().peak
    assert found.verdict is StageVerdict.OK
    assert LayerLimits().peak_for(found.signature.token) > 1000


def test_an_exact_control_allows_a_few_roundings_and_no_more(truth):
    """The spacing stands in for the noise that such a control does not have."""
    ulp = 2.0**-23

    for error, verdict in ((ulp, StageVerdict.OK), (100 * ulp, StageVerdict.CULPRIT)):
        ours = truth + error * noise(1, PROMPTS, TOKENS, CHANNELS)
        assert judged("norm", sums_of(ours, truth, truth, 16 * ulp), LayerLimits()).verdict is verdict


def test_an_exact_control_without_spacing_allows_no_error(truth):
    """No quotient of 0 by 0 hides it."""
    ours = truth.clone()
    ours[1, 2, 3] += 1e-9

    found = judged("norm", sums_of(ours, truth, truth), LayerLimits())

    assert found.verdict is StageVerdict.CULPRIT
    assert found.signature.token.place == (1, 2)


def test_nan_of_the_candidate_is_a_fault_and_hides_no_other_number(truth, errors, control):
    """They are counted by themselves."""
    ours = truth + errors
    ours[0, 0, :3] = torch.nan
    ours[0, 1, 0] = torch.inf

    found = judged("norm", sums_of(ours, truth, control), LayerLimits())

    assert found.verdict is StageVerdict.CULPRIT
    assert found.problem == "4 elements NaN or infinite"
    assert found.signature.ratio == pytest.approx(1, abs=0.02)


def test_an_infinity_that_both_have_is_no_fault(truth, errors, control):
    """Logits of tokens that are never meant to be said."""
    ours = truth + errors
    for each in (ours, truth, control):
        each[..., 5] = -torch.inf

    found = judged("lm_head", sums_of(ours, truth, control), LayerLimits())

    assert found.verdict is StageVerdict.OK


def test_an_infinity_of_one_side_or_of_another_sign_is_a_fault(truth, errors, control):
    """Whichever side has it."""
    ours = truth + errors
    ours[0, 0, 0], truth[0, 0, 1], control[0, 0, 1] = torch.inf, torch.inf, torch.inf
    ours[0, 0, 2], truth[0, 0, 2], control[0, 0, 2] = -torch.inf, torch.inf, torch.inf

    found = judged("lm_head", sums_of(ours, truth, control), LayerLimits())

    assert found.problem == "3 elements NaN or infinite"


def test_nan_of_the_reference_decides_nothing(truth, errors, control):
    """Not even where the candidate has it, too."""
    ours = truth + errors
    ours[0, 0, 0] = truth[0, 0, 0] = torch.nan

    found = judged("norm", sums_of(ours, truth, control), LayerLimits())

    assert found.verdict is StageVerdict.NOT_COMPARED
    assert found.problem == "the reference has 1 NaN element, so nothing is known to be right"


def test_nan_of_the_control_decides_nothing(truth, errors, control):
    """It gives no scale."""
    control[0, 0, :2] = torch.nan

    found = judged("norm", sums_of(truth + errors, truth, control), LayerLimits())

    assert found.verdict is StageVerdict.NOT_COMPARED
    assert found.problem == "the control has 2 NaN or infinite elements, so it gives no scale"


def test_a_control_that_is_no_implementation_of_the_reference_decides_nothing(truth, errors):
    """Its error would allow any other."""
    found = judged("norm", sums_of(truth + errors, truth, noise(9, *truth.shape)), LayerLimits())

    assert found.verdict is StageVerdict.NOT_COMPARED
    assert found.problem.startswith("the control's error is 1.4")
    assert found.problem.endswith("of the reference's output: it is no faultless implementation")


def test_an_error_is_told_relative_to_what_a_layer_adds(truth, errors, control):
    """A layer that adds a tenth of its state and is 1 % of the state wrong is wrong by a tenth."""
    sums = ErrorSums(0.0)
    for row, (exact, error, other) in enumerate(zip(truth, errors, control, strict=True)):
        sums.add(row, exact, exact + error, other, 0.1 * exact)

    found = judged("layers.0", sums, LayerLimits())

    assert found.local == pytest.approx(0.1, rel=0.05)
    assert found.control == pytest.approx(0.1, rel=0.05)


def test_a_factor_that_the_control_has_too_is_no_fault(truth, errors, control):
    """Numerics §1.5: rounding weights to bfloat16 alone moves the gain by many standard deviations."""
    ours = 1.052 * truth + errors

    found = judged("norm", sums_of(ours, truth, control + 0.05 * truth), LayerLimits())

    assert found.verdict is StageVerdict.OK
    assert found.signature.gain == pytest.approx(0.002, abs=5e-4)
