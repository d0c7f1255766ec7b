"""The server contract against a real server process: the sound one passes, and every defect is found by its check."""

from __future__ import annotations

import re
from typing import Any

import pytest

from pytest_llmval.case_sets.decoding import decoding_from
from pytest_llmval.case_sets.message import messages_from
from pytest_llmval.errors import CapabilityMissing, InvalidComparison, RequestRefused
from pytest_llmval.scoring.serving.contract.concurrency import check_concurrency
from pytest_llmval.scoring.serving.contract.context import check_context
from pytest_llmval.scoring.serving.contract.greedy import check_greedy
from pytest_llmval.scoring.serving.contract.likelihood import check_likelihood
from pytest_llmval.scoring.serving.contract.logprobs import check_logprobs
from pytest_llmval.scoring.serving.contract.seeds import check_seed
from pytest_llmval.scoring.serving.contract.stopping import check_stop
from pytest_llmval.scoring.serving.contract.streaming import check_streaming
from pytest_llmval.scoring.serving.contract.template import check_chat_template
from pytest_llmval.scoring.serving.contract.usage import check_usage
from pytest_llmval.servers.exchange import Request

pytestmark = pytest.mark.servers

# The tiny model's tokenizer has 6 tokens for the first: BOS, "The", " opening", " hours", " a", "re".
PROMPTS = ("The opening hours are", "Question: what does a lost card cost? Answer:", "Grüße aus Köln, 東京 und")
CONTEXT = 128
"""Of the tiny model."""


class Handle:
    """A server as `llm` has it, asked without a run."""

    version = "tiny"

    def __init__(self, server: Any) -> None:
        self.server = server
        self.capabilities = server.capabilities
        self.findings = server.findings
        self.logits = server.logits

    @property
    def tokenizer(self) -> Any:
        """The engine's."""
        return self.server.tokenizer

    def _ask(self, requests: list, *, stream: bool = False) -> list:
        return self.server.answer_in_pieces(requests) if stream else self.server.answer(requests)

    def generate(self, prompt: Any, *, seed: int = 0, stream: bool = False, **decoding: Any) -> Any:
        """The answer to a prompt, or to several."""
        several = [prompt] if isinstance(prompt, str) else prompt
        found = self._ask([Request(each, (), decoding_from(**decoding), seed) for each in several], stream=stream)
        return found[0] if isinstance(prompt, str) else found

    def chat(self, messages: Any, *, seed: int = 0, stream: bool = False, **decoding: Any) -> Any:
        """The answer to a conversation, or to several."""
        is_one = not isinstance(messages[0], list | tuple)
        several = [messages] if is_one else messages
        requests = [Request(messages_from(each), (), decoding_from(**decoding), seed) for each in several]
        found = self._ask(requests, stream=stream)
        return found[0] if is_one else found

    def loglikelihood(self, context: str, continuation: str, *, unverified: bool = False) -> Any:
        """Of a continuation."""
        if not unverified or not self.findings:
            return self.server.loglikelihood([(context, continuation)])[0]
        reply = self.server._transport.post(self.server._echo(context + continuation))
        return self.server._read(reply, context, continuation).likelihood


CHECKS = {
    "streaming": lambda llm, _: check_streaming(llm, PROMPTS),
    "stop strings": lambda llm, _: check_stop(llm, PROMPTS),
    "seed": lambda llm, _: check_seed(llm, PROMPTS),
    "concurrency": lambda llm, reference: check_concurrency(llm, PROMPTS, reference),
    "usage": lambda llm, reference: check_usage(llm, PROMPTS, reference),
    "context length": lambda llm, reference: check_context(llm, CONTEXT, reference),
    "logprobs": lambda llm, reference: check_logprobs(llm, PROMPTS, reference),
    "prompt log-likelihood": lambda llm, reference: check_likelihood(llm, reference, PROMPTS),
    "chat template": lambda llm, reference: check_chat_template(llm, reference, PROMPTS),
    "greedy answers": lambda llm, reference: check_greedy(llm, reference, PROMPTS),
}


@pytest.fixture
def reference(engine):
    """The engine over the folder that the process serves."""
    return Handle(engine)


@pytest.fixture
def held(connect, served, reference):
    """A function that switches defects on, looks at what the server does and holds it to checks: reports by name.

    A check that is skipped gives the reason instead.
    """

    def hold(*names: str, **defects: Any) -> dict[str, Any]:
        served.suffer(**defects)
        llm = Handle(connect())
        reports = {}
        for name in names or CHECKS:
            try:
                reports[name] = CHECKS[name](llm, reference)
            except CapabilityMissing as missing:
                reports[name] = str(missing)
        return reports

    return hold


