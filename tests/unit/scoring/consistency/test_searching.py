"""`search_violation`: the smallest change of a question that changes its answer."""

from __future__ import annotations

import pytest

from pytest_llmval import cases
from pytest_llmval.case_sets.perturbing.letter_case import letter_case
from pytest_llmval.case_sets.perturbing.option_order import option_order
from pytest_llmval.case_sets.perturbing.relation import relation
from pytest_llmval.case_sets.perturbing.typos import typos
from pytest_llmval.errors import DatasetError, NotRecorded, ServerError
from pytest_llmval.scoring.consistency.searching import search_violation
from pytest_llmval.scoring.score import Unscored
from pytest_llmval.servers.exchange import Choice, Response

QUESTION = "How long can I return an item?"
ROWS = [{"id": "thanks", "question": "Thanks!"}, {"id": "return-01", "question": QUESTION}]


class Model:
    """A handle that answers by a function of the prompt and keeps the requests that reached it."""

    def __init__(self, function):
        self.function = function
        self.requests = []

    @property
    def recorded(self):
        """Itself: nothing is kept."""
        return self

    def answer(self, request):
        """The function's answer."""
        self.requests.append(request)
        found = self.function(request)
        return Response(text=found, request=request) if isinstance(found, str) else found


def by_words(request):
    """Gives the return window when all words about it are spelt right."""
    return "45 days" if "return" in request.prompt else "no idea"


ENOUGH = {"asks": 500, "tries": 80}
"""So much finds a violation in these questions, whatever the version of Hypothesis draws."""


def faq(**more):
    """Two questions, one of them about returns."""
    return cases(ROWS, prompt="{question}", name="faq", **more)


def test_a_violation_is_made_as_small_as_it_gets():
    """Of up to five typos one is left, the first that breaks the word that matters."""
    model = Model(by_words)

    found = search_violation(model, faq(), typos(most=5), **ENOUGH)

    assert (found.case_id, found.relation) == ("return-01", "typos")
    assert (found.question, found.changed_question) == (QUESTION, "How long can I rteurn an item?")
    assert (found.answer, found.changed_answer) == ("45 days", "no idea")
    assert found.change == "'rteurn' for 'return'"
    assert found.asks == len(model.requests) == len(set(model.requests)), "no question is asked twice"


def test_the_same_search_asks_the_same_questions():
    """In the same order: what the first run recorded is all that a second one needs."""
    first, second = Model(by_words), Model(by_words)

    assert search_violation(first, faq(), typos(most=5)) == search_violation(second, faq(), typos(most=5))
    assert first.requests == second.requests


def test_a_model_that_holds():
    """None; no case was tried more often than said, and its own question once."""
    model = Model(lambda _: "always the same")

    assert search_violation(model, faq(), typos(), tries=7) is None
    assert 2 * (1 + 1) < len(model.requests) <= 2 * (1 + 7)


def test_a_relation_with_few_changes_is_tried_out():
    """The three of letter case, however many tries there are."""
    model = Model(lambda _: "always the same")

    assert search_violation(model, faq(), letter_case()) is None
    assert len(model.requests) == (1 + 2) + (1 + 3)  # "Thanks!" is capitalised already


@pytest.mark.parametrize("asks", [2, 3, 5, 9, 13, 20])
@pytest.mark.parametrize("word", ["How", "item", "return an"])
def test_no_more_is_asked_than_allowed(asks, word):
    """Neither while it looks nor while it makes the violation small; what it found by then is a violation."""
    model = Model(lambda request: str(word in request.prompt))

    found = search_violation(model, faq(), typos(most=5), asks=asks)

    assert len(model.requests) <= asks
    assert found is None or (word in found.question and word not in found.changed_question)


def test_requests_are_those_of_the_cases():
    """With the decoding and the options of the set, the variant that it asks first, and seed 0."""
    row = {"id": "a", "question": "Options: pen, ink. Blue?", "options": ["pen", "ink"], "gold": 1}
    prompt = {"short": "{question}", "long": "Please: {question}"}
    quiz = cases([row], prompt=prompt, choices="{options}", answer="{gold}", max_tokens=3, temperature=0.5)

    def first_listed(request):
        index = 0 if request.prompt.index("pen") < request.prompt.index("ink") else 1
        return Response(text=request.choices[index], choice=Choice(index, (-1.0, -1.0)), finish_reason="choice")

    model = Model(first_listed)
    found = search_violation(model, quiz, option_order("options"))

    assert (found.answer, found.changed_answer, found.change) == ("pen", "ink", "the order ink, pen")
    assert {(each.choices, str(each.decoding), each.seed) for each in model.requests} == {
        (("pen", "ink"), "max_tokens=3, temperature=0.5", 0)
    }
    assert model.requests[0].prompt == row["question"]


