"""Perplexity keeps its protocol and its weights, and figures of different protocols do not compare."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from pytest_llmval import InvalidComparison, Unscored, assert_no_regression, cases, perplexity
from pytest_llmval.asserts import assert_perplexity_not_worse
from pytest_llmval.current import TestInProgress, in_progress
from pytest_llmval.scoring.tokens.corpus import corpus_perplexity
from pytest_llmval.scoring.tokens.perplexity import bits_per_byte
from pytest_llmval.servers.exchange import DocumentLikelihood
from pytest_llmval.servers.perplexity_protocol import PerplexityProtocol, Windows

PROTOCOL = PerplexityProtocol(512, 512, "document", "1a2b3c")
TEXTS = [f"text number {place} " + "and more " * place for place in range(40)]


class Scripted:
    """Gives every text 10 tokens more than its place, and a loss a token."""

    version = "v1"

    def __init__(self, losses, protocol=PROTOCOL, tokens=None):
        self.losses, self.protocol, self.tokens, self.asked = losses, protocol, tokens, None

    def document_likelihood(self, texts, windows=Windows()):  # noqa: B008 - frozen
        """In the order of the texts."""
        self.asked = windows
        tokens = self.tokens or [10 + place for place in range(len(texts))]
        rows = zip(tokens, self.losses, strict=False)
        return [DocumentLikelihood(-count * loss, count, self.protocol) for count, loss in rows]


def test_scores_keep_protocol_and_tokens():
    """Both travel with the scores into a verdict's evidence."""
    scores = perplexity(Scripted([2.0, 1.0]), ["one", "two"])

    assert scores.weights == (10, 11)
    assert scores.basis.protocol == PROTOCOL.facts()


def test_windows_reach_the_server():
    """As they are asked for."""
    llm = Scripted([2.0])

    perplexity(llm, ["one"], window=256, stride=64, bos="window")

    assert llm.asked == Windows(256, 64, "window")


def test_bits_per_byte_by_hand():
    """10 tokens of ln 2 nats are 10 bits; "zwölf" has 6 bytes in UTF-8."""
    scores = bits_per_byte(Scripted([math.log(2)]), ["zwölf"])

    assert scores.values == pytest.approx((10 / 6,))
    assert (scores.name, scores.unit, scores.weights) == ("bits_per_byte", "bits/byte", (6,))
    assert (scores.higher_is_better, scores.bounds, scores.kind) == (False, None, "unbounded")


def test_word_perplexity_by_hand():
    """10 tokens of 0.3 nats over two words: 1.5 nats a word, whatever the white space."""
    scores = perplexity(Scripted([0.3]), ["two\n  words "], unit="word")

    assert scores.values == pytest.approx((1.5,))
    assert (scores.name, scores.unit, scores.weights) == ("word_perplexity", "nats/word", (2,))


def test_a_text_without_words():
    """White space has tokens and bytes, but no word."""
    assert perplexity(Scripted([0.3]), [" \n"], unit="word").values == (Unscored("the text has no words"),)


def test_an_unknown_unit():
    """The message lists those there are."""
    with pytest.raises(ValueError, match=r"unit='char'; expected 'token', 'word' or 'byte'"):
        perplexity(Scripted([1.0]), ["one"], unit="char")


@pytest.mark.parametrize("gate", [assert_no_regression, assert_perplexity_not_worse])
@pytest.mark.parametrize(
    ("changed", "sentence"),
    [
        ({"window": 256}, "protocol window differs: 512 -> 256"),
        ({"stride": 64}, "protocol stride differs: 512 -> 64"),
        ({"bos": "window"}, "protocol bos differs: document -> window"),
        ({"dtype": "bfloat16"}, "protocol dtype differs: float32 -> bfloat16"),
        ({"scored": "second half"}, "protocol scored differs: each token once, BOS never -> second half"),
        (
            {"tokenization": "9f"},
            "protocol tokenization differs: 1a2b3c -> 9f; bits_per_byte(llm, texts) compares across tokenizers",
        ),
    ],
)
def test_another_protocol_is_refused(gate, changed, sentence):
    """Equal losses, taken differently: the message names what differs, and nothing else."""
    candidate, baseline = Scripted([2.0] * 40, replace(PROTOCOL, **changed)), Scripted([2.0] * 40)

    with in_progress(TestInProgress("t")), pytest.raises(InvalidComparison) as refusal:
        gate(perplexity(candidate, TEXTS), perplexity(baseline, TEXTS))

    assert str(refusal.value).splitlines()[1:] == [sentence]


