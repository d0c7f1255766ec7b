"""Groundedness: the share of what an answer claims that its context supports."""

from __future__ import annotations

import math
import re
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any

from pytest_llmval.scoring.grounding.fields import check_field, name_of, passages_of
from pytest_llmval.scoring.grounding.support import Claim, Support
from pytest_llmval.scoring.score import CaseNote, Scores, Unscored
from pytest_llmval.scoring.scored import as_sequence, empty_scores, score_responses
from pytest_llmval.scoring.sentences import sentences_of

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.scoring.grounding.support import SupportRule
    from pytest_llmval.servers.exchange import Response

MARKER = re.compile(r"(?:[-*•+]|#+|\d+[.)])\s+")
"""What stands before an item of a list or a heading."""
SHOWN = 3
"""Unsupported claims in the note of a case."""


def groundedness(
    responses: Iterable[Response],
    support: SupportRule,
    *,
    context: str | Callable[[Case], Any] = "context",
    gamma: float | None = None,
) -> Scores:
    """The share of an answer's claims that the context of its case supports, in [0, 1]. Claims are its sentences.

    A case without context stays `Unscored`; so does one whose answer claims nothing, since nothing in it is wrong, and
    one of whose claims the judge decided nothing. The notes of the scores name the unsupported claims.

    Args:
        responses: Responses to a case set whose cases have a context.
        support: Who decides: `by_overlap()`, `by_embedding(encoder)` or `by_judge(llm)`.
        context: Field of the case with a text or a list of passages, or a function from the case to them.
        gamma: Claims below which an answer is marked down for its shortness, by exp(1 − gamma / claims); None not to.

    Raises:
        ValueError: If no case has the field, or a context is no text.

    Source:
        Share and penalty: S. Min et al., FActScore, EMNLP 2023, where claims are facts that a model extracts.
    """
    _check_arguments(support, gamma)
    answered = as_sequence(responses)
    check_field(context, "context", answered)
    findings = _findings(answered, support, context)

    def share(case: Case, response: Response) -> float | Unscored:
        return _share(findings(case, response), gamma)

    name = "groundedness" if gamma is None else f"groundedness(gamma={gamma:g})"
    scores = score_responses(
        answered, share, empty_scores(name), f"1 context={name_of(context)} {support.name} {support.version}"
    )
    basis = replace(scores.basis, judge=support.judge) if scores.basis else None
    return replace(scores, basis=basis, notes=_notes(scores, answered, findings))


def claim_support(
    response: Response, support: SupportRule, *, context: str | Callable[[Case], Any] = "context"
) -> tuple[Support, ...]:
    """What the context says of each claim of one answer, in order; none for an answer that claims nothing.

    Args:
        response: A response with its case.
        support: As for `groundedness`.
        context: As for `groundedness`.

    Raises:
        ValueError: If there is no answer, no case or no context.
    """
    _check_arguments(support, None)
    check_field(context, "context", [response])
    if response.case is None or response.error is not None:
        msg = f"{response!r}: expected an answer with its case"
        raise ValueError(msg)
    found = _findings([response], support, context)(response.case, response)
    if found.unscored and found.claims:
        raise ValueError(found.unscored)
    return found.supports


@dataclass(frozen=True, slots=True)
class _Findings:
    """What was found for the claims of one answer."""

    claims: int
    supports: tuple[Support, ...]
    unscored: str = ""
    """Why there is nothing to decide."""


def _check_arguments(support: Any, gamma: float | None) -> None:
    if isinstance(support, type) or not callable(getattr(support, "decide", None)):
        msg = f"support={support!r:.60}: expected by_overlap(), by_embedding(encoder) or by_judge(llm)"
        raise TypeError(msg)
    if gamma is not None and not 0 < gamma < math.inf:
        msg = f"gamma={gamma!r}: expected a number of claims above 0, or None for no penalty"
        raise ValueError(msg)


def _findings(
    responses: Iterable[Response], support: SupportRule, context: str | Callable[[Case], Any]
) -> Callable[[Case, Response], _Findings]:
    """The function that looks up what was decided; each distinct claim is decided once, all together."""
    passages = {each.case.id: passages_of(each.case, context) for each in responses if each.case}
    claims = {
        (each.case.id, trial.text): tuple(Claim(text, passages[each.case.id]) for text in claims_of(trial.text))
        for each in responses
        if each.case
        for trial in each.trials or (each,)
        if trial.error is None
    }
    distinct = list(dict.fromkeys(claim for each in claims.values() for claim in each if claim.passages))
    decided = dict(zip(distinct, support.decide(distinct), strict=True))

    def found(case: Case, response: Response) -> _Findings:
        own = claims[case.id, response.text]
        if not passages[case.id]:
            return _Findings(len(own), (), "the case has no context")
        if not own:
            return _Findings(0, (), "the answer claims nothing")
        return _Findings(len(own), tuple(decided[claim] for claim in own))

    return found


def claims_of(answer: str) -> tuple[str, ...]:
    r"""The sentences of an answer that have a letter or a digit, without the markers of lists.

    >>> claims_of("- It opens at 9.\n- It closes at 5.\n---")
    ('It opens at 9.', 'It closes at 5.')
    """
    sentences = (MARKER.sub("", sentence, count=1) for sentence in sentences_of(answer))
    return tuple(sentence for sentence in sentences if any(map(str.isalnum, sentence)))


def _share(found: _Findings, gamma: float | None) -> float | Unscored:
    if found.unscored:
        return Unscored(found.unscored)
    undecided = next((each for each in found.supports if each.label == "undecided"), None)
    if undecided:
        return Unscored(f"{undecided.evidence}, of the claim {undecided.claim!r:.80}")
    share = sum(each.label == "supported" for each in found.supports) / found.claims
    return share if gamma is None or found.claims > gamma else share * math.exp(1 - gamma / found.claims)


def _notes(
    scores: Scores, responses: Sequence[Response], findings: Callable[[Case, Response], _Findings]
) -> tuple[CaseNote, ...]:
    """The notes of the scores; before an answer, the claims of the first trial that are not supported."""
    notes = []
    for note, response in zip(scores.notes or (), responses, strict=True):
        found = findings(response.case, response) if response.case and response.error is None else None
        lacking = _unsupported(found.supports if found else ())
        notes.append(replace(note, answer=f"({lacking}) {note.answer}") if lacking else note)
    return tuple(notes)


def _unsupported(supports: tuple[Support, ...]) -> str:
    lacking = [support for support in supports if support.label != "supported"]
    if not lacking:
        return ""
    shown = ", ".join(map(str, lacking[:SHOWN])) + (", …" if len(lacking) > SHOWN else "")
    return f"{len(lacking)} of {len(supports)} claims without support: {shown}"
