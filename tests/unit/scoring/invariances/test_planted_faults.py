"""Faults in one batch shape: found without any tolerance, and told apart."""

from __future__ import annotations

import re

import pytest
import torch

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.invariances.causality import assert_causal
from pytest_llmval.scoring.tensors.invariances.determinism import assert_deterministic
from pytest_llmval.scoring.tensors.invariances.pad_content import assert_pad_content_irrelevant
from pytest_llmval.scoring.tensors.invariances.rows import assert_row_isolation, assert_row_permutation_equivariant

CHECKS = {
    "isolation": assert_row_isolation,
    "permutation": assert_row_permutation_equivariant,
    "causality": assert_causal,
    "pad content": assert_pad_content_irrelevant,
}
KINDS = [
    pytest.param((attention, dtype), id=f"{attention} {dtype}")
    for attention in ("eager", "sdpa")
    for dtype in (torch.float32, torch.bfloat16)
]


def noticed_by(model, prompts):
    """Names of the checks that fail."""
    found = set()
    for name, check in CHECKS.items():
        try:
            check(model, prompts)
        except ModelRegression:
            found.add(name)
    return found


@pytest.mark.parametrize("kind", KINDS)
@pytest.mark.parametrize(
    "planted",
    [
        ("leak_batch_mean", {"isolation"}),
        ("quantize_per_tensor", {"isolation", "causality", "pad content"}),
        ("weaken_mask", {"causality", "pad content"}),
        ("leak_future", {"causality"}),
        ("scale_by_row", {"permutation"}),
    ],
)
def test_a_planted_fault_is_noticed_by_the_checks_made_for_it(fresh, fault, prompts, kind, planted):
    """At least by these; a batch mean also depends on the order of its rows, by rounding."""
    name, noticed = planted
    model = fault[name](fresh("llama", *kind))

    found = noticed_by(model, prompts)

    assert noticed <= found
    assert found <= noticed | {"permutation", "pad content"}


@pytest.mark.parametrize("name", ["leak_batch_mean", "leak_future", "quantize_per_tensor"])
def test_faults_are_found_in_another_architecture(fresh, fault, prompts, name):
    """Learned positions, no rotary ones."""
    assert noticed_by(fault[name](fresh("gpt2")), prompts)


def test_the_mean_over_a_batch_depends_on_its_order_in_float32(fresh, fault, prompts):
    """Sums in another order round otherwise: one ULP is enough."""
    with pytest.raises(
        ModelRegression, match=r"^row permutation equivariance fails: with the rows in the order 3, 2, 1"
    ):
        assert_row_permutation_equivariant(fault["leak_batch_mean"](fresh(), 0.1), prompts)


def test_the_message_says_which_row_changes_where_and_what_that_means(fresh, fault, prompts, tokenizer):
    """Headline, first and worst place in ULP, how much, and the usual cause."""
    texts = [" ".join(f"w{token}" for token in row) for row in prompts]

    with pytest.raises(ModelRegression) as raised:
        assert_row_isolation(fault["leak_batch_mean"](fresh()), texts, tokenizer=tokenizer)

    lines = str(raised.value).splitlines()
    assert re.fullmatch(
        r"row isolation fails: with the other rows of row 0 replaced, row 0 at position 0 \(token 'w\d+'\) differs",
        lines[0],
    )
    assert re.fullmatch(
        r"  first: logit of token 'w\d+' expected (\S+) -> actual (?!\1)\S+ "
        r"\([\d.]+e\+\d\d ULP of float32\), rel-L2 0\.0\d+",
        lines[1],
    )
    assert re.fullmatch(
        r"  worst: row \d at position \d+ \(token 'w\d+'\): logit of .* ULP of float32\), rel-L2 0\.\d+", lines[2]
    )
    # The longest row begins with 3 columns in which the others have padding, which stays as it is.
    assert lines[3] == "  beyond what is allowed: 35 of 38 positions (92.1 %), in 4 of 4 changes"
    assert lines[4] == "  judged bit by bit"
    assert lines[5].startswith("  with the other rows of row 0 replaced: 5 of 5 positions, largest rel-L2 0.0")
    assert lines[-1].startswith(
        "  it usually means: something is computed across the batch, for example a dynamic activation scale, a batch"
    )


def test_a_leak_of_one_position_is_named_at_the_cut(fresh, fault, prompts):
    """The position before the first replaced token is the one that saw it."""
    with pytest.raises(ModelRegression) as raised:
        assert_causal(fault["leak_future"](fresh()), prompts, cuts=[6])

    assert f"with the tokens after position 6 replaced, row 1 at position 6 (token {prompts[1][6]}) differs" in str(
        raised.value
    )
    assert "a position sees tokens after it: the causal mask is missing, shifted or too weak" in str(raised.value)


def test_padding_on_the_right_of_a_weak_mask_is_hidden_by_causality(fresh, fault, prompts):
    """Only on the left does the attention mask have to do its work."""

    def ignoring(input_ids, attention_mask):
        return model(input_ids=input_ids, attention_mask=torch.ones_like(attention_mask)).logits

    model = fresh()

    assert assert_pad_content_irrelevant(ignoring, prompts, sides=("right",)).passed
    with pytest.raises(ModelRegression, match="with the padding on the left replaced, row 0 at position 0"):
        assert_pad_content_irrelevant(ignoring, prompts)


