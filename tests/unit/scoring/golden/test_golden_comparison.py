"""A value against its golden in every tier: what passes, what fails, and what a tier cannot say."""

from __future__ import annotations

import numpy as np
import pytest
import torch
from hypothesis import given, reject
from hypothesis import strategies as st

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tensors.golden.tiers import TIERS, chosen_tier
from pytest_llmval.scoring.tensors.tolerances import Tol

SKETCHES = ("fingerprint", "slices")
LOOSE = Tol(rtol=2e-2, atol_rms=2e-2)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize(
    "dtype", [torch.float32, torch.float64, torch.bfloat16, torch.float16, torch.float8_e5m2], ids=str
)
def test_a_value_agrees_with_its_own_golden(tier, dtype, hidden, golden_of, compared):
    """In every tier and dtype, with the default tolerance."""
    value = {"a": torch.tensor(hidden).to(dtype), "b": [hidden, [1, 2, 3], 2.5], "c": "text", "d": None}

    comparison = compared(value, golden_of(value, tier))

    assert comparison.passed, comparison
    assert len(comparison.tensors) == 4


@pytest.mark.parametrize("tier", TIERS)
def test_one_wrong_row_is_found_in_every_tier(tier, hidden, golden_of, compared):
    """A fault of 10 % in one of 48 positions, at a tolerance of 2 %."""
    wrong = hidden.copy()
    wrong[17] *= 1.1

    comparison = compared(wrong, golden_of(hidden, tier), tol=LOOSE)

    assert not comparison.passed
    assert not comparison.undecided


@pytest.mark.parametrize("tier", TIERS)
def test_noise_within_the_tolerance_passes_in_every_tier(tier, hidden, golden_of, compared):
    """Noise of 0.1 % of the RMS at a tolerance of 2 %: also where only a sketch is kept."""
    noisy = hidden + np.float32(1e-3) * np.random.default_rng(3).normal(size=hidden.shape).astype(np.float32)

    comparison = compared(noisy, golden_of(hidden, tier), tol=LOOSE)

    assert comparison.passed, comparison


@given(
    tier=st.sampled_from(TIERS),
    seed=st.integers(0, 50),
    size=st.sampled_from([1e-6, 1e-4, 1e-3, 1e-2, 1e-1]),
    narrow=st.floats(1e-6, 0.2),
    more=st.floats(0, 0.5),
    part=st.sampled_from(["rtol", "atol", "atol_rms"]),
    facts=st.sampled_from(["here", "there"]),
)
def test_widening_a_tolerance_never_turns_a_pass_into_a_failure(  # noqa: PLR0917 - hypothesis hands them by name
    tier, seed, size, narrow, more, part, facts, golden_of, compared, here, there
):
    """In every tier, in this and in another environment; a refusal is no verdict."""
    generator = np.random.default_rng(seed)
    expected = generator.normal(size=(6, 20)).astype(np.float32)
    actual = expected + (size * generator.normal(size=expected.shape)).astype(np.float32)
    golden = golden_of(expected, tier, facts={"here": here, "there": there}[facts])
    try:
        passes = compared(actual, golden, tol=Tol(**{part: narrow})).passed
        still = compared(actual, golden, tol=Tol(**{part: narrow + more})).passed
    except ValueError:
        reject()

    assert still or not passes


@given(seed=st.integers(0, 100), size=st.sampled_from([1e-5, 1e-4, 1e-3]), tier=st.sampled_from(SKETCHES))
def test_a_sketch_never_passes_what_breaks_the_norm_of_its_tolerance(seed, size, tier, golden_of, compared):
    """‖Δ‖ above what all elements together may use fails, but for the 1 % that the bound leaves open."""
    generator = np.random.default_rng(seed)
    expected, noise = generator.normal(size=(2, 30, 40))
    actual = expected + size * noise
    tol = Tol(atol=float(np.linalg.norm(size * noise)) / np.sqrt(1200) / 1.3)

    assert not compared(actual, golden_of(expected, tier), tol=tol).passed


