"""BLEU and chrF of single answers, equal to sacrebleu."""

import pytest
import sacrebleu
from hypothesis import given, settings
from hypothesis import strategies as st
from sacrebleu.tokenizers.tokenizer_13a import Tokenizer13a
from sacrebleu.tokenizers.tokenizer_re import TokenizerRegexp

from pytest_llmval import Unscored
from pytest_llmval.scoring.text.translation import LONGEST, bleu, chrf

TEXTS = st.lists(st.sampled_from(["the", "dog", "bit", "a", "man", ".", "5,5", "é", "\ud800"]), min_size=1, max_size=9)
SENTENCES = TEXTS.map(" ".join)
SYSTEM = ("The dog bit the man.", "It wasn't surprising.", "The man had just bitten him.")
FIRST = ("The dog bit the man.", "It was not unexpected.", "The man bit him first.")


@settings(max_examples=50, deadline=None)
@given(answer=SENTENCES | st.just(""), references=st.lists(SENTENCES, min_size=1, max_size=3))
def test_bleu_is_sentence_bleu(score_of, answer, references):
    """Sacrebleu's number, divided by 100, with all references at once."""
    expected = sacrebleu.sentence_bleu(answer, references).score

    assert score_of(bleu, answer, references) == pytest.approx(expected / 100, abs=1e-12)


@pytest.mark.parametrize("word_order", [0, 2])
@settings(max_examples=50, deadline=None)
@given(answer=SENTENCES | st.just(""), references=st.lists(SENTENCES, min_size=1, max_size=3))
def test_chrf_is_sentence_chrf(score_of, word_order, answer, references):
    """Sacrebleu's number, divided by 100; with two orders of words chrF++."""
    expected = sacrebleu.sentence_chrf(answer, references, word_order=word_order).score

    assert score_of(chrf, answer, references, word_order=word_order) == pytest.approx(expected / 100, abs=1e-12)


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    [
        # sacrebleu, test/test_bleu.py, test_case_effective_order; of one order both smoothings agree: e^(1-2/1).
        ("test", "a test", 0.3678794411714425),
        ("a test", "a test", 1.0),
    ],
)
def test_published_bleu(score_of, answer, reference, score):
    """Orders beyond the answer's length do not count."""
    assert score_of(bleu, answer, reference) == pytest.approx(score, abs=1e-8)


@pytest.mark.parametrize(
    ("answer", "reference", "score"),
    # sacrebleu, test/test_chrf.py, test_cases_effective_order: one answer each, where β does not matter.
    [("a", "a", 1.0), ("", "reference", 0.0), ("a b c", "abc", 1.0), ("aa", "ab", 0.25)],
)
def test_published_chrf(score_of, answer, reference, score):
    """White space does not count, and neither do orders longer than the text."""
    assert score_of(chrf, answer, reference) == pytest.approx(score, abs=1e-4)


@given(text=SENTENCES)
def test_the_reference_itself(score_of, text):
    """It scores 1, never a little more: sacrebleu gives 100.00000000000004 for some."""
    for metric in (bleu, chrf):
        assert 1.0 - 1e-12 < score_of(metric, text, text) <= 1.0


def test_what_rounding_does(score_of):
    """The bound would refuse sacrebleu's own 100.00000000000004."""
    text = "one two three four five"
    assert sacrebleu.sentence_bleu(text, [text]).score > 100

    assert score_of(bleu, text, text) == 1.0


@pytest.mark.parametrize("metric", [bleu, chrf])
@pytest.mark.parametrize("reference", [None, " ", []])
def test_without_a_reference(score_of, metric, reference):
    """The case stays unscored."""
    assert score_of(metric, "x", reference) == Unscored("the case has no reference")


@pytest.mark.parametrize("metric", [bleu, chrf])
def test_too_long(score_of, metric):
    """Counting n-grams takes memory many times the text."""
    assert score_of(metric, "x" * LONGEST, "x") == Unscored(
        "2,000,001 characters in answer and references; the limit is 2,000,000"
    )


def test_signatures(responses_to, version_of):
    """Sacrebleu's own, its version included, tell whether two scores are comparable."""
    one = version_of(bleu)
    several = bleu(responses_to("a", "b", cases={"reference": [["a", "b"], "b"]})).basis.metric_version

    assert one == f"sacrebleu nrefs:1|case:mixed|eff:yes|tok:13a|smooth:exp|version:{sacrebleu.__version__}"
    assert several.startswith("sacrebleu nrefs:var|")
    assert "|tok:char|" in version_of(bleu, tokenize="char")
    assert version_of(chrf) == (
        f"sacrebleu nrefs:1|case:mixed|eff:yes|nc:6|nw:0|space:no|version:{sacrebleu.__version__}"
    )
    assert "|nw:2|" in version_of(chrf, word_order=2)


def test_names(responses_to):
    """ChrF++ is another metric than chrF."""
    responses = responses_to(*SYSTEM, cases={"reference": FIRST})

    assert [chrf(responses, word_order=order).name for order in (0, 2)] == ["chrf", "chrf++"]
    assert (bleu(responses).name, bleu(responses).kind, bleu(responses).bounds) == ("bleu", "graded", (0.0, 1.0))


def test_chinese(score_of):
    """To 13a a Chinese sentence is one word; by characters most of it is right."""
    answer, reference = "我爱北京天安门", "我爱北京的天安门"

    assert score_of(bleu, answer, reference) == 0.0
    assert score_of(bleu, answer, reference, tokenize="zh") > 0.5


def test_what_stays_in_memory(score_of):
    """The tokenizers of sacrebleu keep up to 65,536 texts of any length; here they are let go."""
    sacrebleu.sentence_bleu("kept text", ["kept text"])
    kept = [Tokenizer13a.__call__, TokenizerRegexp.__call__]
    assert all(each.cache_info().currsize > 0 for each in kept)

    score_of(bleu, "kept text", "kept text")

    assert [each.cache_info().currsize for each in kept] == [0, 0]


@pytest.mark.parametrize(
    ("metric", "options", "message"),
    [
        (bleu, {"tokenize": "13b"}, "tokenize='13b'; did you mean '13a'? known: '13a', 'char', 'intl', 'none', 'zh'"),
        (chrf, {"word_order": -1}, "word_order=-1; expected 0 for chrF, 2 for chrF++"),
        (chrf, {"word_order": "2"}, "word_order='2'; expected 0 for chrF, 2 for chrF++"),
        (chrf, {"word_order": True}, "word_order=True; expected 0 for chrF, 2 for chrF++"),
    ],
)
def test_a_wrong_parameter(responses_to, metric, options, message):
    """It is refused before anything is scored."""
    with pytest.raises(ValueError, match=r"expected|known|regular expression") as caught:
        metric(responses_to(), **options)

    assert str(caught.value) == message
