"""Tolerances of golden answers as users see them: what passes, what fails, and by which number."""

import json
from pathlib import Path

import pytest
import torch  # noqa: F401 - a second run in this process that imports it anew would end the process

import pytest_llmval.fixtures.goldens.assertion  # noqa: F401 - and one that imports this anew would have two kinds of Tol

QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-p", "no:rerunfailures")
SUITE = """
import json
from pathlib import Path

from pytest_llmval.scoring.golden.tolerances import *
from pytest_llmval.servers.exchange import Choice, Response, TokenLogprob

given = json.loads(Path(__file__).with_name("given.json").read_text())
tokens = given.get("tokens")
told = tokens if tokens and len(tokens[0]) > 1 else ()
response = Response(
    given.get("text", ""),
    tuple(each[0] for each in tokens or ()),
    tuple(TokenLogprob(*each[:3], tuple(map(tuple, each[3]))) for each in told) or None,
    given.get("finish_reason", "stop"),
    choice=Choice(*given["choice"]) if "choice" in given else None,
)

def test_it(golden):
    assert response == golden(tolerance={tolerance})
"""


@pytest.fixture
def kept(pytester, monkeypatch):
    """Writes a golden and gives a function that runs the suite on another answer, with a tolerance."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # the inner run is nobody's worker

    def keep(**golden):
        def run(tolerance, *args, **given):
            pytester.makepyfile(test_a=SUITE.replace("{tolerance}", tolerance))
            (pytester.path / "given.json").write_text(json.dumps(given))
            start = pytester.runpytest_subprocess if "encoder" in tolerance else pytester.runpytest
            return start(*QUIET, *args)

        run("None", "--snapshot-update", **golden).assert_outcomes(passed=1)
        return run

    return keep


def test_after_a_tokenizer_change_the_message_says_that_only_ids_differ(kept):
    """The same text in other tokens fails, and names the tolerance that accepts it."""
    run = kept(text="it is 1", tokens=[[5], [6], [7]])

    exact, accepted = (run(each, text="it is 1", tokens=[[5], [67]]) for each in ("None", "SameText()"))

    exact.assert_outcomes(failed=1)
    exact.stdout.fnmatch_lines(
        [
            "E * ModelRegression: the answer differs from its golden",
            "E * first token that differs: 1, id 6 -> id 67",
            "E * rule: exact: the text is the same, the tokenisation changed; tolerance=SameText() accepts that",
        ]
    )
    accepted.assert_outcomes(passed=1)


def test_another_finish_reason_fails_exactly_and_passes_by_text(kept):
    """An answer that was cut where the golden ended is not the same."""
    run = kept(text="it is 1")

    exact, accepted = (run(each, text="it is 1", finish_reason="length") for each in ("None", "SameText()"))

    exact.stdout.fnmatch_lines(["E * rule: exact: the text is the same, the finish reason is not (stop -> length); *"])
    accepted.assert_outcomes(passed=1)


def test_same_tokens_are_enough_where_texts_are_put_together_otherwise(kept):
    """And other tokens are not."""
    run = kept(text="it is 1", tokens=[[5], [6]])

    same, other = run("SameTokens()", text="it is  1", tokens=[[5], [6]]), run("SameTokens()", text="x", tokens=[[5]])

    same.assert_outcomes(passed=1)
    other.stdout.fnmatch_lines(["E * first token that differs: 1, id 6 -> the end", "E * rule: the tokens differ"])


def test_texts_are_compared_after_a_named_normalisation_or_a_function(kept):
    """White space by name, several names in order, capitals by a function; without one the text itself."""
    run = kept(text="It is  1\n")

    for tolerance, text in (
        ("SameText(normalise='whitespace')", "It is 1"),
        ("SameText(normalise=('case', 'whitespace'))", "it IS 1"),
        ("SameText(normalise=str.upper)", "it is  1\n"),
    ):
        run(tolerance, text=text).assert_outcomes(passed=1)
    failed = run("SameText(normalise='whitespace')", text="It is 2")
    failed.stdout.fnmatch_lines(["E * It [[]-is  1*-]{+is 2+}", "E * rule: not the same text after whitespace"])


def test_rouge_l_passes_from_its_bar_on(kept):
    """Six of seven words in order on both sides: precision = recall = F = 6/7 = 0.857."""
    run = kept(text="you can return it within thirty days")
    text = "you can return it within fourteen days"

    passed, failed = run("RougeL(at_least=0.85)", text=text), run("RougeL(at_least=0.9)", text=text)

    passed.assert_outcomes(passed=1)
    failed.stdout.fnmatch_lines(["E * rule: ROUGE-L 0.86 < 0.9"])


def test_rouge_that_sees_no_word_cannot_decide(kept):
    """Neither passed nor a regression: the message says why."""
    run = kept(text="это один")

    result = run("RougeL(at_least=0.1)", text="это два")

    result.stdout.fnmatch_lines(
        [
            "E * InvalidComparison: the answer cannot be compared with its golden",
            "E * rule: ROUGE-L cannot tell: the reference has no word of a to z or 0 to 9*",
        ]
    )


TIE = [[1, "it", -0.1, []], [5, " is", -0.69, [[5, -0.69], [6, -0.72]]], [7, " 1", -0.1, []]]
OTHER = [[1, "it", -0.1, []], [6, " was", -0.70, [[6, -0.70], [5, -0.71]]], [9, " one", -0.2, []]]


def test_a_tie_that_logprobs_explain_passes_and_a_tighter_one_does_not(kept):
    """The golden's version saw 0.03 nats between the tokens, the other one 0.01."""
    run = kept(text="it is 1", tokens=TIE)

    explained, too_far = (run(f"UpToTie(nats={nats})", text="it was one", tokens=OTHER) for nats in (0.03, 0.02))

    explained.assert_outcomes(passed=1)
    too_far.assert_outcomes(failed=1)
    too_far.stdout.fnmatch_lines(
        [
            "E * first token that differs: 1, ' is' (id 5) -> ' was' (id 6)",
            "E * probabilities by the version of the golden: 0.5016 and 0.4868, 0.0300 nats apart",  # e^-0.69, e^-0.72
            "E * probabilities by the version of the answer: 0.4916 and 0.4966, 0.0100 nats apart",  # e^-0.71, e^-0.70
            "E * rule: no tie: the two tokens are 0.03 nats apart > 0.02",
        ]
    )


