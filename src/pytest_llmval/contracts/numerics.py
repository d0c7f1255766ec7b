"""The contract of a model's numbers, as tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pytest_llmval.contracts.kv_cache import assert_own_cache_valid
from pytest_llmval.contracts.loss import assert_loss_is_mean_nll, total_loss
from pytest_llmval.contracts.model_profile import probe_model
from pytest_llmval.contracts.profiles import tell
from pytest_llmval.contracts.prompts import prompts_for
from pytest_llmval.contracts.weights import assert_no_constant_matrix
from pytest_llmval.errors import LlmvalError
from pytest_llmval.numeric_asserts import assert_layers_close
from pytest_llmval.scoring.contract import concluded
from pytest_llmval.scoring.tensors.finite import assert_finite, compare_finite
from pytest_llmval.scoring.tensors.invariances.batch import padded
from pytest_llmval.scoring.tensors.invariances.batching import assert_batch_invariant
from pytest_llmval.scoring.tensors.invariances.cached import SCHEDULES, Schedule
from pytest_llmval.scoring.tensors.invariances.causality import assert_causal
from pytest_llmval.scoring.tensors.invariances.decoding import assert_decode_matches_prefill
from pytest_llmval.scoring.tensors.invariances.determinism import assert_deterministic
from pytest_llmval.scoring.tensors.invariances.kv_consistency import assert_kv_consistent
from pytest_llmval.scoring.tensors.invariances.pad_content import assert_pad_content_irrelevant
from pytest_llmval.scoring.tensors.invariances.padding import assert_pad_invariant
from pytest_llmval.scoring.tensors.invariances.rows import assert_row_isolation, assert_row_permutation_equivariant
from pytest_llmval.scoring.tensors.invariances.shifting import assert_position_shift_invariant, context_of
from pytest_llmval.scoring.tensors.invariances.subject import in_float32, subject_of
from pytest_llmval.scoring.tensors.losses import assert_loss_partition_invariant
from pytest_llmval.scoring.tokens.capabilities import flips_of
from pytest_llmval.scoring.tokens.contract import ContractReport
from pytest_llmval.scoring.tokens.tokenizer.model_vocabulary import assert_vocab_compatible
from pytest_llmval.stash import skip

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.invariances.shapes import Judging

Rows = tuple[tuple[int, ...], ...]

_SHIFTS = (1, 7, 64)


class NumericsContract:
    """What every causal language model of transformers keeps: its logits depend on what they should, and on no more.

    Changes that keep the shape of a batch must keep every bit. Changes of shape may cost rounding, and are judged in
    float32 whatever the precision of the model, since no fault hides in rounding there.
    """

    prompts: ClassVar[Any] = None
    """Texts or token ids; by default 103 random ids in four rows."""
    seed: ClassVar[int] = 0
    """Of the built-in prompts and of the tokens that are put in."""
    allow_noise: ClassVar[bool] = False
    """Whether a model that does not repeat itself bit by bit may pass within its own noise."""
    judging: ClassVar[Judging] = {}
    """How changes of shape are judged: `level`, `max_rel_l2` or `control`; see `Judging`."""
    schedules: ClassVar[tuple[Schedule, ...]] = SCHEDULES
    """Steps in which prompts are read with a key-value cache."""

    @pytest.fixture
    def llmval_tokenizer(self, request: pytest.FixtureRequest) -> Any:
        """The tokenizer where there is one that can be read: numbers need none."""
        try:
            return request.getfixturevalue("tokenizer")
        except LlmvalError:
            return None

    @pytest.fixture
    def llmval_rows(self, torch_model: Any, llmval_tokenizer: Any) -> Rows:
        """Token ids of the prompts."""
        return prompts_for(self.prompts, torch_model, llmval_tokenizer, self.seed)

    @pytest.fixture
    def llmval_model(self, torch_model: Any, llmval_rows: Rows) -> Any:
        """The model, once its logits are finite: of NaN there is nothing more to say."""
        found = compare_finite(_logits(torch_model, llmval_rows))
        if not found.passed:
            skip("the logits are not finite")
        return torch_model

    def test_weights_are_finite(self, torch_model: Any) -> None:
        """No weight is NaN or infinite."""
        assert_finite(torch_model.state_dict())

    def test_no_weight_matrix_is_constant(self, torch_model: Any) -> None:
        """No weight matrix is filled with zeros or another single value."""
        assert_no_constant_matrix(torch_model)

    def test_every_token_has_an_embedding(self, torch_model: Any, tokenizer: Any) -> None:
        """The embedding has a row for every id, and tokenizer and configs agree about BOS, EOS and padding."""
        assert_vocab_compatible(torch_model, tokenizer)

    def test_logits_are_finite(self, torch_model: Any, llmval_rows: Rows) -> None:
        """No logit is NaN or infinite."""
        tell(probe_model(torch_model), "model")

        assert_finite(_logits(torch_model, llmval_rows))

    def test_runs_repeat_themselves(self, llmval_model: Any, llmval_rows: Rows) -> None:
        """The same batch gives the same bits, run after run."""
        assert_deterministic(llmval_model, llmval_rows, seed=self.seed)

    def test_later_tokens_do_not_matter(self, llmval_model: Any, llmval_rows: Rows) -> None:
        """Causality: no bit up to a position changes when all tokens after it are replaced."""
        assert_causal(llmval_model, llmval_rows, seed=self.seed, allow_noise=self.allow_noise)

    def test_other_rows_do_not_matter(self, llmval_model: Any, llmval_rows: Rows) -> None:
        """No bit of a row changes when all other rows of its batch are replaced."""
        assert_row_isolation(llmval_model, llmval_rows, seed=self.seed, allow_noise=self.allow_noise)

    def test_order_of_rows_does_not_matter(self, llmval_model: Any, llmval_rows: Rows) -> None:
        """No bit of a row changes with its place in the batch."""
        assert_row_permutation_equivariant(llmval_model, llmval_rows, seed=self.seed, allow_noise=self.allow_noise)

    def test_content_of_padding_does_not_matter(self, llmval_model: Any, llmval_rows: Rows) -> None:
        """No bit changes when the ids under the mask are replaced, on either side."""
        assert_pad_content_irrelevant(llmval_model, llmval_rows, seed=self.seed, allow_noise=self.allow_noise)

    def test_padding_does_not_matter(self, llmval_model: Any, llmval_rows: Rows) -> None:
        """Columns of padding, on either side and of any number, change nothing."""
        assert_pad_invariant(llmval_model, llmval_rows, seed=self.seed, **self.judging)

    def test_company_in_a_batch_does_not_matter(self, llmval_model: Any, llmval_rows: Rows) -> None:
        """A prompt gives alone what it gives in a batch."""
        assert_batch_invariant(llmval_model, llmval_rows, seed=self.seed, **self.judging)

    def test_only_distances_of_positions_matter(self, llmval_model: Any, llmval_rows: Rows) -> None:
        """A model with rotary positions gives the same when all positions are shifted."""
        _skip_without(llmval_model, "takes_position_ids", "has_rotary_positions")

        shifts = _shifts(llmval_model, llmval_rows)
        assert_position_shift_invariant(llmval_model, llmval_rows, shifts=shifts, seed=self.seed, **self.judging)

    def test_decoding_equals_prefill(self, llmval_model: Any, llmval_rows: Rows) -> None:
        """Read in steps with a cache, in whatever steps, a prompt gives what it gives in one pass."""
        _skip_without(llmval_model, "keeps_key_value_cache")

        assert_decode_matches_prefill(
            llmval_model, llmval_rows, schedules=self.schedules, seed=self.seed, **self.judging
        )

    def test_key_value_cache_is_valid(self, llmval_model: Any, llmval_rows: Rows) -> None:
        """The cache has finite numbers, the right shapes and length, and memory that no other request uses."""
        _skip_without(llmval_model, "keeps_key_value_cache")

        assert_own_cache_valid(llmval_model, llmval_rows)

    def test_key_value_cache_does_not_depend_on_steps(self, llmval_model: Any, llmval_rows: Rows) -> None:
        """Every layer, head and position has the same keys and values however the prompt was read."""
        _skip_without(llmval_model, "keeps_key_value_cache")

        assert_kv_consistent(llmval_model, llmval_rows, schedules=self.schedules, seed=self.seed, **self.judging)

    def test_loss_is_that_of_the_next_tokens(self, llmval_model: Any, llmval_rows: Rows) -> None:
        """With labels, the loss is the mean negative logprob of each next token, padding left out."""
        _skip_without(llmval_model, "gives_loss")

        assert_loss_is_mean_nll(llmval_model, llmval_rows)

    def test_loss_does_not_depend_on_batching(self, llmval_model: Any, llmval_rows: Rows) -> None:
        """However rows are batched and padded, the loss over all tokens is the same."""
        _skip_without(llmval_model, "gives_loss")

        assert_loss_partition_invariant(total_loss(_in_float32(llmval_model)), llmval_rows)

    def test_can_do_what_the_baseline_can(self, torch_model: Any, baseline_torch_model: Any) -> None:
        """No capability is lost: position ids, rotary positions, key-value cache, loss."""
        found, known = probe_model(torch_model), probe_model(baseline_torch_model)

        lost = tuple(flip for flip in flips_of(found, known) if flip.baseline)
        concluded(ContractReport("model", found, (), flips=lost))

    @pytest.mark.llmval_same_weights
    def test_layers_are_those_of_the_baseline(
        self, llmval_model: Any, baseline_torch_model: Any, llmval_rows: Rows
    ) -> None:
        """With the same weights, no layer differs by more than rounding."""
        assert_layers_close(llmval_model, baseline_torch_model, llmval_rows)


def _logits(model: Any, rows: Rows) -> dict[str, Any]:
    """Logits of each prompt, `[tokens, vocabulary]`."""
    found = subject_of(model).logits(padded(rows))
    return {f"prompt {place}": each.floats for place, each in enumerate(found)}


def _skip_without(model: Any, *capabilities: str) -> None:
    profile = probe_model(model)
    for name in capabilities:
        if not getattr(profile, name):
            skip(profile.examples[name])


def _shifts(model: Any, rows: Rows) -> tuple[int, ...]:
    """The usual shifts that stay in the model's context."""
    context, longest = context_of(model), max(map(len, rows))
    shifts = tuple(shift for shift in _SHIFTS if context is None or longest + shift <= context)
    if not shifts:
        skip(f"prompts of {longest} tokens leave no room to shift in a context of {context}")
    return shifts


def _in_float32(model: Any) -> Any:
    subject = subject_of(model)
    return in_float32(subject).module if subject.is_half else model