def failures(reports: dict[str, Any]) -> dict[str, str]:
    """The messages of the checks that failed."""
    return {name: str(each) for name, each in reports.items() if not isinstance(each, str) and not each.passed}


def skips(reports: dict[str, Any]) -> dict[str, str]:
    """The reasons of the checks that were skipped."""
    return {name: each for name, each in reports.items() if isinstance(each, str)}


def test_the_engine_keeps_the_contract(reference):
    """Against itself, all but streaming, which it does not do or does soundly."""
    for name, check in CHECKS.items():
        if name != "streaming" or reference.capabilities.streaming:
            report = check(reference, reference)
            assert report.passed, str(report)
            assert report.compared


def test_a_sound_server_keeps_the_contract(held):
    """All checks pass, none for want of something to look at, and nothing has to be excused."""
    reports = held()

    assert failures(reports) == skips(reports) == {}
    assert all(each.compared >= len(PROMPTS) for each in reports.values())
    assert [each.notes for each in reports.values() if each.notes] == []


DEFECTS = [
    (
        {"strips_pieces": True},
        "streaming",
        r"asked prompt '.*', in pieces\n +came back: text '.*'\n +expected: .* as in one",
    ),
    ({"keeps_stop": True}, "stop strings", r", stop=\['.*'\]\n.*: it ends at the stop string, but has it in it\n"),
    ({"ignores_stop": True}, "stop strings", r": the stop string does nothing\n +expected: '.*', finish reason 'stop'"),
    ({"finish_reason": "length"}, "stop strings", r"came back: the right text, but finish reason 'length'"),
    ({"ignores_seed": True}, "seed", r"seed=1, twice\n +came back: '.*' and '.*': a seed that does nothing\n"),
    (
        {"one_seed": True},
        "seed",
        r"seeds 1, 2, 3, 4\n.* each time, while the greedy text is '.*': a seed that does noth",
    ),
    (
        {"stays_greedy": True},
        "seed",
        r"each time, the greedy text: a temperature that does nothing, and so does the seed",
    ),
    ({"company_tells": True}, "concurrency", r"alone '.*' \(3 times\); among others '.*' \(\d times\).*\n.*one text"),
    ({"more_in": 2}, "usage", r"usage counts 8 tokens in\n +expected: 6, as the reference's tokenizer"),
    ({"more_out": 2}, "usage", r"usage counts 26 tokens out\n +expected: 24, since max_tokens=24 ended it"),
    ({"more_out": 2}, "logprobs", r"asked for logprobs \(completions\), 12 came back for 14 tokens"),
    (
        {"no_length_check": True},
        "context length",
        r"a prompt of 192 words.*\n.*an answer, '.*', after reading \d+ tokens\n.* since the context has 128",
    ),
    (
        {"no_length_check": True},
        "context length",
        r"a prompt of 1\d\d tokens with max_tokens=72\n.*an answer of 72 tokens\n.*an error, or at most \d+ tok",
    ),
    ({"chokes_on": " word" * 150}, "context length", r"no answer after \d attempt.*500: out of memory\n.*status 400"),
    ({"chokes_on": " word" * 20}, "context length", r"tokens with max_tokens=72\n.*500: out of memory"),
    ({"ignores_logprobs": True}, "logprobs", r"asked for logprobs \(completions\), none came back\n.*or a refusal"),
    (
        {"base_10": True},
        "logprobs",
        r"mean difference of \d+ tokens is .*: they are logarithms to base 10, not natural",
    ),
    ({"base_10": True}, "prompt log-likelihood", r"they are logarithms to base 10, not natural ones"),
    (
        {"echo_shifted": True},
        "prompt log-likelihood",
        r"of ' hours are' after 'The opening'\n.* \(token 0\).*: they are shifted by one: what the model says after",
    ),
    (
        {"ignores_echo": True},
        "prompt log-likelihood",
        r"the tokens that came back read '.*'; expected 'The opening hours",
    ),
    (
        {"template_twice": True},
        "chat template",
        r"13 tokens in, as with the chat template applied twice\n +expected: 9, as with the chat template applied once",
    ),
    ({"template_twice": True}, "chat template", r"it differs from token \d+ on, where the reference has"),
    ({"BOS_twice": True}, "chat template", r"10 tokens in, as with a second BOS, which the tokenizer puts before"),
    ({"finish_reason": "stop"}, "greedy answers", r"came back: finish reason 'stop'\n +expected: 'length'"),
]