def test_bits_per_byte_compares_across_tokenizers():
    """Other tokens, half as many: the bytes are the same."""
    candidate = Scripted([4.0] * 40, replace(PROTOCOL, tokenization="9f"), tokens=[5 + place for place in range(40)])
    baseline = Scripted([2.0] * 40, tokens=[10 + 2 * place for place in range(40)])

    with in_progress(TestInProgress("t")):
        verdict = assert_no_regression(bits_per_byte(candidate, TEXTS), bits_per_byte(baseline, TEXTS), margin=1.0)

    assert verdict.delta == pytest.approx(0.0, abs=1e-12)


def test_other_weights_are_refused():
    """As many tokens by the one protocol, but not of the same texts."""
    candidate = Scripted([2.0] * 40, tokens=[9, 12, *range(12, 50)])

    with in_progress(TestInProgress("t")), pytest.raises(InvalidComparison, match=r"weight differs for '\w+', '\w+'$"):
        assert_perplexity_not_worse(perplexity(candidate, TEXTS), perplexity(Scripted([2.0] * 40), TEXTS))


def test_a_corpus_by_hand():
    """Losses 1 and 2 over 30 and 10 tokens: 50/40 nats; the mean of both perplexities is another number."""
    corpus = corpus_perplexity(Scripted([1.0, 2.0], tokens=[30, 10]), ["one two", "three"])

    assert corpus.loss == 1.25
    assert corpus.perplexity == pytest.approx(math.exp(1.25))
    assert corpus.mean_of_documents == pytest.approx((math.e + math.e**2) / 2)
    assert corpus.bits_per_byte == pytest.approx(50 / 12 / math.log(2))
    assert corpus.word_perplexity == pytest.approx(math.exp(50 / 3))
    assert (corpus.documents, corpus.tokens, corpus.words, corpus.bytes) == (2, 40, 3, 12)
    assert corpus.effective_documents == 40**2 / (30**2 + 10**2)
    assert corpus.interval.low < 1.25 < corpus.interval.high


def test_the_report_of_a_corpus():
    """Corpus figures, the documents they rest on, and the protocol."""
    documents = cases(
        [{"id": f"d{place}", "text": text} for place, text in enumerate(["one two", "three", "four"])], prompt="{text}"
    )

    corpus = corpus_perplexity(Scripted([1.0, 2.0, 1.5], tokens=[30, 10, 20]), documents)

    # 80 nats over 60 tokens, 16 bytes and 4 words.
    assert str(corpus).splitlines() == [
        "perplexity 3.794 (90% CI over documents [1.013, 14.21]), 1.3333 nats/token",
        "7.2135 bits/byte, word perplexity 4.852e+08",
        "documents: 3, worth 2.6 of one length; tokens: 60",
        "worst documents: d1 2.0000, d2 1.5000, d0 1.0000 nats/token",
        f"protocol: {'; '.join(map(' '.join, PROTOCOL.facts()))}",
    ]


def test_a_corpus_of_one_document_has_no_interval():
    """One document shows no spread between documents."""
    corpus = corpus_perplexity(Scripted([1.0]), ["one"])

    assert corpus.interval is None
    assert str(corpus).startswith("perplexity 2.718, 1.0000 nats/token\n")


def test_clusters_of_a_corpus():
    """Pages of one book are one unit."""
    rows = [{"id": f"p{place}", "text": f"page {place}", "book": f"b{place // 2}"} for place in range(4)]
    pages = cases([row | {"cluster": row.pop("book")} for row in rows], prompt="{text}")

    corpus = corpus_perplexity(Scripted([1.0, 1.0, 2.0, 2.0], tokens=[10] * 4), pages)

    half = 6.3138 * 0.5  # t(1) · s/√2 with s = 1/√2
    assert (corpus.interval.low, corpus.interval.high) == pytest.approx((1.5 - half, 1.5 + half), rel=1e-4)


@pytest.mark.parametrize(
    ("losses", "tokens", "message"),
    [
        ([1.0], [0], r"perplexity needs at least one token of text"),
        ([math.nan, 1.0], [5, 5], r"the model's log-likelihood of 1 of 2 texts is NaN, first of '\w{12}'"),
    ],
)
def test_a_corpus_without_a_number(losses, tokens, message):
    """No figure is made up."""
    with pytest.raises(ValueError, match=message):
        corpus_perplexity(Scripted(losses, tokens=tokens), ["one", "two"][: len(losses)])


def test_an_impossible_text():
    """An infinite loss is the corpus's, without an interval."""
    corpus = corpus_perplexity(Scripted([math.inf, 1.0]), ["one", "two"])

    assert corpus.perplexity == math.inf
    assert corpus.interval is None