def test_sameness_of_ones_own():
    """It sees both responses with their cases; what it cannot tell is no violation."""

    def same(original, perturbed):
        assert (original.case.id, perturbed.case.origin) == ("return-01", "return-01")
        return True if "item" in perturbed.request.prompt else Unscored("hard to say")

    faq_of_one = cases(ROWS[1:], prompt="{question}")

    assert search_violation(Model(by_words), faq_of_one, typos(most=5), same=same) is None
    assert search_violation(Model(by_words), faq_of_one, typos(), same=lambda *_: False).changed_answer == "45 days"


def test_a_field_by_its_name():
    """Where the question has several."""
    two = cases([{**ROWS[1], "topic": "shop"}], prompt="{topic}: {question}")

    assert (
        search_violation(Model(by_words), two, typos(most=5), field="question", **ENOUGH).change
        == "'rteurn' for 'return'"
    )


def test_answers_that_failed_are_no_violation():
    """Neither to a case, which is left out, nor to a changed question."""

    def crash(request):
        return Response.failed("timed out") if request.prompt in ("Thanks!", "How lnog can I return an item?") else "a"

    assert search_violation(Model(crash), faq(), typos()) is None


def test_a_model_that_answers_nothing():
    """Shows nothing: that must not look like a relation that holds."""
    with pytest.raises(
        ServerError, match=r"^faq: of 2 questions asked no changed one was compared with its case: timed out$"
    ):
        search_violation(Model(lambda _: Response.failed("timed out")), faq(), typos())


def test_no_changed_question_is_answered():
    """The cases themselves are: that compares nothing."""
    questions = {row["question"] for row in ROWS}
    model = Model(lambda request: "a" if request.prompt in questions else Response.failed("too long"))

    with pytest.raises(ServerError, match=r"^faq: of 7 questions asked no changed one was compared .* case: too long$"):
        search_violation(model, faq(), letter_case())


@pytest.mark.parametrize(("failed", "kind"), [(False, ValueError), (True, ServerError)])
def test_sameness_that_cannot_tell_anything(failed, kind):
    """Shows nothing either; a judge that failed is a server's fault."""
    with pytest.raises(kind, match=r"^faq: of 7 questions asked no changed one was compared .* case: hard to say$"):
        search_violation(Model(by_words), faq(), letter_case(), same=lambda *_: Unscored("hard to say", failed=failed))


def test_a_field_that_the_question_does_not_show():
    """Asking the same question again compares nothing."""
    hidden = cases([{**ROWS[1], "note": "some words"}], prompt="{question}", name="hidden")

    with pytest.raises(DatasetError, match=r"^hidden: letter_case\(\) makes no other question of any of the 1 cases"):
        search_violation(Model(by_words), hidden, letter_case(), field="note")


def test_an_error_while_the_violation_is_made_small():
    """It is raised as it is, of sameness as of the model."""
    counted = iter(range(100))

    def same(original, perturbed):
        if original.text != perturbed.text and next(counted) == 3:
            raise KeyError("judge")
        return original.text == perturbed.text

    def hang_up(request):
        if "return" not in request.prompt and next(counted) > 5:
            raise ServerError("the server hung up")
        return by_words(request)

    with pytest.raises(KeyError, match="judge"):
        search_violation(Model(by_words), faq(), typos(most=5), same=same, **ENOUGH)
    with pytest.raises(ServerError, match=r"^the server hung up$"):
        search_violation(Model(hang_up), faq(), typos(most=5), **ENOUGH)
    assert next(counted) > 6


def test_sampled_answers():
    """Two draws differ without any change; options are not drawn."""
    model = Model(by_words)

    with pytest.raises(ValueError, match=r"^search_violation: faq is asked with temperature=0.7, .*; expected greedy"):
        search_violation(model, faq(temperature=0.7), typos())
    assert model.requests == []