def test_what_lies_within_the_error_of_a_sketch_is_undecided(golden_of, compared):
    """Too near to the allowance: neither passed nor failed, and the message says so."""
    expected, noise = np.random.default_rng(0).normal(size=(2, 64, 64))
    golden = golden_of(expected, "fingerprint")

    comparison = compared(expected + 0.95e-3 * np.sign(noise), golden, tol=Tol(atol=1e-3))

    assert comparison.undecided
    assert "too near to the allowance for a sketch to decide" in str(comparison)


@pytest.mark.parametrize("tier", TIERS)
def test_another_dtype_fails(tier, hidden, golden_of, compared):
    """V7: equal numbers in float64 are another tensor."""
    comparison = compared(hidden.astype(np.float64), golden_of(hidden, tier))

    assert not comparison.passed
    assert "dtype expected float32 -> actual float64" in str(comparison)


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("change", [lambda x: x[0, 0], lambda x: x[None], lambda x: x[:1], lambda x: x.T], ids="0123")
def test_another_shape_fails_and_nothing_is_broadcast(tier, change, golden_of, compared):
    """V8: neither a scalar nor a row stands for the whole, though every number is the same."""
    expected = np.ones((4, 8), dtype=np.float32)

    comparison = compared(change(expected), golden_of(expected, tier))

    assert not comparison.passed
    assert "shape expected (4, 8)" in str(comparison)


@pytest.mark.parametrize("tier", ["fingerprint", "slices", "half", "full"])
def test_nan_is_not_equal_to_nan_unless_asked(tier, hidden, golden_of, compared):
    """V7: in every tier; asked for, its place counts."""
    strange = hidden.copy()
    strange[3, 4], strange[5, 6] = np.nan, -np.inf
    moved = strange.copy()
    moved[3, 4], moved[3, 5] = hidden[3, 4], np.nan
    golden = golden_of(strange, tier)

    assert not compared(strange, golden).passed
    assert compared(strange, golden, equal_nan=True).passed
    assert not compared(moved, golden, equal_nan=True).passed
    assert not compared(hidden, golden, equal_nan=True).passed


@pytest.mark.parametrize("tier", TIERS)
def test_masked_logits_may_be_minus_infinity(tier, hidden, golden_of, compared):
    """−Inf in the same places agrees."""
    masked = hidden.copy()
    masked[:, :3] = -np.inf

    assert compared(masked, golden_of(masked, tier)).passed
    assert not compared(hidden, golden_of(masked, tier)).passed


@pytest.mark.parametrize("tier", TIERS)
def test_a_tensor_without_elements_is_no_golden(tier, golden_of):
    """It could be compared with nothing."""
    with pytest.raises(
        InvalidComparison, match=r"b of shape \(0, 4\) has no elements: a golden of it could never pass"
    ):
        golden_of({"a": np.ones(3), "b": np.ones((0, 4))}, tier)


@pytest.mark.parametrize(
    ("value", "says"),
    [
        ("an answer", "golden compares answers and tensors, and this value is neither: str 'an answer'"),
        (None, "golden compares answers and tensors, and this value is neither: NoneType None"),
        ({}, "golden compares answers and tensors, and this value is neither: dict {}"),
        ({"a": [1.0], "b": b"bytes"}, "b: bytes b'bytes' cannot be kept in a golden"),
        ({"a": [1.0], "b": {}}, "b: dict {} cannot be kept in a golden"),
        (object, "is a type; expected a tensor"),
    ],
)
def test_values_without_tensors_are_refused(value, says, golden_of):
    """Text goldens are another matter."""
    with pytest.raises(TypeError) as raised:
        golden_of(value)

    assert says in str(raised.value)


def test_missing_and_unexpected_tensors_fail_by_name(hidden, golden_of, compared):
    """The other tensors are compared all the same, and texts by their value."""
    golden = golden_of({"a": hidden, "b": hidden, "note": "old"})

    comparison = compared({"a": hidden + 1, "c": hidden, "note": "new"}, golden)

    assert [each.path for each in comparison.failures] == ["a", "b", "note", "c"]
    assert "missing, expected float32 of shape (48, 64)" in str(comparison)
    assert "expected 'old' -> actual 'new'" in str(comparison)