def test_without_logprobs_no_tie_is_known_and_the_message_says_how_to_ask(kept):
    """Token ids alone explain nothing."""
    run = kept(text="it is 1", tokens=[[1], [5]])

    result = run("UpToTie()", text="it was 1", tokens=[[1], [6]])

    result.stdout.fnmatch_lines(
        ["E * rule: not known to be a tie: no side knows how probable both tokens were; ask with logprobs=2"]
    )


def test_options_up_to_a_tie(kept):
    """Another option passes where both versions found the two as likely."""
    run = kept(text="B", finish_reason="choice", choice=[1, [-1.02, -1.0], [1, 1]])

    exact, tie, no_tie = (
        run(each, text="A", finish_reason="choice", choice=[0, [-1.0, -1.04], [1, 1]])
        for each in ("None", "UpToTie(nats=0.05)", "UpToTie(nats=0.03)")
    )

    exact.stdout.fnmatch_lines(["E * rule: the chosen option: number 1 -> number 0"])
    tie.assert_outcomes(passed=1)
    no_tie.stdout.fnmatch_lines(
        [
            "E * logprobs of the options by the version of the golden: -1.0200, -1.0000",
            "E * logprobs of the options by the version of the answer: -1.0000, -1.0400",
            "E * rule: no tie: the two options are 0.04 nats apart > 0.03",
        ]
    )


ORDER = '{"id": 7, "items": [{"name": "pen", "price": 2}, {"name": "ink", "price": 3}]}'


def test_json_is_compared_as_json_with_ignored_paths(kept):
    """Order of keys and white space are free; what differs is named by its path."""
    run = kept(text=ORDER)
    text = '{"items": [{"price": 9, "name": "pen"},\n {"name": "ink", "price": 3.0}], "id": 8}'

    ignored = run("JsonLike(ignore=('$.id', '$.items[*].price'))", text=text)
    failed = run("JsonLike()", text=text)
    no_json = run("JsonLike()", text="Here you are: {}")

    ignored.assert_outcomes(passed=1)
    failed.stdout.fnmatch_lines(["E * rule: not the same JSON: 2 places: $.id: 7 -> 8; $.items[[]0].price: 2 -> 9"])
    no_json.stdout.fnmatch_lines(["E * ModelRegression: *", "E * rule: the answer is no JSON: Expecting value: *"])


def test_json_of_the_same_structure(kept):
    """Values and the lengths of lists are free; keys and kinds of values are not."""
    run = kept(text=ORDER)

    longer = run("JsonLike(structure_only=True)", text='{"id": 1, "items": [{"name": "cap", "price": 0}]}')
    other = run("JsonLike(structure_only=True)", text='{"id": 1, "items": [{"name": "cap", "price": "0"}]}')

    longer.assert_outcomes(passed=1)
    other.stdout.fnmatch_lines(
        ["E * rule: not JSON of the same structure: 1 place: $.items[[]0].price: number -> text"]
    )


@pytest.mark.models
def test_embeddings_are_compared_by_an_encoder_beside_the_test(kept, pytester):
    """The path is relative to the test's file; the example model serves as an encoder."""
    models = Path(__file__).parents[2] / "example_suites" / "models"
    (pytester.path / "models").symlink_to(models)
    run = kept(text="you can return it within thirty days")

    close, far = (
        run(f"EmbeddingClose(at_least={bar}, encoder='models/v1')", text="you can return it within fourteen days")
        for bar in (0.5, 1.0)
    )

    close.assert_outcomes(passed=1)
    far.stdout.fnmatch_lines(["E * rule: cosine by models/v1 0.* < 1"])


def test_an_encoder_that_is_not_there_is_said_at_once(kept):
    """Also while the answer is still the golden's."""
    run = kept(text="it is 1")

    result = run("EmbeddingClose(at_least=0.5, encoder='no/such/folder')", text="it is 1")

    result.assert_outcomes(failed=1)
    result.stdout.fnmatch_lines(["E *SettingsError: text encoder 'no/such/folder': no such folder*"])
