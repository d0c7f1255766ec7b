"""Document likelihood: every token once, windows like lm-eval's, equal to one plain pass per token."""

from __future__ import annotations

from typing import Any

import pytest

from pytest_llmval.servers.engine import TransformersEngine, token_scores
from pytest_llmval.servers.engine.documents import cut_windows, encode_document

LONG = "The opening hours of the library are nine to five on weekdays. " * 12
TEXTS = ["The library", LONG, "", "東京 and 🙂", LONG[:200], LONG[: 2 * len(LONG) // 3], "a"]


def naive_sum(plain_logprobs: Any, ids: list[int], size: int = 128) -> float:
    """Each token scored in a forward pass of its own window, as lm-eval defines the windows."""
    total = 0.0
    for at in range(1, len(ids)):
        start = 1 + (at - 1) // size * size
        end = min(start + size, len(ids))
        total += float(plain_logprobs(ids[max(0, end - size - 1) : at])[-1, ids[at]])
    return total


@pytest.mark.parametrize("batch_size", [1, 4, 32])
def test_documents(tiny_model: Any, plain_logprobs: Any, batch_size: int) -> None:
    """The likelihood of a text is the naive sum over its tokens, whatever is computed beside it."""
    engine = TransformersEngine(tiny_model("llama"), batch_size)

    found = engine.document_likelihood(TEXTS)

    for text, likelihood in zip(TEXTS, found, strict=True):
        ids = encode_document(engine.tokenizer, text)
        assert likelihood.tokens == len(ids) - 1
        assert likelihood.logprob == pytest.approx(naive_sum(plain_logprobs, ids), abs=1e-4 * len(ids))


@pytest.mark.parametrize("kind", ["llama", "gpt2", "mistral"])
def test_pieces(tiny_model: Any, monkeypatch: pytest.MonkeyPatch, kind: str) -> None:
    """Rows whose logits do not fit at once are read in pieces, with the same result."""
    engine = TransformersEngine(tiny_model(kind))
    expected = [each.logprob for each in engine.document_likelihood(TEXTS)]
    monkeypatch.setattr(token_scores, "CELLS", 400 * 50)
    monkeypatch.setattr(token_scores, "PIECE", 9)

    found = [each.logprob for each in engine.document_likelihood(TEXTS)]

    assert found == pytest.approx(expected, rel=1e-5)


def test_leading_bos(engine: Any) -> None:
    """A text that starts with BOS has no second one."""
    plain, marked = engine.document_likelihood(["The library", "<s>The library"])

    assert plain == marked


def test_no_bos(make_tokenizer: Any, tmp_path: Any) -> None:
    """Without BOS the text stands after EOS."""
    tokenizer = make_tokenizer(tmp_path, adds_bos=False)
    tokenizer.bos_token = None

    assert encode_document(tokenizer, "The") == [1, *tokenizer("The")["input_ids"]]


def test_empty_text(engine: Any) -> None:
    """An empty text has no token and probability one."""
    (likelihood,) = engine.document_likelihood([""])

    assert (likelihood.logprob, likelihood.tokens) == (0.0, 0)


@pytest.mark.parametrize("length", range(1, 24))
def test_windows(length: int) -> None:
    """Windows score each token but the first exactly once, in order, and never exceed the context."""
    ids = list(range(length))

    windows = cut_windows(ids, 5)

    assert [token for window in windows for token in window.ids[-window.scored :]] == ids[1:]
    assert all(window.scored < len(window.ids) <= 5 + 1 for window in windows)


def test_windows_of_lm_eval() -> None:
    """The windows of lm-eval's own test: ten tokens, five at a time, one token of context.

    Source: lm-evaluation-harness, tests/test_utils.py, `test_get_rolling_token_windows_v3` (prefix -100,
    inputs [-100, 0, 1, 2, 3], [4, 5, 6, 7, 8], [5, 6, 7, 8] context for the last); rule in `get_rolling_token_windows`.
    """
    windows = cut_windows([-100, 0, 1, 2, 3, 4, 5, 6], 5)

    assert [(window.ids, window.scored) for window in windows] == [
        ((-100, 0, 1, 2, 3, 4), 5),
        ((1, 2, 3, 4, 5, 6), 2),
    ]


def test_unlimited_context() -> None:
    """A model that names no context length reads the whole text at once."""
    (window,) = cut_windows([0, 1, 2, 3], None)

    assert (window.ids, window.scored) == ((0, 1, 2, 3), 3)
