"""One answer judged by a tolerance: whether it holds, and the rule with its number."""

from __future__ import annotations

from dataclasses import dataclass
from functools import singledispatch
from typing import TYPE_CHECKING

from pytest_llmval.scoring.golden.divergence import first_divergence
from pytest_llmval.scoring.golden.escaping import visible
from pytest_llmval.scoring.golden.json_likeness import json_differences, read_json
from pytest_llmval.scoring.golden.tolerances import (
    EmbeddingClose,
    Exact,
    JsonLike,
    RougeL,
    SameText,
    SameTokens,
    UpToTie,
)
from pytest_llmval.scoring.score import Unscored

if TYPE_CHECKING:
    from typing import Any

    from pytest_llmval.scoring.golden.answer import Answer
    from pytest_llmval.scoring.golden.divergence import Divergence
    from pytest_llmval.scoring.golden.measures import Measures
    from pytest_llmval.scoring.golden.tolerances import Tolerance

_PLACES = 5
"""Most places of a JSON document that are named."""


@dataclass(frozen=True, slots=True)
class Judgement:
    """What a tolerance says of an answer."""

    passed: bool
    rule: str
    """The rule with its number: `ROUGE-L 0.71 < 0.9`."""
    likeness: float | None = None
    """The number, where the rule has one: smaller is worse."""
    is_undecided: bool = False
    """Whether the rule cannot tell, because something is not known."""


def judge(tolerance: Tolerance, golden: Answer, actual: Answer, measures: Measures) -> Judgement:
    """Whether an answer agrees with its golden.

    Raises:
        TypeError: If the tolerance is for texts, and only the position of an option is known.
    """
    return _judge(tolerance, golden, actual, measures)


@singledispatch
def _judge(tolerance: Any, golden: Answer, actual: Answer, measures: Measures) -> Judgement:
    raise NotImplementedError(type(tolerance))


@_judge.register(Exact)
def _exact(tolerance: Exact, golden: Answer, actual: Answer, measures: Measures) -> Judgement:
    del tolerance, measures
    if _option(golden) != _option(actual):
        return Judgement(passed=False, rule=_options(golden, actual))
    if golden.text != actual.text:
        return Judgement(passed=False, rule="exact: the text differs")
    if golden.finish_reason != actual.finish_reason and None not in (golden.finish_reason, actual.finish_reason):
        ends = f"{golden.finish_reason} -> {actual.finish_reason}"
        return Judgement(
            passed=False,
            rule=f"exact: the text is the same, the finish reason is not ({ends}); SameText() accepts that",
        )
    if _differ_in_ids(golden, actual):
        return Judgement(
            passed=False,
            rule="exact: the text is the same, the tokenisation changed; tolerance=SameText() accepts that",
        )
    return Judgement(passed=True, rule="exact")


@_judge.register(SameTokens)
def _same_tokens(tolerance: SameTokens, golden: Answer, actual: Answer, measures: Measures) -> Judgement:
    del measures
    if golden.choice or actual.choice:
        return Judgement(_option(golden) == _option(actual), _options(golden, actual))
    if _same_ids(golden, actual) or _are_empty(golden, actual):
        return Judgement(passed=True, rule=str(tolerance))
    if golden.has_token_ids and actual.has_token_ids:
        return Judgement(passed=False, rule="the tokens differ")
    side = "the golden" if not golden.has_token_ids else "the answer"
    if golden.text == actual.text:
        rule = f"the text is the same, but {side} has no token ids to compare; SameText() does without them"
        return Judgement(passed=False, rule=rule, is_undecided=True)
    return Judgement(passed=False, rule=f"the text differs, and {side} has no token ids")


@_judge.register(SameText)
def _same_text(tolerance: SameText, golden: Answer, actual: Answer, measures: Measures) -> Judgement:
    normalise = str if tolerance.normalise is None else measures.normaliser(tolerance.normalise)
    theirs, ours = _text(golden, tolerance), _text(actual, tolerance)
    left, right = normalise(theirs), normalise(ours)
    if not (left or right) and theirs != ours:
        return Judgement(passed=False, rule=f"not {tolerance}: nothing is left of either text, and they differ")
    passed = left == right
    return Judgement(passed, str(tolerance) if passed else f"not {tolerance}")


@_judge.register(RougeL)
def _rouge_l(tolerance: RougeL, golden: Answer, actual: Answer, measures: Measures) -> Judgement:
    ours, theirs = _text(actual, tolerance), _text(golden, tolerance)
    if theirs.strip() and ours.strip():
        score = 1.0 if ours == theirs else measures.rouge_l(ours, theirs)
    else:  # no word to count: the same only when both have none
        score = float(ours.strip() == theirs.strip())
    return _by_score("ROUGE-L", score, tolerance.at_least)


@_judge.register(EmbeddingClose)
def _embedding_close(tolerance: EmbeddingClose, golden: Answer, actual: Answer, measures: Measures) -> Judgement:
    ours, theirs = _text(actual, tolerance), _text(golden, tolerance)
    score = 1.0 if ours == theirs else measures.cosine(tolerance.encoder, ours, theirs)
    return _by_score(f"cosine by {tolerance.encoder}", score, tolerance.at_least)


