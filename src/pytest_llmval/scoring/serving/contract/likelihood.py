"""Logprobs of given text are those of the reference's forward pass."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.errors import InvalidComparison, RequestRefused
from pytest_llmval.scoring.serving.contract.asking import is_pretended
from pytest_llmval.scoring.serving.contract.explaining import agree, explanation, told
from pytest_llmval.scoring.serving.contract.report import Breach, ServerReport, report_of
from pytest_llmval.scoring.serving.contract.tolerance import USUAL

if TYPE_CHECKING:
    from collections.abc import Sequence

    from pytest_llmval.scoring.serving.contract.asking import Asked, Reference
    from pytest_llmval.scoring.serving.contract.report import Outcome
    from pytest_llmval.scoring.serving.contract.tolerance import Tolerance

NAME = "loglikelihood"


def check_likelihood(
    llm: Asked, reference: Reference, prompts: Sequence[str], tolerance: Tolerance = USUAL
) -> ServerReport:
    """The prompts cut in context and continuation, token by token.

    Where they differ the report says whether they are the reference's one place further: p(token | context with the
    token itself), a known bug of servers.

    Raises:
        CapabilityMissing: If the server says that it gives none; one that takes the request and ignores it fails.
        InvalidComparison: If no prompt has two words.
    """
    pairs = [pair for pair in map(cut, prompts) if pair is not None]
    if not pairs:
        msg = f"prompt log-likelihood: {list(prompts)!r:.80} hold no two words to cut in context and continuation"
        raise InvalidComparison(msg)
    judge = _judged_of_pretender if is_pretended(llm, NAME) else _judged
    return report_of("prompt log-likelihood", [judge(llm, reference, pair, tolerance) for pair in pairs])


def cut(prompt: str) -> tuple[str, str] | None:
    """A text in context and continuation, which begins with the space before a word; None where there is none.

    >>> cut("The opening hours are")
    ('The opening', ' hours are')
    """
    words = prompt.split(" ")
    middle = len(words) // 2
    context, continuation = " ".join(words[:middle]), " ".join(["", *words[middle:]])
    return (context, continuation) if context.strip() and continuation.strip() else None


def _judged_of_pretender(llm: Asked, reference: Reference, pair: tuple[str, str], tolerance: Tolerance) -> Outcome:
    """Of a server that took the request for it: what cannot be read is its fault, and not that of the pair."""
    try:
        values = llm.loglikelihood(*pair, unverified=True).token_logprobs
    except RequestRefused as refusal:
        return Breach(_asked(pair), str(refusal), "the logprobs of the prompt, or a refusal with an error")
    return _compared(reference, pair, values, tolerance)


def _asked(pair: tuple[str, str]) -> str:
    return f"the log-likelihood of {pair[1]!r} after {pair[0]!r}"


def _judged(llm: Asked, reference: Reference, pair: tuple[str, str], tolerance: Tolerance) -> Outcome:
    return _compared(reference, pair, llm.loglikelihood(*pair).token_logprobs, tolerance)


def _compared(reference: Reference, pair: tuple[str, str], values: Sequence[float], tolerance: Tolerance) -> Outcome:
    asked, expected = _asked(pair), reference.loglikelihood(*pair).token_logprobs
    if len(values) != len(expected):
        return Breach(asked, f"logprobs of {len(values)} tokens", f"{len(expected)}, as the reference")
    if agree(values, expected, tolerance):
        return None
    came, wanted = told(values, expected)
    what = explanation(values, expected, tolerance, after_reading(reference, "".join(pair), len(values)))
    return Breach(asked, f"{came}{what and f': {what}'}", f"{wanted}, as the reference")


def after_reading(reference: Reference, text: str, count: int) -> list[float]:
    """What the reference says of each of the last tokens of a text once it has read it: logprobs one place too far."""
    import numpy as np

    logits = reference.logits(text).astype(np.float64)
    ids = reference.tokenizer(text, verbose=False)["input_ids"]
    if len(ids) != len(logits):
        return []
    rows = logits[-count:]
    logprobs = rows - np.logaddexp.reduce(rows, axis=-1, keepdims=True)
    return [float(row[number]) for row, number in zip(logprobs, ids[-count:], strict=True)]
