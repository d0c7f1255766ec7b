"""Groundedness: the share of an answer's claims that its context supports."""

import math
import time
from dataclasses import dataclass, field

import pytest

from pytest_llmval import Response, Unscored, assert_no_regression
from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.grounding.groundedness import claim_support, claims_of, groundedness
from pytest_llmval.scoring.grounding.overlap import by_overlap
from pytest_llmval.scoring.grounding.support import Support

SHOP = "The shop opens at nine. It closes at five."


@dataclass
class Listed:
    """A rule that supports what was listed, leaves undecided what has a question mark, and counts what it is asked."""

    supported: set = field(default_factory=set)
    name: str = "listed"
    version: str = "1"
    judge: str = ""
    asked: list = field(default_factory=list)

    def decide(self, claims):
        """One label each."""
        self.asked.append([claim.text for claim in claims])
        return [Support(claim.text, self._label(claim.text), "the judge said 'hm'") for claim in claims]

    def _label(self, claim):
        return "undecided" if "?" in claim else "supported" if claim in self.supported else "contradicted"


def test_share(grounded):
    """Two of three sentences are supported: 2/3."""
    responses = grounded("It opens at nine. It closes at five. Whales sing.", context=[SHOP])

    scores = groundedness(responses, by_overlap())

    assert scores.values == (pytest.approx(2 / 3),)
    assert (scores.name, scores.kind, scores.bounds) == ("groundedness", "graded", (0.0, 1.0))
    assert scores.basis.metric_version == "1 context='context' by_overlap(at_least=0.6) 1"


def test_notes_name_what_is_unsupported(grounded):
    """A reader of a report sees the claims without support, the first three, before the answer."""
    answer = " ".join(f"Whale {name} sings." for name in "ABCD") + " It opens at nine."
    responses = grounded(answer, "It opens at nine.", Response.failed("timeout"), context=[SHOP] * 3)

    notes = groundedness(responses, by_overlap()).notes

    shown = ", ".join(f"'Whale {name} sings.' (not stated)" for name in "ABC")
    assert [note.answer for note in notes] == [
        f"(4 of 5 claims without support: {shown}, …) {answer}",
        "It opens at nine.",
        "(no answer: timeout)",
    ]


def test_without_context(grounded):
    """Without a context nothing can be said, whatever the answer."""
    contexts = [None, "", " ", [], ["", "\n"]]

    scores = groundedness(grounded(*["Nine."] * 4, "", context=contexts), by_overlap())

    assert scores.values == (Unscored("the case has no context"),) * 5


@pytest.mark.parametrize("answer", ["", " \n", "...", "- \n- "])
def test_an_answer_that_claims_nothing(grounded, answer):
    """Nothing in it is wrong and nothing right, so it has no score."""
    assert groundedness(grounded(answer, context=[SHOP]), by_overlap()).values == (
        Unscored("the answer claims nothing"),
    )


def test_failed_answer(grounded):
    """A failed response counts against a candidate."""
    responses = grounded(Response.failed("timeout"), context=[SHOP])

    assert groundedness(responses, by_overlap()).values == (Unscored("timeout", failed=True),)


def test_undecided(grounded):
    """One claim without a label leaves the case without a score: no label is guessed."""
    responses = grounded("A is. Is B? C is.", "A is.", context=["x", "x"])

    scores = groundedness(responses, Listed({"A is.", "C is."}))

    assert scores.values == (Unscored("the judge said 'hm', of the claim 'Is B?'"), 1.0)
    assert scores.notes[0].answer == "(1 of 3 claims without support: 'Is B?' (undecided)) A is. Is B? C is."


def test_asked_together_and_once(grounded):
    """All claims of all cases and trials are decided in one call; the same claim about the same context once."""
    rule = Listed({"Ants."})
    texts = ["Ants. Bees.", "Ants.", "Ants.", "Cats."]

    scores = groundedness(grounded(*texts, context=["x", "y"], trials=2), rule)

    assert [sorted(each) for each in rule.asked] == [["Ants.", "Ants.", "Bees.", "Cats."]]
    assert scores.values == (0.75, 0.5)
    assert scores.by_trial == ((0.5, 1.0), (1.0, 0.0))


def test_judge_is_part_of_the_basis(grounded):
    """Scores by different judges, rules or bars are refused."""
    responses = grounded(*["A."] * 60, context=["x"] * 60)
    ours = groundedness(responses, Listed({"A."}, judge="judge-1"))

    assert ours.basis.judge == "judge-1"
    assert_no_regression(ours, groundedness(responses, Listed({"A."}, judge="judge-1")))
    with pytest.raises(InvalidComparison, match="judge"):
        assert_no_regression(ours, groundedness(responses, Listed({"A."}, judge="judge-2")))
    with pytest.raises(InvalidComparison, match="metric version"):
        assert_no_regression(groundedness(responses, by_overlap(0.5)), groundedness(responses, by_overlap(0.6)))


