"""Windows of long texts: each token scored once with the context promised, as by one plain pass a token."""

from __future__ import annotations

import math
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmval.servers.engine import TransformersEngine
from pytest_llmval.servers.engine.documents import cut_windows, encode_document, protocol_of
from pytest_llmval.servers.perplexity_protocol import PerplexityProtocol, Windows

LONG = "The opening hours of the library are nine to five on weekdays. " * 12
TEXTS = ["The library", LONG, "", LONG[:200], "a"]


def plain_sum(plain_logprobs: Any, ids: list[int], size: int, stride: int, bos: str = "document") -> float:
    """Each token by a forward pass of its own over the context that its window gives it."""
    total = 0.0
    for at in range(1, len(ids)):
        number = max(0, -(-(at - size) // stride))
        end = min(1 + size + number * stride, len(ids))
        context = ids[max(0, end - size - 1) : at] if bos == "document" else [ids[0], *ids[max(1, end - size) : at]]
        total += float(plain_logprobs(context)[-1, ids[at]])
    return total


@pytest.mark.parametrize("bos", ["document", "window"])
@pytest.mark.parametrize(("size", "stride"), [(128, 128), (64, 64), (64, 16), (50, 49), (33, 1), (1, 1)])
def test_every_token_is_scored_in_its_window(
    engine: Any, plain_logprobs: Any, size: int, stride: int, bos: Any
) -> None:
    """No label is shifted at an edge, no window is short, no token counts twice: the sum is that of single tokens."""
    text = LONG[:260] if stride > 1 else LONG[:90]
    ids = encode_document(engine.tokenizer, text)

    (found,) = engine.document_likelihood([text], Windows(size, stride, bos))

    assert found.tokens == len(ids) - 1
    assert found.logprob == pytest.approx(plain_sum(plain_logprobs, ids, size, stride, bos), abs=1e-4 * len(ids))


@settings(derandomize=True, max_examples=200, deadline=None)
@given(st.integers(0, 60), st.integers(1, 12), st.data())
def test_windows_score_each_token_once_with_its_context(length: int, size: int, data: Any) -> None:
    """In order, never more positions than allowed, later windows full, context of window − stride + 1 at least."""
    stride, bos = data.draw(st.integers(1, size)), data.draw(st.sampled_from(["document", "window"]))
    ids = list(range(length + 1))

    windows = cut_windows(ids, size, stride, bos)

    assert [token for each in windows for token in each.ids[-each.scored :]] == ids[1:]
    assert all(1 <= each.scored < len(each.ids) <= size + 1 for each in windows)
    assert all(len(each.ids) == size + 1 and each.scored <= stride for each in windows[1:])
    assert all(len(each.ids) - each.scored >= size - stride + 1 for each in windows[1:])
    if bos == "window":
        assert all(each.ids[0] == 0 for each in windows)


def test_the_mean_of_windows_is_not_the_mean_of_tokens(engine: Any, plain_logprobs: Any) -> None:
    """A positive control: the windows add up to our sum, and the mean of their means is off (transformers#34138)."""
    ids = encode_document(engine.tokenizer, LONG)
    (whole,) = engine.document_likelihood([LONG], Windows(100))

    sums, sizes = [], []
    for each in cut_windows(ids, 100):
        scored = plain_logprobs(list(each.ids[:-1]))[-each.scored :]
        sums.append(sum(float(row[token]) for row, token in zip(scored, each.ids[-each.scored :], strict=True)))
        sizes.append(each.scored)
    mean_of_means = sum(total / size for total, size in zip(sums, sizes, strict=True)) / len(sums)

    assert len(set(sizes)) == 2
    assert whole.logprob == pytest.approx(sum(sums), rel=1e-5)
    assert abs(mean_of_means - whole.logprob / whole.tokens) > 1e-3


def test_more_context_helps_and_no_token_is_lost(engine: Any) -> None:
    """Windows change the loss, never the number of tokens."""
    tokens = {
        engine.document_likelihood([LONG], Windows(size, stride))[0].tokens for size in (128, 32) for stride in (32, 7)
    }

    assert len(tokens) == 1


def test_padding_beside_long_texts_counts_for_nothing(engine: Any) -> None:
    """Batched with texts of other lengths, each text has the likelihood that it has alone."""
    together = engine.document_likelihood(TEXTS, Windows(40, 20))
    alone = [engine.document_likelihood([text], Windows(40, 20))[0] for text in TEXTS]

    assert [each.tokens for each in together] == [each.tokens for each in alone]
    assert [each.logprob for each in together] == pytest.approx([each.logprob for each in alone], rel=1e-5)


def test_an_improbable_token_does_not_underflow() -> None:
    """Where its softmax is 0 in float32, so that its logarithm is −Inf, the loss is the distance of the logits."""
    import torch

    from pytest_llmval.servers.engine.token_scores import score_tokens

    logits = torch.tensor([[0.0, 300.0, 299.0]])

    (logprob,) = score_tokens(logits, [0]).logprobs

    assert logits.softmax(-1).log()[0, 0] == -math.inf
    assert logprob == pytest.approx(-300 - math.log1p(math.exp(-1)), rel=1e-6)


def test_the_protocol_says_how_long_texts_were_read(engine: Any) -> None:
    """It comes with every likelihood of the call."""
    protocols = {each.protocol for each in engine.document_likelihood(TEXTS, Windows(64, 16, "window"))}

    (protocol,) = protocols
    assert (protocol.window, protocol.stride, protocol.bos) == (64, 16, "window")
    assert protocol.scored == "each token once, BOS never"
    assert protocol.dtype == "float32"


def test_windows_that_cut_nothing_are_no_part_of_the_protocol(engine: Any) -> None:
    """Short texts compare between models of different context lengths, and whatever was asked for."""
    (short,) = engine.document_likelihood(["The library"], Windows(20, 5, "window"))
    (plain,) = engine.document_likelihood(["The library"])

    assert short == plain
    assert (plain.protocol.window, plain.protocol.stride, plain.protocol.bos) == (None, None, "document")
    assert plain.protocol.facts()[0] == ("window", "none, texts are read whole")


def test_another_tokenizer_is_another_protocol(
    engine: Any, tiny_model: Any, tmp_path: Any, make_tokenizer: Any
) -> None:
    """The hash is that of the tokens themselves: equal for tokenizers that cut these texts alike, else not."""
    ids = encode_document(engine.tokenizer, LONG)
    whole = Windows()

    same = protocol_of([ids], [cut_windows(ids, None)], whole)
    other = protocol_of([[*ids[:-1], ids[-1] + 1]], [cut_windows(ids, None)], whole)

    assert same == protocol_of([list(ids)], [cut_windows(ids, None)], whole)
    assert same.tokenization != other.tokenization


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ((0,), r"window=0; expected at least 1 position"),
        ((8, 9), r"stride=9; expected 1 to window=8, so that each token is scored once"),
        ((8, 0), r"stride=0; expected 1 to window=8"),
        ((8, 8, "never"), r"bos='never'; expected 'document' or 'window'"),
    ],
)
def test_impossible_windows(arguments: Any, message: str) -> None:
    """Refused where they are written."""
    with pytest.raises(ValueError, match=message):
        Windows(*arguments)


