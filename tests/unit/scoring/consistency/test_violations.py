"""Violations: the share of perturbations that are answered otherwise."""

from __future__ import annotations

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmval import cases
from pytest_llmval.case_sets.case import Case, content_hash
from pytest_llmval.case_sets.function_source import source_of
from pytest_llmval.case_sets.perturbing.letter_case import letter_case
from pytest_llmval.case_sets.perturbing.relation import relation
from pytest_llmval.records.response_set import ResponseSet, conditions_of
from pytest_llmval.scoring.consistency.violations import violations
from pytest_llmval.scoring.score import CaseNote, Unscored
from pytest_llmval.servers.exchange import Choice, Response
from pytest_llmval.statistics import wilson_interval
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.threshold import decide_at_most

FAILED = Response.failed("timed out")
shout = relation("shout", lambda question: [f"{question}{'!' * n}" for n in range(1, 4)])


def asked(count=1, times=3, **more):
    """Questions `Q0?`, `Q1?` …, each with so many perturbations."""
    rows = [{"id": f"c{n}", "question": f"Q{n}?"} for n in range(count)]
    return cases(rows, prompt="{question}", name="faq", **more).perturbed(shout, times=times)


def answered(case_set, *answers, trials=1):
    """A response set: answers come case by case, in the order of the set, `trials` of them each."""
    given = [Response(text=each) if isinstance(each, str) else each for each in answers]
    rows = [given[start : start + trials] for start in range(0, len(given), trials)]
    attached = []
    for case, row in zip(case_set, rows, strict=True):
        own = tuple(each.with_case(case, ()) for each in row)
        attached.append(own[0].with_case(case, own))
    return ResponseSet(case_set, tuple(attached), "v1", conditions_of(case_set, "blocks of 32"))


def choosing(index, *options):
    """A response that chose an option."""
    return Response(text=options[index], choice=Choice(index, (-1.0,) * len(options)), finish_reason="choice")


def test_the_share_of_perturbations_with_another_answer():
    """One value a case, with its perturbations in it: none of three, one of three, all."""
    found = violations(answered(asked(3), *"aaaa", *"abaa", *"abcd"))

    assert found.ids == ("c0", "c1", "c2")
    assert found.values == (0.0, pytest.approx(1 / 3), 1.0)
    assert (found.name, found.kind, found.bounds, found.unit) == ("violations of shout", "graded", (0.0, 1.0), "")
    assert not found.higher_is_better
    assert (found.clusters, found.must_pass, found.by_trial) == (None, None, None)
    assert [case.id for case in found.cases] == ["c0", "c1", "c2"]


@settings(max_examples=40, derandomize=True, deadline=None)
@given(texts=st.lists(st.text(), min_size=1, max_size=4), times=st.integers(1, 3), trials=st.integers(1, 3))
def test_answers_that_never_change_violate_nothing(texts, times, trials):
    """Whatever they are: empty, of any script, in any number of trials."""
    case_set = asked(len(texts), times)
    responses = [texts[int((case.origin or case.id)[1:])] for case in case_set for _ in range(trials)]

    assert set(violations(answered(case_set, *responses, trials=trials)).values) == {0.0}


@settings(max_examples=40, derandomize=True, deadline=None)
@given(st.lists(st.tuples(*[st.sampled_from("ab")] * 4), min_size=1, max_size=6))
def test_the_values_are_the_shares_that_differ(rows):
    """Counted beside: each of three perturbations against the first answer."""
    responses = answered(asked(len(rows)), *[text for row in rows for text in row])

    expected = [sum(text != row[0] for text in row[1:]) / 3 for row in rows]

    assert violations(responses).values == pytest.approx(expected)


@pytest.mark.parametrize(
    ("original", "perturbed", "value"),
    [
        ("Within 45 days.", " within  45\ndays. ", 0.0),
        ("Within 45 days.", "Within 54 days.", 1.0),
        ("", " ", 0.0),
        (choosing(0, "pen", "ink"), choosing(1, "ink", "pen"), 0.0),
        (choosing(0, "pen", "ink"), choosing(0, "ink", "pen"), 1.0),
        (choosing(0, "a", "A"), choosing(1, "a", "A"), 1.0),
    ],
)
def test_answers_that_are_the_same(original, perturbed, value):
    """But for letter case and white space; options by their text, to the letter, wherever they stand."""
    assert violations(answered(asked(times=1), original, perturbed)).values == (value,)