@pytest.mark.parametrize("check", CHECKS.values())
def test_a_forward_that_does_not_read_its_tokens_decides_nothing(check, prompts):
    """Constant logits are invariant under everything."""
    with pytest.raises(InvalidComparison) as raised:
        check(lambda ids, _mask: torch.ones(*ids.shape, 96), prompts)

    assert "cannot be decided: the logits of row 0 at position 4 stay the same when that very token is" in str(
        raised.value
    )


def test_logits_of_the_wrong_row_are_dead(llama, prompts):
    """Every row must answer to its own tokens: here each gets those of the last."""

    def last_row(input_ids, attention_mask):
        logits = llama(input_ids=input_ids[-1:], attention_mask=attention_mask[-1:]).logits
        return logits.expand(len(input_ids), -1, -1)

    alike = [prompts[3], [*prompts[3][:-1], 5]]
    with pytest.raises(ModelRegression, match="with the other rows of row 0 replaced, row 0"):
        assert_row_isolation(last_row, alike)


class Noisy:
    """A model with noise of a relative size on each run, and perhaps a leak between rows."""

    def __init__(self, model, leak=0.0):
        self.model, self.leak, self.generator = model, leak, torch.Generator().manual_seed(0)

    def __call__(self, input_ids, attention_mask):
        """Logits with noise."""
        logits = self.model(input_ids=input_ids, attention_mask=attention_mask).logits
        noise = torch.randn(logits.shape, generator=self.generator)
        return logits * (1 + 1e-4 * noise) + self.leak * logits.mean(dim=0, keepdim=True)


def test_a_model_that_does_not_repeat_itself_shows_nothing(llama, prompts):
    """Unless the weaker check is accepted, which says so."""
    with pytest.raises(InvalidComparison) as raised:
        assert_row_isolation(Noisy(llama), prompts)
    report = assert_row_isolation(Noisy(llama), prompts, allow_noise=True)

    assert str(raised.value).startswith(
        "row isolation cannot be decided: the model does not repeat itself on one and the same batch (rel-L2 0.000"
    )
    assert "accept the weaker check by allow_noise=True" in str(raised.value)
    assert "note: judged within rel-L2" in str(report)
    assert "3 times what two runs of one batch differ by, as the model does not repeat itself" in str(report)


@pytest.mark.parametrize("allow_noise", [False, True])
def test_a_leak_beyond_the_noise_is_a_regression_all_the_same(llama, prompts, allow_noise):
    """What is shown needs no determinism."""
    with pytest.raises(ModelRegression, match=r"^row isolation fails"):
        assert_row_isolation(Noisy(llama, leak=0.01), prompts, allow_noise=allow_noise)


def passes_transformers_check(first, second):
    """The rule of transformers' own determinism test: NaN dropped on each side by itself, then 1e-5 (V2)."""
    ours, theirs = (side.flatten()[~side.flatten().isnan()] for side in (first, second))
    return bool((ours - theirs).abs().max() <= 1e-5)


class Alternating:
    """Logits of a row of tokens that differ between even and odd runs."""

    def __init__(self, *outputs):
        self.outputs, self.runs = outputs, 0

    def __call__(self, input_ids, attention_mask):  # noqa: ARG002 - what a function is given
        """The next of the outputs, at every position."""
        self.runs += 1
        return input_ids[..., None] + torch.tensor(self.outputs[self.runs % len(self.outputs)])


@pytest.mark.parametrize(
    ("outputs", "message"),
    [
        (([torch.nan, 1.0, 2.0], [1.0, 2.0, torch.nan]), "not finite"),
        (([0.0, 1.0, 2.0], [0.0, 1.0, 2.000005]), "ULP of float32"),
        (([torch.nan, 1.0, 2.0], [torch.nan, 1.0, 2.0]), "expected nan -> actual nan (not finite)"),
    ],
    ids=["NaN moves", "drift below 1e-5", "NaN stays"],
)
def test_nan_and_drift_are_no_determinism(outputs, message):
    """V2: transformers' check drops NaN on both sides independently and allows 1e-5; it passes here."""
    prompt = [1, 1, 1]
    model = Alternating(*outputs)
    runs = [model(torch.tensor([prompt]), None) - 1 for _ in range(2)]

    with pytest.raises(ModelRegression) as raised:
        assert_deterministic(Alternating(*outputs), prompt)

    assert passes_transformers_check(*runs)
    assert str(raised.value).startswith("determinism fails: in run ")
    assert "row 0 at position 0 (token 1) differs" in str(raised.value)
    assert message in str(raised.value)


def test_dropout_left_on_in_a_part_is_found(fresh, prompts):
    """The model says it is in evaluation mode, one layer is not."""
    model = fresh()
    model.model.layers[1].mlp.register_forward_hook(lambda _m, _i, output: torch.dropout(output, 0.1, train=True))

    with pytest.raises(ModelRegression, match="determinism fails: in run 2 of 3, row 0 at position 0") as raised:
        assert_deterministic(model, prompts)

    assert "dropout is on in a part of the model" in str(raised.value)


def test_logits_of_forbidden_tokens_may_be_minus_infinity(llama, prompts):
    """They are equal on both sides, and hide no difference elsewhere."""

    def forbidding(size):
        def logits(input_ids, attention_mask):
            found = llama(input_ids=input_ids, attention_mask=attention_mask).logits
            found = found + size * found.mean(dim=0, keepdim=True)
            found[..., 7] = -torch.inf
            return found

        return logits

    assert assert_row_isolation(forbidding(0.0), prompts).deviation == 0
    with pytest.raises(ModelRegression, match=r"rel-L2 0\.00"):
        assert_row_isolation(forbidding(1e-3), prompts)