def test_a_window_longer_than_the_context(engine: Any) -> None:
    """The model would read positions it was never trained on."""
    with pytest.raises(ValueError, match=r"window=129; expected at most the 128 positions that the model has"):
        engine.document_likelihood(["a"], Windows(129))


def test_a_stride_longer_than_the_context(engine: Any) -> None:
    """It would leave tokens out."""
    with pytest.raises(ValueError, match=r"stride=200; expected 1 to window=128"):
        engine.document_likelihood(["a"], Windows(stride=200))


def test_a_model_without_a_context_length() -> None:
    """It reads texts whole, or in windows of the size asked for."""
    assert Windows().within(None) == Windows()
    assert Windows(64, 16).within(None) == Windows(64, 16)


@pytest.mark.parametrize("kind", ["gpt2", "mistral"])
def test_other_architectures(tiny_model: Any, kind: str) -> None:
    """Strides reach all models: more context changes the loss of a repetitive text, not its tokens."""
    engine = TransformersEngine(tiny_model(kind))

    (apart,), (sliding,) = (engine.document_likelihood([LONG], Windows(64, stride)) for stride in (64, 16))

    assert apart.tokens == sliding.tokens
    assert apart.logprob != sliding.logprob


def test_facts_are_plain_text() -> None:
    """For records and messages."""
    facts = PerplexityProtocol(512, 256, "window", "abc").facts()

    assert facts == (
        ("window", "512"),
        ("stride", "256"),
        ("bos", "window"),
        ("tokenization", "abc"),
        ("scored", "each token once, BOS never"),
        ("dtype", "float32"),
    )