def test_sameness_of_ones_own():
    """A function of both responses, which know their cases; it makes another metric."""

    def starts_alike(original, perturbed):
        assert perturbed.case.origin == original.case.id
        return original.text[0] == perturbed.text[0]

    responses = answered(asked(times=2), "yes", "yeah", "no")

    assert violations(responses, same=starts_alike).values == (0.5,)
    assert violations(responses, same=starts_alike).basis.metric_version == content_hash(source_of(starts_alike))[:8]
    assert violations(responses).basis.metric_version == "1"


def test_sameness_that_is_not_known():
    """The case has no score, which is nobody's fault."""
    responses = answered(asked(times=2), "yes", "yeah", "no")

    found = violations(responses, same=lambda *_: Unscored("no judge"))

    assert found.values == (Unscored("no judge"),)


def test_sameness_that_is_no_answer():
    """A number would count as yes."""
    with pytest.raises(
        ValueError, match=r"^same gave 0\.7 for 'yes' and 'no'; expected True, False or Unscored\(reason"
    ):
        violations(answered(asked(times=1), "yes", "no"), same=lambda *_: 0.7)


def test_one_perturbation_a_case_is_a_binary_score():
    """The interval is that of a rate: 2 of 8, Wilson's."""
    answers = [text for n in range(8) for text in ("a", "b" if n < 2 else "a")]

    found = violations(answered(asked(8, times=1), *answers))
    verdict = decide_at_most(found, 0.6)

    assert (found.kind, verdict.method, verdict.candidate) == ("binary", "wilson", 0.25)
    interval = wilson_interval(2, 8, 0.9)
    assert (verdict.low, verdict.high) == pytest.approx((interval.low, interval.high))
    assert verdict.outcome.value == "equivalent"
    assert verdict.worst[0].id == "c0"


def test_trials_are_compared_with_the_trial_of_the_same_number():
    """Trial 1: neither of two differs; trial 2: one of two."""
    found = violations(answered(asked(times=2), *("a", "b"), *("a", "c"), *("a", "b"), trials=2))

    assert found.values == (0.25,)
    assert found.by_trial == ((0.0, 0.5),)
    assert found.trials == 2


def test_the_note_shows_the_worst_perturbation():
    """Below the answer to the case what changed and the answer to that, of a trial in which they differ."""
    case_set = asked(times=2)
    worst = case_set[2]

    found = violations(answered(case_set, *("a", "a"), *("a", "a"), *("a", "b"), trials=2))

    assert found.notes == (CaseNote("Q0?", expected="", answer=f"a\n{worst.change} (c0~shout-2):\nb"),)


def test_a_perturbation_without_an_answer():
    """Fails the case, by name; that is worse than a verdict that is not known."""
    found = violations(answered(asked(2), "a", "b", FAILED, "a", *"aaaa"))

    assert found.values == (Unscored("c0~shout-2: timed out", failed=True), 0.0)
    assert found.notes[0].answer.startswith("a\n")
    assert found.notes[0].answer.endswith("(c0~shout-1):\nb")


def test_a_failure_counts_more_than_what_is_not_known():
    """Of two perturbations one is not comparable, the other crashed: the case failed, in either order."""
    unsure = {"same": lambda *_: Unscored("no judge")}

    one, other = (violations(answered(asked(times=2), "a", *rest), **unsure) for rest in (("b", FAILED), (FAILED, "b")))

    assert one.values == (Unscored("c0~shout-2: timed out", failed=True),)
    assert other.values == (Unscored("c0~shout-1: timed out", failed=True),)


def test_a_case_without_an_answer():
    """Fails too; nothing can be compared with it."""
    found = violations(answered(asked(2), FAILED, *"abc", *"aaaa"))

    assert found.values == (Unscored("timed out", failed=True), 0.0)


def test_one_trial_without_an_answer():
    """The others are no mean over all; they are still told apart by their number."""
    first = answered(asked(times=1), "a", FAILED, "c", "a", "b", "x", trials=3)
    second = answered(asked(times=1), "a", "b", "c", "a", FAILED, "c", trials=3)

    assert violations(first).values == (Unscored("timed out", failed=True),)
    assert violations(second).values == (Unscored("c0~shout-1: timed out", failed=True),)