class Archive(Model):
    """Answers what is recorded, as the handle does with `--llmval-offline`."""

    def __init__(self, recorded):
        super().__init__(recorded.get)

    def answer(self, request):
        """The recorded answer."""
        found = super().answer(request)
        if found is None or found.error:
            msg = f"--llmval-offline: v1 has no recorded answers to {request.prompt!r}"
            raise NotRecorded(msg)
        return found


def test_an_answer_that_was_not_recorded_since_it_failed():
    """The search finds the same violation again; without one it does not say that there is none."""

    def refuse(request):
        return Response.failed("too long") if len(request.prompt) > len(QUESTION) else by_words(request)

    model = Model(refuse)
    found = search_violation(model, faq(), typos(most=5), **ENOUGH)
    answers = {request: refuse(request) for request in model.requests}
    archive = Archive(answers)

    assert any(isinstance(each, Response) for each in answers.values())
    assert search_violation(archive, faq(), typos(most=5), **ENOUGH) == found
    assert archive.requests == model.requests


def test_no_violation_among_the_answers_that_were_recorded():
    """Says nothing about those that were not."""
    model = Model(lambda _: "a")
    assert search_violation(model, faq(), letter_case()) is None
    *recorded, missing = model.requests

    with pytest.raises(ServerError) as caught:
        search_violation(Archive(dict.fromkeys(recorded, "a")), faq(), letter_case())

    assert str(caught.value) == f"--llmval-offline: v1 has no recorded answers to {missing.prompt!r}"


def test_an_error_of_the_model_is_not_what_is_searched_for():
    """It is raised as it is, at once."""

    def hang_up(request):
        if request.prompt in (row["question"] for row in ROWS):
            return "a"
        raise ServerError("the server hung up")

    model = Model(hang_up)

    with pytest.raises(ServerError, match=r"^the server hung up$"):
        search_violation(model, faq(), typos(most=5))
    assert len(model.requests) == 2


def test_hypothesis_says_nothing(capsys):
    """Its own reports are about a test that nobody wrote."""
    search_violation(Model(by_words), faq(), typos(most=5))

    assert capsys.readouterr() == ("", "")


def test_a_violation_in_full():
    """Both questions and both answers, one a line."""
    found = search_violation(Model(by_words), faq(), typos(most=5), **ENOUGH)

    assert str(found).splitlines() == [
        f"return-01: typos changes the answer ({found.asks} questions asked)",
        "  change:   'rteurn' for 'return'",
        f"  question: '{QUESTION}'",
        "  answer:   '45 days'",
        "  changed:  'How long can I rteurn an item?'",
        "  answer:   'no idea'",
    ]


def test_a_violation_in_an_assertion():
    """One line, which pytest does not cut: it shows 240 characters."""
    found = search_violation(Model(lambda request: request.prompt * 90 + "\ud800"), faq(), letter_case())

    assert repr(search_violation(Model(by_words), faq(), typos(most=5), **ENOUGH)) == (
        "<violation of typos in return-01: 'rteurn' for 'return' turns '45 days' into 'no idea'>"
    )
    assert len(repr(found)) <= 240
    assert "\n" not in repr(found)
    str(found).encode()


def test_lone_surrogates():
    """In ids, questions and answers."""
    broken = cases([{"id": "\ud800", "q": "Is \udfff open?"}], prompt="{q}")

    found = search_violation(Model(lambda request: request.prompt), broken, typos())

    assert found.changed_question == "Iss \udfff open?"
    assert str(found).startswith("\\ud800: typos changes the answer")
    repr(found).encode()


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"asks": 1}, ValueError, "search_violation(asks=1): expected a whole number of at least 2"),
        ({"tries": 0}, ValueError, "search_violation(tries=0): expected a whole number of at least 1"),
        ({"relation": "typos"}, TypeError, "faq: 'typos' is no relation; expected what a call such as typos() gives"),
        ({"field": "id2"}, DatasetError, "row 1: field= names the field 'id2', which this row lacks; "),
        (
            {"relation": relation("none", lambda _: [])},
            DatasetError,
            "faq: none(",
        ),
        (
            {"case_set": faq().perturbed(typos())},
            TypeError,
            "faq~typos is perturbed by typos(most=1); perturb the case set that it was made from",
        ),
    ],
)
def test_wrong_arguments(arguments, kind, message):
    """Nothing is asked."""
    model = Model(by_words)

    with pytest.raises(kind) as caught:
        search_violation(model, **{"case_set": faq(), "relation": typos(), **arguments})

    assert str(caught.value).startswith(message)
    assert model.requests == []