def test_integers_are_exact_in_every_tier(golden_of, compared):
    """Token ids beyond 2⁵³ too, which float64 cannot tell apart."""
    ids = np.array([1, 2, 2**53], dtype=np.int64)
    other = np.array([1, 2, 2**53 + 1], dtype=np.int64)

    for tier in TIERS:
        assert compared(ids, golden_of(ids, tier)).passed
        assert not compared(other, golden_of(ids, tier)).passed


STRUCTURE = {"logits": np.array([1.0, 2.0], np.float32), "ids": np.array([3, 400]), "mask": np.array([True, False])}


@pytest.mark.parametrize("tier", TIERS)
@pytest.mark.parametrize("torch_version", ["2.13.0", "2.12.0"])
def test_one_tolerance_for_a_structure_is_for_its_floating_point_tensors(
    tier, torch_version, golden_of, compared, here
):
    """Below half a step of the integers, which is refused for integers alone, and far above it: they are exact.

    In this environment, and of another one.
    """
    golden = golden_of(STRUCTURE, tier, facts=here | {"torch": torch_version})
    near = {**STRUCTURE, "logits": STRUCTURE["logits"] * np.float32(1 + 4e-4)}

    for tol in (Tol(rtol=1e-3, atol_rms=5e-3), Tol(atol=100.0)):
        assert compared(near, golden, tol=tol, cross_tol=tol).passed
        for path, wrong in (("ids", [3, 401]), ("mask", [True, True])):
            comparison = compared({**near, path: np.array(wrong)}, golden, tol=tol, cross_tol=tol)
            assert [each.path for each in comparison.failures] == [path]


def test_a_wrong_integer_beside_floats_names_no_tolerance_that_would_pass(golden_of, compared):
    """It would not."""
    wrong = {**STRUCTURE, "ids": np.array([3, 401])}

    text = str(compared(wrong, golden_of(STRUCTURE), tol=Tol(rtol=1e-3)))

    assert "worst 'ids': 1 of 2 elements differ (50 %)" in text
    assert "would pass" not in text
    assert "  integers beside floating-point tensors must be equal: a tolerance is for those; in a golden of" in text


def test_a_tolerance_for_integers_alone_is_for_them(golden_of, compared):
    """As for quantised codes, which may be off by one; one that no integer can meet is refused."""
    golden = golden_of({"ids": STRUCTURE["ids"], "mask": STRUCTURE["mask"]})
    near = {"ids": np.array([4, 400]), "mask": STRUCTURE["mask"]}

    assert compared(near, golden, tol=Tol(atol=1.0)).passed
    with pytest.raises(ValueError, match=r"^ids: the tolerance \(rtol 0\.0001\) cannot be met"):
        compared(near, golden, tol=Tol(rtol=1e-4))


def test_an_exact_tolerance_is_decided_by_the_digest(hidden, golden_of, compared):
    """One bit of one element that is no probe fails; −0 for 0 does not."""
    values = hidden.astype(np.float64)
    values[0, 0] = 0.0
    golden = golden_of(values, "fingerprint")
    zero, bit = values.copy(), values.copy()
    zero[0, 0] = -0.0
    bit[20, 20] = np.nextafter(bit[20, 20], np.inf)

    assert compared(zero, golden, tol=Tol.exact()).passed
    comparison = compared(bit, golden, tol=Tol.exact())
    assert not comparison.passed
    assert not comparison.undecided
    assert "not equal by SHA-256, ‖Δ‖ is about" in str(comparison)


def test_a_tolerance_within_the_noise_of_its_storage_is_refused(hidden, golden_of, compared):
    """Float16 rounds by 2e-4; ten times that is the least that can be asked, and the message says it."""
    golden = golden_of({"logits": hidden}, "half")

    with pytest.raises(ValueError, match="logits: the tolerance") as raised:
        compared({"logits": hidden}, golden, tol=Tol(rtol=1e-4))

    assert "less than 10 times the golden's own noise floor 0.000" in str(raised.value)
    assert "(rounding to float16): storage and not the model would decide; use tier 'full'" in str(raised.value)
    assert compared({"logits": hidden}, golden, tol=Tol(rtol=1e-3, atol_rms=2.1e-3)).passed