def test_a_case_in_which_nothing_could_be_changed():
    """Has no score, and the note that it has anyway."""
    rows = [{"id": "a", "q": "42?"}, {"id": "b", "q": "open?"}]
    case_set = cases(rows, prompt="{q}").perturbed(letter_case(), times=1)

    found = violations(answered(case_set, "x", "y", "y"))

    assert found.values == (Unscored("nothing in it could be changed"), 0.0)
    assert found.notes[0] == CaseNote("42?", "", "x")


def test_clusters_are_those_of_the_cases():
    """Where the dataset declares some; the perturbations of a case are one value anyway."""
    found = violations(answered(asked(2, times=1, cluster="{question}"), *"aaaa"))

    assert found.clusters == ("Q0?", "Q1?")


def test_versions_are_compared_case_by_case():
    """The candidate's rate is lower by a half: improved."""
    case_set = asked(40, times=2)

    candidate = violations(answered(case_set, *["a", "a", "a"] * 40))
    baseline = violations(answered(case_set, *["a", "a", "b"] * 40))
    verdict = decide_regression(candidate, baseline)

    assert (verdict.outcome.value, verdict.headline.partition(" (")[0]) == (
        "improved",
        "violations of shout 0.500 -> 0.000",
    )
    assert decide_regression(baseline, candidate).outcome.value == "regressed"


def test_rates_of_other_relations_are_not_compared():
    """The relation is part of what was measured."""
    softly = relation("shout", lambda question: [f"{question}{'!' * n}" for n in (1, 2, 3)])
    other = cases([{"id": "c0", "question": "Q0?"}], prompt="{question}", name="faq").perturbed(softly)

    verdict = decide_regression(violations(answered(asked(), *"aaaa")), violations(answered(other, *"aaaa")))

    assert verdict.outcome.value == "invalid"
    assert f"protocol relation differs: {softly} -> {shout}" in verdict.reason


def test_responses_may_be_any_iterable():
    """In any order, read once; who asked them is not known then."""
    responses = list(answered(asked(2), *"aaaa", *"abaa"))

    found = violations(each for each in reversed(responses))

    assert dict(zip(found.ids, found.values, strict=True)) == {"c1": pytest.approx(1 / 3), "c0": 0.0}
    assert (found.name, found.basis) == ("violations", None)


def test_a_recorded_baseline_that_lacks_answers():
    """A perturbation it lacks leaves the case without a score; a case it lacks is missing."""
    responses = answered(asked(3), *"aaaa", *"aaaa", *"aaaa")
    kept = tuple(each for each in responses if each.case.id not in ("c0~shout-2", "c1"))
    gone = Response.failed("the case set no longer has this case").with_case(Case("c9~shout-1", {}, ""), ())

    found = violations(ResponseSet(responses.case_set, (*kept, gone), "v1", responses.conditions))

    assert found.ids == ("c0", "c2")
    assert found.values == (Unscored("a perturbation has no answer in this trial"), 0.0)


def test_a_case_set_without_perturbations():
    """There is nothing to compare; the message says what to ask."""
    plain = cases([{"id": "a", "q": "Open?"}], prompt="{q}")

    with pytest.raises(
        ValueError, match=r"^no response is to a perturbation; ask a perturbed case set, such as faq\.p"
    ):
        violations(answered(plain, "a"))


def test_a_perturbation_whose_case_is_not_there():
    """A part of the responses that was cut out."""
    responses = answered(asked(), *"aaaa")

    with pytest.raises(
        ValueError, match=r"^there is a response to 'c0~shout-1', but none to 'c0', which it was made fr"
    ):
        violations(responses[1:])


def test_a_response_without_its_case():
    """Nothing says what it answers."""
    with pytest.raises(ValueError, match=r"^this response belongs to no case"):
        violations([Response(text="a")])


def test_very_long_and_broken_answers():
    """A megabyte each, and lone surrogates."""
    long = "a " * 500_000

    found = violations(answered(asked(2, times=2), long, long.upper(), f"{long}b", "\ud800", "\ud800", "\udfff"))

    assert found.values == (0.5, 0.5)
    assert len(found.notes[0].answer) < 600, "a report shows so much, hence both answers"
