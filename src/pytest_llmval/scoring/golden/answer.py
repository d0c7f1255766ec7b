"""Answer: what a golden keeps of a response, a text or a chosen option."""

from __future__ import annotations

from dataclasses import dataclass, field, fields
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.decoding import Decoding
from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.golden.escaping import one_line
from pytest_llmval.servers.exchange import Choice, Response

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmval.case_sets.message import Message
    from pytest_llmval.servers.exchange import Request, TokenLogprob

DIGITS = 4
"""Decimals of a kept logprob: more would change from run to run."""
DEFAULTS: dict[str, Any] = {each.name: each.default for each in fields(Decoding)}
_ALWAYS_NAMED = ("max_tokens", "temperature")


@dataclass(frozen=True, slots=True)
class Token:
    """One generated token, as far as it is known."""

    id: int | None
    """None where the server does not tell it."""
    text: str | None = None
    logprob: float | None = None
    """Natural, to 4 decimals."""
    top: tuple[tuple[int, float], ...] = ()
    """The most probable tokens at this position as (token id, logprob), most probable first."""

    @property
    def name(self) -> int | str | None:
        """What tells it from other tokens: its id, else its text."""
        return self.text if self.id is None else self.id


@dataclass(frozen=True, slots=True)
class Asked:
    """What was answered, and how the answer was generated."""

    prompt: str | tuple[tuple[str, str], ...]
    """Text, or messages as (role, content)."""
    choices: tuple[str, ...] = ()
    decoding: Mapping[str, Any] = field(default_factory=lambda: DEFAULTS)
    seed: int | None = None
    """Seed of a sampled answer; None of one that no seed changes, and where it is not known."""


@dataclass(frozen=True, slots=True)
class Answer:
    """One answer; what is not known of it is None."""

    text: str | None = None
    """None for an option that was chosen outside a case set, of which only the position is known."""
    finish_reason: str | None = None
    tokens: tuple[Token, ...] | None = None
    choice: Choice | None = None
    asked: Asked | None = None

    @property
    def has_token_ids(self) -> bool:
        """Whether the id of each token is known."""
        return self.tokens is not None and all(each.id is not None for each in self.tokens)


def is_single_answer(value: object) -> bool:
    """Whether a value is one response, text or chosen option."""
    return isinstance(value, Response | str | Choice)


def refuse_several(value: object) -> None:
    """Raise InvalidComparison when a response holds several answers, of which a golden would keep the first alone."""
    if not isinstance(value, Response):
        return
    whose = f"the response to case {one_line(value.case.id)}" if value.case else "the response"
    if len(value.samples) > 1:
        msg = (
            f"{whose} holds {len(value.samples)} samples, and a golden keeps one answer\n"
            f"ask with n=1, or keep one golden a sample: assert response.samples[i] == golden(name=f'sample {{i}}'); "
            f"self_consistency says how far samples agree"
        )
        raise InvalidComparison(msg)
    if len(value.trials) > 1:
        msg = (
            f"{whose} holds {len(value.trials)} trials, and a golden keeps one answer a case\n"
            f"ask once, with cases(..., trials=1); self_consistency says how far trials agree"
        )
        raise InvalidComparison(msg)


def answer_of(value: Response | str | Choice) -> Answer:
    """What a golden keeps of a value."""
    if isinstance(value, str):
        return Answer(text=value)
    if isinstance(value, Choice):
        return Answer(choice=_rounded_choice(value))
    return Answer(
        text=value.text,
        finish_reason=value.finish_reason,
        tokens=_tokens(value),
        choice=None if value.choice is None else _rounded_choice(value.choice),
        asked=None if value.request is None else _asked(value.request),
    )


def named_decoding(decoding: Mapping[str, Any]) -> dict[str, Any]:
    """The parameters that are set, and the two that every answer depends on."""
    return {name: value for name, value in decoding.items() if name in _ALWAYS_NAMED or value != DEFAULTS.get(name)}


def _asked(request: Request) -> Asked:
    prompt = request.prompt if isinstance(request.prompt, str) else tuple(map(_turn, request.prompt))
    decoding = {name: getattr(request.decoding, name) for name in DEFAULTS}
    is_sampled = request.decoding.temperature > 0 and not request.choices
    return Asked(prompt, request.choices, decoding, request.seed if is_sampled else None)


def _turn(message: Message) -> tuple[str, str]:
    return message.role, message.content


def _tokens(response: Response) -> tuple[Token, ...] | None:
    """The tokens with what is known of each; None where the server tells neither ids nor logprobs."""
    known = response.logprobs or ()
    if not response.token_ids:
        return tuple(map(_token, known)) or None
    if len(known) == len(response.token_ids):
        return tuple(map(_token, known))
    return tuple(map(Token, response.token_ids))


def _token(known: TokenLogprob) -> Token:
    number = known.token_id if known.token_id >= 0 else None  # servers that tell no ids give negative ones
    top = tuple((other, _rounded(logprob)) for other, logprob in known.top)
    return Token(number, known.token, _rounded(known.logprob), top)


def _rounded_choice(choice: Choice) -> Choice:
    return Choice(choice.index, tuple(map(_rounded, choice.logprobs)), tuple(choice.lengths))


def _rounded(logprob: float) -> float:
    return round(float(logprob), DIGITS) + 0.0  # no negative zero
