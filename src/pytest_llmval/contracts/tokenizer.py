"""The contract of a tokenizer, as tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pytest_llmval.contracts.profiles import tell
from pytest_llmval.errors import CapabilityMissing, ModelRegression
from pytest_llmval.scoring.contract import concluded
from pytest_llmval.scoring.tokens.capabilities import flips_of
from pytest_llmval.scoring.tokens.contract import ContractReport
from pytest_llmval.scoring.tokens.tokenizer.contract import check_tokenizer
from pytest_llmval.scoring.tokens.tokenizer.equality import assert_tokenizers_equal
from pytest_llmval.scoring.tokens.tokenizer.probing import probe_tokenizer

if TYPE_CHECKING:
    from collections.abc import Sequence


class TokenizerContract:
    """What every tokenizer keeps, and what this one must not lose against its baseline."""

    examples: ClassVar[Sequence[str] | None] = None
    """Texts to try; by default about a thousand that are built in or made of the vocabulary."""
    long_text: ClassVar[int] = 1_000_000
    """Characters of the longest text."""

    def test_keeps_what_every_tokenizer_must(self, tokenizer: Any) -> None:
        """Ids, offsets, batches, streamed decoding, special tokens, truncation and padding are sound for every text."""
        report = check_tokenizer(tokenizer, examples=self.examples, long_text=self.long_text)
        tell(report.profile, "tokenizer")

        concluded(report)

    def test_can_do_what_the_baseline_can(self, request: pytest.FixtureRequest, baseline_tokenizer: Any) -> None:
        """No capability flipped: lossless, normalisation, BOS and EOS, special tokens and their ids."""
        try:
            tokenizer = request.getfixturevalue("tokenizer")
        except CapabilityMissing as error:
            msg = f"tokenizer: the baseline has one -> {error}"
            raise ModelRegression(msg) from error

        found = probe_tokenizer(tokenizer)

        concluded(ContractReport("tokenizer", found, (), flips=flips_of(found, probe_tokenizer(baseline_tokenizer))))

    @pytest.mark.llmval_same_weights
    def test_gives_the_ids_of_the_baseline(self, tokenizer: Any, baseline_tokenizer: Any) -> None:
        """The same weights need the same ids for every text."""
        assert_tokenizers_equal(tokenizer, baseline_tokenizer, self.examples)