@pytest.mark.parametrize(("defects", "check", "words"), DEFECTS, ids=lambda value: "".join(value)[:24])
def test_a_defect_is_found_by_its_check(held, defects, check, words):
    """The report says what was asked, what came back and what was expected."""
    reports = held(check, **defects)

    assert re.search(words, failures(reports)[check]), failures(reports)[check]


@pytest.mark.parametrize(
    ("defects", "checks"),
    [
        (
            {"strips_pieces": True, "ignores_seed": True, "no_length_check": True, "ignores_logprobs": True},
            {"streaming", "seed", "context length", "logprobs"},
        ),
        (
            {"keeps_stop": True, "stays_greedy": True, "template_twice": True, "echo_shifted": True},
            {"stop strings", "seed", "chat template", "prompt log-likelihood"},
        ),
        ({"company_tells": True, "more_in": 2, "BOS_twice": True}, {"concurrency", "usage", "chat template"}),
    ],
    ids=["length", "template", "company"],
)
def test_defects_are_found_by_no_other_check(held, defects, checks):
    """Several at once: every one of them by its own check, and all other checks pass."""
    reports = held(**defects)

    assert set(failures(reports)) == checks
    assert skips(reports) == {}


@pytest.mark.parametrize(
    ("defects", "check", "reason"),
    [
        (
            {"refuses": ["seed"]},
            "seed",
            r"^version 'tiny' lacks the capability 'seed': asked prompt 'The opening hours",
        ),
        ({"refuses": ["stop"]}, "stop strings", r"lacks the capability 'stop': .*unknown parameter stop"),
        ({"refuses": ["stream"]}, "streaming", r"lacks the capability 'streaming': .*unknown parameter stream"),
        ({"refuses": ["logprobs"]}, "logprobs", r"lacks the capability 'logprobs': .*unknown parameter logprobs"),
        ({"refuses": ["echo"]}, "prompt log-likelihood", r"lacks the capability 'loglikelihood': .*parameter echo"),
        (
            {"no_path": ["chat/completions"]},
            "chat template",
            r"lacks the capability 'chat': the model has no chat temp",
        ),
        ({"no_path": ["completions"]}, "prompt log-likelihood", r"'loglikelihood': without completions the logprobs"),
        ({"no_usage": True}, "usage", r"lacks the capability 'usage': no number of tokens came with the answer"),
    ],
)
def test_what_the_server_says_it_cannot_do_is_skipped(held, defects, check, reason):
    """With the capability's name and the server's own words."""
    reports = held(check, **defects)

    assert re.search(reason, skips(reports)[check])


def test_a_server_without_completions_is_held_to_its_conversations(held):
    """All checks but those that need plain prompts look at chat."""
    reports = held("streaming", "stop strings", "concurrency", "usage", "context length", no_path=["completions"])

    assert failures(reports) == skips(reports) == {}
    assert all(each.compared >= len(PROMPTS) for each in reports.values())


def test_a_server_that_refuses_a_plain_prompt_is_no_server_with_a_capability_less(connect, served, reference):
    """The check breaks, with the question and the server's words."""
    llm = Handle(connect())
    served.suffer(refuses=["prompt"])

    with pytest.raises(RequestRefused, match=r"^version 'tiny': asked prompt 'The opening hours are', it said: .*400"):
        check_greedy(llm, reference, PROMPTS)


def test_without_counts_only_answers_are_compared(held):
    """The report of the chat template says so, and that of the context length."""
    reports = held("chat template", no_usage=True)

    assert reports["chat template"].passed
    assert reports["chat template"].notes == ("tokens in are not counted, so that only answers are compared",)


def test_without_a_reference_less_is_compared(connect):
    """What was not looked at is noted, and the rest holds."""
    llm = Handle(connect())

    assert check_logprobs(llm, PROMPTS).notes == (
        "there is no reference, so that the values of logprobs are not compared",
    )
    assert check_usage(llm, PROMPTS).notes == ("without a reference, tokens in are not looked at",)
    assert check_concurrency(llm, PROMPTS).passed
    assert check_context(llm, CONTEXT).passed


def test_prompts_that_cannot_be_cut(reference):
    """A log-likelihood needs a context and a continuation."""
    with pytest.raises(InvalidComparison, match=r"^prompt log-likelihood: \['one', 'two'\] hold no two words to cut"):
        check_likelihood(reference, reference, ["one", "two"])