def test_a_list_without_response_set(grounded):
    """Responses of any kind that have a case are scored; what was measured on is then not known."""
    scores = groundedness(iter(grounded("It opens at nine.", context=[SHOP])), by_overlap())

    assert scores.values == (1.0,)
    assert scores.basis is None


@pytest.mark.parametrize(
    ("claims", "gamma", "factor"), [(2, 4, math.exp(1 - 4 / 2)), (4, 4, 1), (5, 4, 1), (1, 10, math.exp(-9))]
)
def test_gamma(grounded, claims, gamma, factor):
    """FActScore's penalty: exp(1 − gamma/n) for n ≤ gamma claims (factscore/factscorer.py, methodology §3.2)."""
    responses = grounded(" ".join(["It opens at nine."] * claims), context=[SHOP])

    scores = groundedness(responses, by_overlap(), gamma=gamma)

    assert scores.values == (pytest.approx(factor),)
    assert scores.name == f"groundedness(gamma={gamma})"


def test_context_as_function(grounded):
    """A function of the case gives its context, as a text or as passages."""
    responses = grounded("It opens at nine.", documents=[{"hours": "Opens at nine."}])

    assert groundedness(responses, by_overlap(), context=lambda case: case["documents"]["hours"]).values == (1.0,)
    assert groundedness(responses, by_overlap(), context=lambda _: ["x", "Opens at nine."]).values == (1.0,)


def test_claim_support(grounded):
    """For a message, each claim with its label, evidence and score."""
    responses = grounded("1. It opens at nine.\n2. Whales sing.", "", context=[SHOP, SHOP])

    assert claim_support(responses[0], by_overlap()) == (
        Support("It opens at nine.", "supported", "The shop opens at nine.", 1.0),
        Support("Whales sing.", "not stated", "", 0.0),
    )
    assert claim_support(responses[1], by_overlap()) == ()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda grounded: grounded("A.", context=[""])[0], "^the case has no context$"),
        (lambda grounded: grounded(Response.failed("x"), context=["a"])[0], "expected an answer with its case"),
        (lambda _: Response("A."), "expected an answer with its case"),
    ],
)
def test_claim_support_of_nothing(grounded, make, message):
    """There is no support where there is no answer, no case or no context."""
    with pytest.raises(ValueError, match=message):
        claim_support(make(grounded), by_overlap())


def test_claims():
    """Claims are sentences with a letter or digit, without the marks of lists."""
    assert claims_of("# Hours\n- It opens at 9.\n2) It closes. 5!\n---\n…") == (
        "Hours",
        "It opens at 9.",
        "It closes.",
        "5!",
    )


def test_a_megabyte(grounded):
    """An answer of a megabyte with half a character in it takes seconds."""
    answer = "It opens at nine. Whales sing \ud83d. " * 30_000
    start = time.perf_counter()

    scores = groundedness(grounded(answer, context=[SHOP]), by_overlap())

    assert scores.values == (0.5,)
    assert time.perf_counter() - start < 60


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        (
            {"context": "contxt"},
            ValueError,
            r"^context='contxt': no case has this field; did you mean 'context'\? known: ",
        ),
        (
            {"support": by_overlap},
            TypeError,
            r"^support=<function by_overlap.*: expected by_overlap\(\), by_embedding\(",
        ),
        ({"support": "judge"}, TypeError, r"^support='judge': expected by_overlap\(\), by_embedding\(encoder\) or by"),
        ({"gamma": 0}, ValueError, r"^gamma=0: expected a number of claims above 0, or None for no penalty$"),
        ({"gamma": math.inf}, ValueError, r"^gamma=inf: expected a number of claims"),
        ({"context": lambda _: 3}, ValueError, r"^case 'c0': its context is 3; expected a text or a list of texts$"),
        ({"context": lambda _: ["a", None]}, ValueError, r"^case 'c0': its context is \['a', None\]; expected a te"),
    ],
)
def test_wrong_arguments(grounded, options, error, message):
    """What cannot be used is shown with what would be right."""
    with pytest.raises(error, match=message):
        groundedness(grounded("A.", context=[SHOP]), **{"support": by_overlap()} | options)


def test_another_context_is_another_metric(grounded):
    """What is supported by one field is not compared with what is by another."""
    responses = grounded("It opens at 9.", context=["It opens at 9."], other=["Nothing."])

    versions = {
        groundedness(responses, by_overlap(), context=context).basis.metric_version
        for context in ("context", "other", lambda case: case["other"])
    }

    assert len(versions) == 3
