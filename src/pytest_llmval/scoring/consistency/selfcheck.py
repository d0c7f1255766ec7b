"""SelfCheck: how surprising an answer is beside other answers to the same question."""

from __future__ import annotations

import math
import re
from collections import Counter
from dataclasses import dataclass
from statistics import fmean
from typing import TYPE_CHECKING, Literal, get_args

from pytest_llmval.errors import nearest
from pytest_llmval.scoring.consistency.self_consistency import score_trials
from pytest_llmval.scoring.score import Scores, Unscored
from pytest_llmval.scoring.scored import as_sequence, empty_scores
from pytest_llmval.scoring.sentences import sentences_of

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from pytest_llmval.servers.exchange import Response

Kind = Literal["average", "max"]
TOKEN = re.compile(r"\w+|[^\w\s]")


@dataclass(frozen=True, slots=True)
class UnigramSurprise:
    """−ln p of the tokens of a passage, in nats, where p is a token's share in the passage and the samples."""

    averages: tuple[float, ...]
    """Mean over the tokens of each sentence."""
    maxima: tuple[float, ...]
    """That of the rarest token of each sentence."""
    average: float
    """Mean over the tokens of the passage."""
    max: float
    """Mean of the maxima over the sentences."""


def unigram_surprise(passage: str, samples: Iterable[str]) -> UnigramSurprise:
    """How surprising a passage is to a unigram model of it and of other samples for the same prompt.

    Tokens are words and single marks in lower case. A passage whose words the samples repeat is less surprising; so is
    a short one, hence passages of one kind are to be compared.

    Args:
        passage: The text that is looked at.
        samples: Others that the same model gave, at least one.

    Raises:
        ValueError: If the passage has no token, or there is no sample.

    Source:
        P. Manakul et al., SelfCheckGPT, EMNLP 2023; the package's n-gram variant with n = 1, which parts tokens by
        spaCy.
    """
    others = [samples] if isinstance(samples, str) else list(samples)
    if isinstance(samples, str) or not others:
        msg = f"unigram_surprise(samples={samples!r:.60}): expected a list of at least one text"
        raise ValueError(msg)
    counts = Counter(token for text in (passage, *others) for token in _tokens(text))
    total = counts.total()
    sentences = [[math.log(total / counts[token]) for token in _tokens(each)] for each in sentences_of(passage)]
    if not sentences:
        msg = f"unigram_surprise(passage={passage!r:.60}): no token in it"
        raise ValueError(msg)
    maxima = tuple(map(max, sentences))
    return UnigramSurprise(
        averages=tuple(map(fmean, sentences)),
        maxima=maxima,
        average=fmean(surprise for sentence in sentences for surprise in sentence),
        max=fmean(maxima),
    )


def _tokens(text: str) -> list[str]:
    return TOKEN.findall(text.lower())


def selfcheck(responses: Iterable[Response], *, kind: Kind = "average") -> Scores:
    """How surprising the first answer to a case is beside its other trials, in nats; lower is better, and no bound.

    What a model knows it says again, and what it makes up differs from trial to trial. A case with fewer than two
    trials stays `Unscored`, and so do greedy ones and a first answer without a token. The value grows with the trials
    and the length of answers: compare versions at equal `trials=` and `max_tokens=`.

    Args:
        responses: Responses to a case set with `trials=` and `temperature=`.
        kind: `average` over all tokens, or the mean over sentences of the `max` of each.

    Raises:
        ValueError: If the kind is unknown.
    """
    if kind not in get_args(Kind):
        msg = f"selfcheck(kind={kind!r}): {nearest(str(kind), get_args(Kind))}"
        raise ValueError(msg)
    answered = as_sequence(responses)

    def surprise(trials: Sequence[Response]) -> float | Unscored:
        first, *others = (trial.text for trial in trials)
        if not first.strip():
            return Unscored("the first answer is empty")
        found = unigram_surprise(first, others)
        return found.average if kind == "average" else found.max

    trials = max((len(each.trials) for each in answered), default=0)
    metric = empty_scores(f"selfcheck_{kind}", unit="nats", higher_is_better=False, bounds=None)
    return score_trials(answered, surprise, metric, f"1, {trials} trials")