@_judge.register(UpToTie)
def _up_to_tie(tolerance: UpToTie, golden: Answer, actual: Answer, measures: Measures) -> Judgement:
    del measures
    if golden.choice or actual.choice:
        return _options_up_to_tie(golden, actual, tolerance.nats)
    if _same_ids(golden, actual) or (golden.text == actual.text and not _differ_in_ids(golden, actual)):
        return Judgement(passed=True, rule=str(tolerance))
    found = first_divergence(golden, actual)
    if found is None:
        rule = "the text differs, and without token ids and logprobs no tie can explain it; ask with logprobs=2"
        return Judgement(passed=False, rule=rule)
    return _by_tie(found, tolerance.nats)


@_judge.register(JsonLike)
def _json_like(tolerance: JsonLike, golden: Answer, actual: Answer, measures: Measures) -> Judgement:
    del measures
    try:
        expected = read_json(_text(golden, tolerance))
    except ValueError as error:
        return Judgement(passed=False, rule=f"the golden is no JSON: {visible(str(error))}", is_undecided=True)
    try:
        found = json_differences(expected, read_json(_text(actual, tolerance)), tolerance)
    except ValueError as error:
        return Judgement(passed=False, rule=f"the answer is no JSON: {visible(str(error))}")
    if not found:
        return Judgement(passed=True, rule=str(tolerance))
    places = "; ".join(visible(str(each)) for each in found[:_PLACES])
    more = f"; and {len(found) - _PLACES} more" if len(found) > _PLACES else ""
    count = "1 place" if len(found) == 1 else f"{len(found)} places"
    return Judgement(passed=False, rule=f"not {tolerance}: {count}: {places}{more}")


def _by_score(name: str, score: float | Unscored, at_least: float) -> Judgement:
    if isinstance(score, Unscored):
        return Judgement(passed=False, rule=f"{name} cannot tell: {score.reason}", is_undecided=True)
    if score >= at_least:
        return Judgement(passed=True, rule=f"{name} {score:.4g} >= {at_least:g}", likeness=score)
    return Judgement(passed=False, rule=f"{name} {_below(score, at_least)} < {at_least:g}", likeness=score)


def _below(score: float, bar: float) -> str:
    """A score with as many digits as it takes to see that it is below the bar."""
    return next(text for digits in range(2, 18) if float(text := f"{score:.{digits}g}") < bar)


def _by_tie(found: Divergence, nats: float) -> Judgement:
    if found.is_tie(nats):
        return Judgement(passed=True, rule=f"a tie within {nats:g} nats at token {found.position}")
    if found.golden is None or found.actual is None:
        return Judgement(passed=False, rule="no tie: one answer ends where the other goes on")
    if found.is_unknown:
        rule = "not known to be a tie: no side knows how probable both tokens were; ask with logprobs=2"
        return Judgement(passed=False, rule=rule)
    # A view that does not know the other token knows what lies between the two at least.
    gap, is_least = max((view.least_gap, True) if view.gap is None else (view.gap, False) for view in found.views)
    least = "at least " if is_least else ""
    return Judgement(passed=False, rule=f"no tie: the two tokens are {least}{gap:.4g} nats apart > {nats:g}")


def _options_up_to_tie(golden: Answer, actual: Answer, nats: float) -> Judgement:
    if golden.choice is None or actual.choice is None:
        return Judgement(passed=False, rule=_options(golden, actual))
    theirs, ours = golden.choice.index, actual.choice.index
    numbers = golden.choice.logprobs, actual.choice.logprobs
    if theirs == ours:
        return Judgement(passed=True, rule=_options(golden, actual))
    if any(max(theirs, ours) >= len(each) for each in numbers):
        return Judgement(passed=False, rule="no tie: the number of options differs")
    gap = max(abs(each[theirs] - each[ours]) for each in numbers)
    passed = gap <= nats + 1e-9
    what = "a tie of options" if passed else "no tie: the two options are"
    return Judgement(passed, f"{what} {gap:.4g} nats apart {'<=' if passed else '>'} {nats:g}")


def _option(answer: Answer) -> int | None:
    return answer.choice.index if answer.choice else None


def _options(golden: Answer, actual: Answer) -> str:
    return f"the chosen option: {_option_text(golden)} -> {_option_text(actual)}"


def _option_text(answer: Answer) -> str:
    return "none" if answer.choice is None else f"number {answer.choice.index}"


def _same_ids(golden: Answer, actual: Answer) -> bool:
    return golden.has_token_ids and actual.has_token_ids and not _differ_in_ids(golden, actual)


def _are_empty(*answers: Answer) -> bool:
    """Whether nothing was generated on any side."""
    return all(each.text == "" and not each.tokens for each in answers)


def _differ_in_ids(golden: Answer, actual: Answer) -> bool:
    """Whether the ids are known of both sides and differ."""
    if not (golden.has_token_ids and actual.has_token_ids):
        return False
    return [each.id for each in golden.tokens or ()] != [each.id for each in actual.tokens or ()]


def _text(answer: Answer, tolerance: Tolerance) -> str:
    if answer.text is None:
        msg = f"{tolerance} compares texts, and of a Choice only the position is known; UpToTie() is for options"
        raise TypeError(msg)
    return answer.text