def test_a_tolerance_below_half_a_spacing_is_refused_in_every_tier(hidden, golden_of, compared):
    """As for any comparison of tensors; in a sketch the probes show it."""
    noisy = hidden.copy()
    noisy[0, 0] += 1

    for tier in ("fingerprint", "slices", "full"):
        with pytest.raises(ValueError, match=r"cannot be met.*use Tol\.exact"):
            compared(noisy, golden_of(hidden, tier), tol=Tol(rtol=1e-9))


def test_the_noise_floor_is_measured(hidden, golden_of):
    """Half of a spacing at most, uniform: between 2⁻¹²·|x|/√3 and twice that in float16; none in full."""
    wide = hidden.copy()
    wide[0, 0] = 1e6  # beyond float16

    half, coarse, full = (
        golden_of(value, tier) for value, tier in ((hidden, "half"), (wide, "half"), (hidden, "full"))
    )

    assert half.tensors[0].facts["format"] == "float16"
    assert coarse.tensors[0].facts["format"] == "bfloat16"
    assert 2.0**-12 / 3**0.5 < half.noise < 2.0**-11 / 3**0.5
    assert full.noise == 0
    assert golden_of(hidden.astype(np.float16), "half").noise == 0


def test_logits_are_finest_where_the_distribution_lies(golden_of):
    """With the largest subtracted, the KL of what is kept to the truth is less than a tenth of plain float16's.

    Logits around 100: float16 has a spacing of 0.0625 there, and of 2⁻¹⁰ or less within 2 of the largest.
    """
    logits = 100 + 3 * np.random.default_rng(0).normal(size=(16, 500)).astype(np.float32)
    golden = golden_of(logits, "logits").tensors[0]

    from pytest_llmval.scoring.tensors.distributions import kl_divergence, log_softmax

    plain = kl_divergence(
        log_softmax(logits.astype(float)), log_softmax(logits.astype(np.float16).astype(float))
    ).mean()
    assert 0 < golden.facts["self_kl"] < plain / 10
    assert np.abs(golden.numbers() - logits).max() < 0.01


@pytest.mark.parametrize("strange", [np.nan, np.inf, "row of -inf", "zeros", -1e5])
def test_what_is_no_logits_does_not_fit_into_the_tier(strange, hidden, golden_of):
    """NaN, +Inf, a row without a finite number, beyond float16, zeros alone: kept in full or not at all."""
    values = hidden.copy()
    if strange == "zeros":
        values[:] = 0
    elif strange == "row of -inf":
        values[2] = -np.inf
    else:
        values[2, 3] = strange

    with pytest.raises(ValueError, match=r"not logits that fit into tier 'logits'.*use tier 'full'"):
        golden_of(values, "logits")


def test_numbers_too_large_for_any_half_format_are_refused(golden_of):
    """Instead of infinity."""
    with pytest.raises(ValueError, match="fit neither into float16 nor into bfloat16; use tier 'full'"):
        golden_of(np.array([1e39, 1.0]), "half")


def test_the_default_tier_is_full_within_256_kib():
    """Float32 of 65 536 elements is 256 KiB; one more goes to a fingerprint; earlier goldens of the test count."""
    fits, too_large = np.zeros(65_536, dtype=np.float32), np.zeros(65_537, dtype=np.float32)

    assert chosen_tier("auto", {"": fits}) == "full"
    assert chosen_tier("auto", {"": too_large}) == "fingerprint"
    assert chosen_tier("auto", {"a": fits, "b": fits}) == "fingerprint"
    assert chosen_tier("auto", {"": fits}, budget=1000) == "fingerprint"
    assert chosen_tier("slices", {"": fits}) == "slices"


def test_a_golden_of_another_environment_has_a_wider_tolerance_that_is_named(hidden, golden_of, compared, there):
    """A relative error of 3e-5 is no regression across versions of torch, and is one within this environment."""
    drifted = hidden * np.float32(1 + 3e-5)

    here, across = compared(drifted, golden_of(hidden)), compared(drifted, golden_of(hidden, facts=there))
    wrong = compared(hidden * np.float32(1.001), golden_of(hidden, facts=there))

    assert not here.passed
    assert across.passed
    assert not wrong.passed
    assert str(wrong).startswith(
        "the tensor (48, 64) float32 fails (golden of another environment, full, within rel-L2 across environments): "
        "rel-L2 0.001, allowed 0.0001"
    )
    assert not compared(drifted, golden_of(hidden, facts=there), cross_tol=Tol.torch("float32")).passed


