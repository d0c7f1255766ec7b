"""The contract of a chat template: what is always a fault, and what must not flip."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, Literal

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.contract import concluded
from pytest_llmval.scoring.tokens.capabilities import flips_of, profile_from_json
from pytest_llmval.scoring.tokens.chat_template.conversations import CONVERSATIONS, WITH_SYSTEM
from pytest_llmval.scoring.tokens.chat_template.probing import probe_chat_template
from pytest_llmval.scoring.tokens.chat_template.profile import ChatTemplateProfile
from pytest_llmval.scoring.tokens.chat_template.rendering import (
    Refusal,
    Turns,
    has_template,
    refuse_without_template,
    render,
    turns_of,
)
from pytest_llmval.scoring.tokens.chat_template.stability import unstable_prompt, unstable_turns
from pytest_llmval.scoring.tokens.contract import ContractReport, Violation
from pytest_llmval.scoring.tokens.tokenizer.asking import encode, tokens_of

Frozen = ChatTemplateProfile | Mapping[str, Any]
"""A profile, or what its `as_json` wrote."""


def check_chat_template(
    tokenizer: Any,
    *,
    profile: Literal["auto"] | Frozen = "auto",
    conversations: Iterable[Sequence[Any]] | None = None,
    baseline: Any = None,
) -> ContractReport[ChatTemplateProfile]:
    """Every fault of a chat template and every capability that flipped; see `assert_chat_template_contract`."""
    __tracebackhide__ = True
    _refuse_lost_template(tokenizer, baseline)
    refuse_without_template(tokenizer)
    frozen = [_profile(each) for each in (None if profile == "auto" else profile, baseline) if each is not None]
    found = probe_chat_template(tokenizer)
    tried = _conversations(conversations, found)
    checks = _checks(found)
    outcomes = {name: _first(check, tokenizer, tried) for name, check in checks.items()}
    return ContractReport(
        "chat template",
        found,
        checked=tuple(checks),
        violations=tuple(Violation(name, problem) for name, problem in outcomes.items() if problem),
        flips=tuple(flip for each in frozen for flip in flips_of(found, each)),
        examples=len(tried),
    )


def assert_chat_template_contract(
    tokenizer: Any,
    *,
    profile: Literal["auto"] | Frozen = "auto",
    conversations: Iterable[Sequence[Any]] | None = None,
    baseline: Any = None,
) -> ContractReport[ChatTemplateProfile]:
    """A chat template renders ordinary conversations faithfully, and keeps what it has shown or was known to do.

    Always a fault: an ordinary conversation is refused or gives no ids, two BOS at the start, text of a message left
    out, two renderings that differ, ids that are not those of the rendered text. What a sound template may lack (a
    BOS, stable turns, a system role, tools, user text that cannot become control tokens) is probed, is in the report's
    `profile`, and fails only when it differs from `profile` or `baseline`, or from itself on another conversation.

    Args:
        tokenizer: With a chat template.
        profile: `auto`, or the profile frozen in a golden; each capability that differs from it fails.
        conversations: To try besides the built-in ones: lists of messages.
        baseline: Tokenizer or profile of the version it is compared with; each capability that flipped fails.

    Raises:
        ModelRegression: If there is a fault or a flip, or the baseline has a chat template and the tokenizer none; all
            of them are named, with the tokens on both sides.
        InvalidComparison: If there is no chat template.
        ValueError: If a conversation has no message, or a frozen profile names an unknown capability.
    """
    __tracebackhide__ = True
    return concluded(check_chat_template(tokenizer, profile=profile, conversations=conversations, baseline=baseline))


def _refuse_lost_template(tokenizer: Any, baseline: Any) -> None:
    __tracebackhide__ = True
    known = isinstance(baseline, ChatTemplateProfile | Mapping) or has_template(baseline)
    if baseline is not None and known and not has_template(tokenizer):
        raise ModelRegression("chat template: the baseline has one -> the candidate has none")


def _profile(given: Any) -> ChatTemplateProfile:
    __tracebackhide__ = True
    if isinstance(given, ChatTemplateProfile):
        return given
    if isinstance(given, Mapping):
        return profile_from_json(ChatTemplateProfile, given)
    if isinstance(given, str):
        msg = f"profile={given!r}; expected 'auto', a ChatTemplateProfile or what its as_json() wrote"
        raise ValueError(msg)  # noqa: TRY004 - a wrong word, where another would have been right
    if not has_template(given):
        raise InvalidComparison("the baseline has no chat template, so no capability can be compared")
    return probe_chat_template(given)


def _conversations(given: Iterable[Sequence[Any]] | None, profile: ChatTemplateProfile) -> dict[str, Turns]:
    own = {f"conversations[{n}]": turns_of(each) for n, each in enumerate(given or ())}
    return {**CONVERSATIONS, **(WITH_SYSTEM if profile.supports_system else {}), **own}


Check = Callable[[Any, Turns], str]


def _checks(profile: ChatTemplateProfile) -> dict[str, Check]:
    checks: dict[str, Check] = {
        "an ordinary conversation is rendered": refused,
        "rendering is deterministic": changing,
        "at most one BOS stands at the start": doubled_bos,
        "the text of every message is rendered": left_out,
        "ids are those of the rendered text": other_ids,
    }
    if profile.prompt_stable:
        checks["prompt stable, as probed"] = unstable_prompt
    if profile.turns_stable:
        checks["turns stable, as probed"] = unstable_turns
    return checks


def _first(check: Check, tokenizer: Any, tried: dict[str, Turns]) -> str:
    problems = ((name, check(tokenizer, turns)) for name, turns in tried.items())
    return next((f"conversation {name!r}: {problem}" for name, problem in problems if problem), "")


def refused(tokenizer: Any, turns: Turns) -> str:
    """Why a conversation is refused, or that nothing comes of it."""
    for generation in (False, True):
        rendered = render(tokenizer, turns, generation=generation)
        if isinstance(rendered, Refusal):
            return f"refused, {rendered.reason}"
        if not rendered.ids:
            return f"no ids, of the text {rendered.text!r}"
    return ""


def changing(tokenizer: Any, turns: Turns) -> str:
    """Two renderings of the same conversation that differ."""
    once, again = render(tokenizer, turns), render(tokenizer, turns)
    return "" if once == again else f"rendered twice: {once!r} and {again!r}"


def doubled_bos(tokenizer: Any, turns: Turns) -> str:
    """Two BOS at the start. Further ones may be meant: some templates begin every exchange with one."""
    rendered = render(tokenizer, turns)
    if isinstance(rendered, Refusal) or tokenizer.bos_token_id is None:
        return ""
    twice = rendered.ids[:2] == (tokenizer.bos_token_id,) * 2
    return f"begins with {tokens_of(tokenizer, rendered.ids[:3])}: {rendered.text[:48]!r}" if twice else ""


def left_out(tokenizer: Any, turns: Turns) -> str:
    """Messages whose text is not in the rendering, white space at its ends aside."""
    rendered = render(tokenizer, turns)
    contents = [(n, turn["content"]) for n, turn in enumerate(turns) if isinstance(turn.get("content"), str)]
    if isinstance(rendered, Refusal):
        return ""
    lost = [(n, content) for n, content in contents if content.strip() not in rendered.text]
    return "; ".join(f"turn {n} {content[:40]!r} is not in {rendered.text[:96]!r}" for n, content in lost[:1])


def other_ids(tokenizer: Any, turns: Turns) -> str:
    """Ids that the rendered text does not give."""
    rendered = render(tokenizer, turns)
    if isinstance(rendered, Refusal):
        return ""
    ids = tuple(encode(tokenizer, rendered.text))
    return "" if ids == rendered.ids else f"the text gives {list(ids[:12])}, the template {list(rendered.ids[:12])}"
