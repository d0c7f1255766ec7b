"""Two chat templates: the same ids for every conversation."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import product
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tokens.chat_template.conversations import (
    CONVERSATIONS,
    THINKING,
    TOOL,
    TOOL_TURNS,
    WITH_SYSTEM,
)
from pytest_llmval.scoring.tokens.chat_template.rendering import (
    Refusal,
    Rendering,
    Turns,
    has_template,
    refuse_without_template,
    render,
    turns_of,
)
from pytest_llmval.scoring.tokens.code_points import around
from pytest_llmval.scoring.tokens.tokenizer.equality import first_difference, window

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

_TOOLS = "with tools"


@dataclass(frozen=True, slots=True)
class TemplateMismatch:
    """One conversation that two templates render differently."""

    conversation: str
    generation: bool
    """Whether the generation prompt was asked for."""
    common: int
    """Tokens that both begin with."""
    baseline: str
    candidate: str

    def __str__(self) -> str:
        prompt = "with" if self.generation else "without"
        return (
            f"{self.conversation!r} {prompt} generation prompt, {self.common} tokens in common, then\n"
            f"    baseline  {self.baseline}\n    candidate {self.candidate}"
        )


@dataclass(frozen=True, slots=True)
class TemplateComparison:
    """What differs between two chat templates; as text, the message of a failed assertion."""

    compared: int
    """Conversations, each with and without generation prompt, that at least one side renders."""
    differing: int
    first: TemplateMismatch | None

    @property
    def passed(self) -> bool:
        """Whether every conversation gives the same ids."""
        return not self.differing

    def __str__(self) -> str:
        if self.passed:
            return f"chat templates agree on {self.compared} renderings"
        return f"chat templates differ in {self.differing} of {self.compared} renderings, first {self.first}"


def compare_chat_templates(
    candidate: Any, baseline: Any, conversations: Iterable[Sequence[Any]] | None = None
) -> TemplateComparison:
    """Renderings of two templates side by side; see `assert_chat_templates_equal`."""
    __tracebackhide__ = True
    refuse_without_template(baseline)
    if not has_template(candidate):
        raise ModelRegression("chat template: the baseline has one -> the candidate has none")
    asked = product(_asked(conversations).items(), (False, True))
    pairs = [_pair(candidate, baseline, name, turns, generation=prompt) for (name, turns), prompt in asked]
    heard = [pair for pair in pairs if not (isinstance(pair.candidate, Refusal) and isinstance(pair.baseline, Refusal))]
    if not heard:
        msg = f"both templates refuse all {len(pairs)} renderings, so nothing was compared; give other conversations"
        raise InvalidComparison(msg)
    differing = [pair for pair in heard if _ids(pair.candidate) != _ids(pair.baseline)]
    first = _mismatch(candidate, baseline, differing[0]) if differing else None
    return TemplateComparison(len(heard), len(differing), first)


def assert_chat_templates_equal(
    candidate: Any, baseline: Any, conversations: Iterable[Sequence[Any]] | None = None
) -> TemplateComparison:
    """Two tokenizers give the same ids for every conversation, with and without generation prompt.

    Args:
        candidate: Tokenizer under test.
        baseline: Tokenizer it is compared with.
        conversations: Lists of messages; by default built-in ones with and without system message, tools and
            reasoning. What both refuse is left out.

    Raises:
        ModelRegression: If ids differ; the message names the first conversation and token, and the text about it.
        InvalidComparison: If the baseline has no template, or both refuse every conversation.
        ValueError: If a conversation has no message.
    """
    __tracebackhide__ = True
    found = compare_chat_templates(candidate, baseline, conversations)
    if not found.passed:
        raise ModelRegression(str(found))
    return found


def _asked(given: Iterable[Sequence[Any]] | None) -> dict[str, Turns]:
    if given is None:
        return {**CONVERSATIONS, **WITH_SYSTEM, "with reasoning": THINKING, _TOOLS: TOOL_TURNS}
    asked = {f"conversations[{n}]": turns_of(each) for n, each in enumerate(given)}
    if not asked:
        raise InvalidComparison("conversations is empty, so nothing was compared; expected at least one")
    return asked


@dataclass(frozen=True, slots=True)
class _Pair:
    """One conversation on both sides."""

    conversation: str
    generation: bool
    candidate: Rendering | Refusal
    baseline: Rendering | Refusal


def _pair(candidate: Any, baseline: Any, name: str, turns: Turns, *, generation: bool) -> _Pair:
    options: dict[str, Any] = {"tools": [TOOL]} if name == _TOOLS else {}
    ours, theirs = (render(each, turns, generation=generation, **options) for each in (candidate, baseline))
    return _Pair(name, generation, ours, theirs)


def _ids(rendered: Rendering | Refusal) -> tuple[int, ...]:
    """The ids; none of what was refused, as of no accepted conversation."""
    return rendered.ids if isinstance(rendered, Rendering) else ()


def _mismatch(candidate: Any, baseline: Any, pair: _Pair) -> TemplateMismatch:
    common = first_difference(_ids(pair.candidate), _ids(pair.baseline))
    place = first_difference(*(getattr(each, "text", "") for each in (pair.candidate, pair.baseline)))
    return TemplateMismatch(
        pair.conversation,
        pair.generation,
        common,
        baseline=_side(baseline, pair.baseline, common, place),
        candidate=_side(candidate, pair.candidate, common, place),
    )


def _side(tokenizer: Any, rendered: Rendering | Refusal, common: int, place: int) -> str:
    if isinstance(rendered, Refusal):
        return f"refused, {rendered.reason}"
    tokens = [*window(tokenizer, rendered.ids, common), *(["the end"] if common >= len(rendered.ids) else [])]
    return f"{' '.join(tokens)}  in {around(rendered.text, place)}"