@pytest.mark.parametrize("tier", TIERS)
def test_the_model_in_bfloat16_widens_what_another_environment_may_do(tier, hidden, golden_of, compared, there):
    """Logits are float32 whatever the model computes in: its dtype says how much they may move."""
    noisy = hidden + 0.02 * np.random.default_rng(1).normal(size=hidden.shape).astype(np.float32)
    golden = golden_of(hidden, tier, facts=there | {"model dtype": "float32"})

    assert not compared(noisy, golden, facts=there | {"model dtype": "float32", "torch": "3"}).passed
    assert compared(noisy, golden, facts=there | {"model dtype": "bfloat16"}).passed
    assert not compared(hidden * 1.1, golden, facts=there | {"model dtype": "bfloat16"}).passed


def test_the_message_of_a_sketch_says_what_it_can_and_cannot_show(hidden, golden_of, compared):
    """Estimate with its bound, probes, the row whose energy changed, moments, and from where a single error is seen."""
    wrong = hidden.copy()
    wrong[17] *= 3

    lines = str(compared({"h": wrong}, golden_of({"h": hidden}, "fingerprint"), tol=Tol(rtol=1e-3))).splitlines()

    assert lines[0].startswith("'h' (48, 64) float32 fails (golden, fingerprint, within rtol 0.001): ‖Δ‖ is about 1")
    assert "with 99 % confidence, allowed 0.0" in lines[0]
    assert "; norm of index 17 of axis 0: 7.44 -> 22.3" in lines[0]  # three times as much
    assert lines[1].startswith("  norm 55.2 -> 59.1, mean -0.0306 -> -0.0176, range [-3.9, 3.07]")
    assert lines[2].startswith(
        "  the golden keeps 64 projections and 32 probes: an error in one other element is seen "
    )
    assert lines[2].endswith("tier='full' would show every element")


def test_complex_numbers_and_zero_dimensional_tensors_are_kept(golden_of, compared):
    """Shapes stay what they are, and a phase that turns is a fault."""
    value = {"c": np.exp(1j * np.arange(6.0)).reshape(2, 3), "z": torch.tensor(3.0)}

    for tier in TIERS:
        golden = golden_of(value, tier)
        assert compared(value, golden).passed, tier
        assert not compared({**value, "c": value["c"] * 1j}, golden).passed
        assert not compared({**value, "z": torch.tensor(3.5)}, golden).passed


@pytest.mark.parametrize("tier", ["fingerprint", "slices", "full"])
@pytest.mark.parametrize("dtype", [np.float32, np.int32])
def test_ulps_are_allowed_in_every_tier_that_keeps_the_format(tier, dtype, hidden, golden_of, compared):
    """Two steps everywhere pass at four and fail at one; of integers a step is 1."""
    expected = (hidden * 1000).astype(dtype)
    actual = expected + 2 * (np.spacing(expected) if dtype is np.float32 else np.ones_like(expected))
    golden = golden_of(expected, tier)

    assert compared(actual, golden, tol=Tol.ulp(4)).passed
    assert not compared(actual, golden, tol=Tol.ulp(1)).passed


@pytest.mark.parametrize("tier", ["fingerprint", "slices", "half", "full"])
def test_a_tensor_of_zeros_or_of_nothing_finite_is_compared_too(tier, golden_of, compared):
    """No relative error exists there, and nothing is divided by zero."""
    zeros, never = np.zeros((3, 4), dtype=np.float32), np.full(5, np.nan)

    assert compared(zeros, golden_of(zeros, tier)).passed
    assert not compared(zeros + 1, golden_of(zeros, tier)).passed
    assert compared(zeros, golden_of(zeros, tier), tol=Tol(rtol=1e-2)).passed
    assert compared(never, golden_of(never, tier), equal_nan=True).passed
    assert not compared(np.zeros(5), golden_of(never, tier), equal_nan=True).passed
