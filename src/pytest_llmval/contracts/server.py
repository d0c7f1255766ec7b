"""The contract of a server, as tests."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, ClassVar

import pytest

from pytest_llmval.scoring.contract import concluded
from pytest_llmval.scoring.serving.contract.asking import PROMPTS
from pytest_llmval.scoring.serving.contract.concurrency import check_concurrency
from pytest_llmval.scoring.serving.contract.context import check_context, context_length_of
from pytest_llmval.scoring.serving.contract.greedy import check_greedy
from pytest_llmval.scoring.serving.contract.likelihood import check_likelihood
from pytest_llmval.scoring.serving.contract.logprobs import check_logprobs
from pytest_llmval.scoring.serving.contract.seeds import check_seed
from pytest_llmval.scoring.serving.contract.stopping import check_stop
from pytest_llmval.scoring.serving.contract.streaming import check_streaming
from pytest_llmval.scoring.serving.contract.template import check_chat_template
from pytest_llmval.scoring.serving.contract.tolerance import USUAL, Tolerance
from pytest_llmval.scoring.serving.contract.usage import check_usage
from pytest_llmval.stash import candidate_of, skip

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.scoring.serving.contract.report import ServerReport


class ServerContract:
    """What every server keeps: it gives what it was asked for, and what the model says.

    What a server says it cannot do is skipped. What it takes with status 200 and does not do fails. The model itself
    is the reference: the same weights in the local engine, where `reference = "…"` of the version names them.
    """

    prompts: ClassVar[Sequence[str]] = PROMPTS
    """Plain texts that the model goes on with; a few of them are asked as conversations too."""
    context_length: ClassVar[int | None] = None
    """Tokens, prompt and answer together; by default as the config of the reference says."""
    tolerance: ClassVar[Tolerance] = USUAL
    """By how much logprobs may differ from the reference's, and when two tokens are a tie."""

    @pytest.fixture(autouse=True)
    def llmval_answers_text(self, request: pytest.FixtureRequest) -> None:
        """A folder without a tokenizer answers no text in the engine: there is no server to look at."""
        if candidate_of(request.config).is_engine:
            request.getfixturevalue("tokenizer")

    @pytest.fixture
    def llmval_reference(self, request: pytest.FixtureRequest) -> Any:
        """The same weights in the local engine, None where there are none: some checks can do without."""
        try:
            return request.getfixturevalue("reference_llm")
        except pytest.skip.Exception:
            return None

    def test_streams_what_it_answers_whole(self, llm: Any) -> None:
        """A streamed answer is the whole one: text, finish reason and usage, also with a stop string."""
        _conclude(check_streaming(llm, self.prompts))

    def test_ends_before_stop_strings(self, llm: Any) -> None:
        """The answer ends before the first stop string, within a word or across words, with finish reason `stop`."""
        _conclude(check_stop(llm, self.prompts))

    def test_seed_decides_what_is_sampled(self, llm: Any) -> None:
        """The same seed gives the same text, and others another one."""
        _conclude(check_seed(llm, self.prompts))

    def test_company_does_not_change_answers(self, llm: Any, llmval_reference: Any) -> None:
        """A prompt gives the same greedy text alone and among others, each time."""
        _conclude(check_concurrency(llm, self.prompts, llmval_reference, self.tolerance))

    def test_usage_counts_are_true(self, llm: Any, llmval_reference: Any) -> None:
        """Tokens in and out are counted as they are."""
        _conclude(check_usage(llm, self.prompts, llmval_reference))

    def test_context_length_is_respected(self, llm: Any, llmval_reference: Any) -> None:
        """A prompt that is too long is refused, an answer ends where the context does, and the server lives on."""
        length = self.context_length or (llmval_reference and context_length_of(llmval_reference.tokenizer))
        if not length:
            skip('the context length is not known: name the model with reference = "…", or set context_length')

        _conclude(check_context(llm, length, llmval_reference))

    def test_logprobs_are_those_of_the_model(self, llm: Any, llmval_reference: Any) -> None:
        """Asked for logprobs, they come back: one a token, natural, and as the reference's."""
        _conclude(check_logprobs(llm, self.prompts, llmval_reference, self.tolerance))

    def test_loglikelihoods_are_those_of_the_model(self, llm: Any, reference_llm: Any) -> None:
        """Logprobs of a prompt's tokens are those of the reference's forward pass, and not of its neighbours."""
        _conclude(check_likelihood(llm, reference_llm, self.prompts, self.tolerance))

    def test_chat_template_is_applied_once(self, llm: Any, reference_llm: Any) -> None:
        """A conversation has the tokens of the reference's rendering, one BOS, and its greedy answer."""
        _conclude(check_chat_template(llm, reference_llm, self.prompts, self.tolerance))

    def test_greedy_answers_are_those_of_the_model(self, llm: Any, reference_llm: Any) -> None:
        """Plain prompts give the reference's greedy texts; ties are told."""
        _conclude(check_greedy(llm, reference_llm, self.prompts, self.tolerance))


def _conclude(report: ServerReport) -> None:
    """Tell what differs and may, which pytest keeps with the test (`-rP` shows it)."""
    __tracebackhide__ = True
    concluded(report)
    if report.notes:
        print(report)  # noqa: T201 - it is told
