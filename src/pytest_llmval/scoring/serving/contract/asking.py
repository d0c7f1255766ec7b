"""Asking a model version, and what its answers have to be before anything is compared."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Protocol

from pytest_llmval.case_sets.message import Message, as_text
from pytest_llmval.errors import CapabilityMissing, RequestRefused

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

    from pytest_llmval.servers.exchange import LogLikelihood, Response
    from pytest_llmval.servers.server import Capabilities, Finding

TOKENS = 24
"""Most tokens of each answer."""
CHATS = 3
"""Prompts that are asked as conversations too, where both are to be had."""
PROMPTS = (
    "The opening hours are",
    "Question: What does a lost card cost? Answer:",
    "Once upon a time there was a",
    "Grüße aus Köln, 東京 und",
    "one, two, three, four,",
    "Where is my order?",
)
"""Asked where a suite gives none."""


class Asked(Protocol):
    """The handle on a model version, as `llm` is."""

    @property
    def version(self) -> str:
        """Its name."""

    @property
    def capabilities(self) -> Capabilities:
        """What its server was found to do."""

    @property
    def findings(self) -> Sequence[Finding]:
        """How that was found; empty for a server that is known to do it."""

    def generate(self, prompt: Any, **options: Any) -> Any:
        """Continue a prompt, or several together; with `stream=True` piece by piece."""

    def chat(self, messages: Any, **options: Any) -> Any:
        """Answer a conversation, or several together."""

    def loglikelihood(self, context: str, continuation: str, *, unverified: bool = False) -> LogLikelihood:
        """How probable a continuation is; with `unverified` also by a server that was found to say it wrongly."""


class Reference(Asked, Protocol):
    """The same weights in the local engine."""

    @property
    def tokenizer(self) -> Any:
        """The tokenizer of transformers."""

    def logits(self, prompt: str) -> np.ndarray:
        """Logits of every prompt position, `[tokens, vocabulary]`."""


@dataclass(frozen=True, slots=True)
class Question:
    """A prompt, or a conversation."""

    prompt: str | tuple[Message, ...]

    @property
    def is_chat(self) -> bool:
        """Whether it goes through the chat template."""
        return not isinstance(self.prompt, str)

    def __str__(self) -> str:
        return f"{'chat' if self.is_chat else 'prompt'} {as_text(self.prompt)!r:.120}"

    def to(self, llm: Asked, **options: Any) -> Response:
        """What a version answers, be it a refusal."""
        ask = llm.chat if self.is_chat else llm.generate
        found: Response = ask(self.prompt, **options)
        return found


def chat(*contents: str) -> Question:
    """A conversation, the user's turns and the assistant's by turns."""
    roles = ("user", "assistant")
    return Question(tuple(Message(roles[at % 2], content) for at, content in enumerate(contents)))


def conversation_of(question: Question) -> tuple[Message, ...]:
    """The messages of a conversation; a prompt is a conversation of one."""
    return (Message("user", question.prompt),) if isinstance(question.prompt, str) else question.prompt


def ask(llm: Asked, question: Question, needs: str = "", **options: Any) -> Response:
    """The answer of a version to a question.

    Args:
        llm: The version.
        question: The question.
        needs: The capability that the options are about, which the server may refuse to have.
        **options: As for `llm.generate`; `TOKENS` and greedy unless they say otherwise.

    Raises:
        CapabilityMissing: If the server refuses what it may refuse.
        RequestRefused: If it refuses what every server has to answer.
    """
    response = question.to(llm, **{"max_tokens": TOKENS, **options})
    if response.error is None:
        return response
    said = f"asked {described(question, **options)}, it said: {response.error}"
    if needs:
        msg = f"version {llm.version!r} lacks the capability {needs!r}: {said}"
        raise CapabilityMissing(msg)
    msg = f"version {llm.version!r}: {said}"
    raise RequestRefused(msg)


def described(question: Question, **options: Any) -> str:
    """A question with what was asked beside it.

    >>> described(Question("Hello"), stop=["a b"], seed=3)
    "prompt 'Hello', stop=['a b'], seed=3"
    """
    return ", ".join([str(question), *(f"{name}={value!r}" for name, value in options.items())])


def questions_for(llm: Asked, prompts: Sequence[str]) -> list[Question]:
    """The prompts as they are, and the first of them as conversations; what the server does not answer is left out.

    Raises:
        CapabilityMissing: If that leaves nothing.
    """
    plain = [Question(prompt) for prompt in prompts] if completes(llm) else []
    chats = [chat(prompt) for prompt in prompts] if chats_with(llm) else []
    if not plain and not chats:
        msg = f"version {llm.version!r} lacks the capability 'completions', and 'chat' too"
        raise CapabilityMissing(msg)
    return [*plain, *(chats[:CHATS] if plain else chats)]


def completes(llm: Asked) -> bool:
    """Whether plain prompts are answered."""
    found = finding_of(llm, "completions")
    return found is None or found.holds


def chats_with(llm: Asked) -> bool:
    """Whether conversations are answered, for which a model needs a template."""
    return llm.capabilities.chat and chat("Hello").to(llm, max_tokens=1).error is None


def finding_of(llm: Asked, name: str) -> Finding | None:
    """How a capability was found; None where it was not looked for."""
    return next((finding for finding in llm.findings if finding.name == name), None)


def is_pretended(llm: Asked, capability: str) -> bool:
    """Whether the server takes what asks for a capability and does not do it, rather than to say that it cannot.

    Raises:
        CapabilityMissing: If it says so.
    """
    found = finding_of(llm, capability)
    if found is not None and not found.holds and found.refused:
        msg = f"version {llm.version!r} lacks the capability {capability!r}: {found.evidence}"
        raise CapabilityMissing(msg)
    return found is not None and not found.holds


def counted(response: Response) -> int:
    """Tokens of an answer: its ids, else its logprobs, else what the server counted."""
    return len(response.token_ids) or len(response.logprobs or ()) or response.usage.completion_tokens
