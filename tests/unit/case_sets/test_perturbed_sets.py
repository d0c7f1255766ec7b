"""`case_set.perturbed(relation)`: each case followed by changed versions of it."""

from __future__ import annotations

from collections import Counter

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmval import Message, cases
from pytest_llmval.case_sets.case import CaseSet, Decoration
from pytest_llmval.case_sets.perturbing.irrelevant_sentence import irrelevant_sentence
from pytest_llmval.case_sets.perturbing.letter_case import letter_case
from pytest_llmval.case_sets.perturbing.option_order import option_order
from pytest_llmval.case_sets.perturbing.paraphrases import paraphrases
from pytest_llmval.case_sets.perturbing.relation import relation
from pytest_llmval.case_sets.perturbing.typos import typos
from pytest_llmval.case_sets.perturbing.white_space import white_space
from pytest_llmval.errors import DatasetError

ROWS = [
    {"id": "hours", "question": "When are you open?", "answer": "From nine.", "must_pass": True, "tags": ["shop"]},
    {"id": "post", "question": "Is postage free?", "answer": "Yes.", "cluster": "costs"},
]
TWO = {"short": "{question}", "long": "Please: {question}"}
shout = relation("shout", lambda question: [f"{question}!", f"{question}!!", f"{question}!!!"])
ids = st.text(st.characters(min_codepoint=33, exclude_characters="~"), min_size=1, max_size=5)
rows = st.lists(st.fixed_dictionaries({"id": ids, "question": st.text(min_size=1)}), min_size=1, max_size=5)
FEW = settings(max_examples=40, derandomize=True, deadline=None)


def ids_of(case_set):
    """The ids, in order."""
    return [case.id for case in case_set]


def prompts(case_set):
    """The prompts, in order."""
    return [case.prompt for case in case_set]


def faq(**more):
    """The two cases as they are."""
    return cases(ROWS, prompt="{question}", reference="{answer}", name="faq", **more)


def test_each_case_is_followed_by_its_perturbations():
    """As many as there are, at most as many as asked for; all are questions with the reference of their case."""
    found = faq().perturbed(shout, times=2)

    assert ids_of(found) == ["hours", "hours~shout-1", "hours~shout-2", "post", "post~shout-1", "post~shout-2"]
    assert prompts(found)[:3] == ["When are you open?", "When are you open?!!", "When are you open?!"]
    assert [case.reference for case in found] == ["From nine."] * 3 + ["Yes."] * 3
    assert len(faq().perturbed(shout, times=9)) == 2 + 2 * 3
    assert (found.name, found.relation) == ("faq~shout", shout)


def test_a_perturbation_says_what_it_is():
    """Its origin, the change, and where both stand; it depends on its origin and may break."""
    original, first, *_, post = faq().perturbed(shout, times=1)

    assert (original.origin, original.change, original.must_pass, original.cluster) == (None, "", True, None)
    assert (first.origin, first.change) == ("hours", "'When are you open?!!' instead")
    assert (first.must_pass, first.cluster, first.tags, first.source) == (False, "hours", ("shop",), original.source)
    assert first["question"] == "When are you open?!!"
    assert (post.origin, post.cluster) == ("post", "costs")


def test_the_cases_themselves_stay():
    """The original set, its hash, and its cases within the perturbed one."""
    original = faq()

    found = original.perturbed(shout)

    assert [case for case in found if case.origin is None] == list(original)
    assert original.label == faq().label
    assert original.relation is None


def test_the_hash_of_a_case_set_is_what_it_was():
    """Records and locks of earlier versions stay usable: computed before case sets could be perturbed."""
    plain = cases([{"id": "a", "question": "Open?", "answer": "Yes."}], prompt="{question}")

    assert plain.dataset_hash.startswith("fe0fc811a3336a63")
    assert plain.prompt_hash.startswith("7c86afb154b499f7")


def test_decoding_and_trials_stay():
    """They are asked like the cases they were made from."""
    found = faq(trials=3, temperature=0.7, max_tokens=9).perturbed(shout)

    assert (found.trials, str(found.decoding)) == (3, "max_tokens=9, temperature=0.7")


@FEW
@given(rows=rows, seed=st.integers(), times=st.integers(1, 4))
def test_perturbed_sets_are_the_same_each_time(rows, seed, times):
    """Ids are unique, no question of a case occurs twice, and a second set equals the first one."""
    different = list({row["question"]: row for row in {row["id"]: row for row in rows}.values()}.values())
    for changes in (white_space(most=3), irrelevant_sentence(), typos(most=2)):
        plain = cases(different, prompt="{question}")
        if not any(changes.edits(row["question"]) for row in different):
            continue
        found, again = (plain.perturbed(changes, times=times, seed=seed) for _ in range(2))

        assert found.cases == again.cases
        assert len(set(ids_of(found))) == len(found)
        for row in different:
            asked = [case.prompt for case in found if row["id"] in (case.id, case.origin)]
            assert len(set(asked)) == len(asked) <= 1 + times


def test_the_draw_depends_on_seed_relation_and_case_alone():
    """Not on other cases, on the number of perturbations, or on the wording around the question."""
    drawn = prompts(faq().perturbed(typos(), times=4))[:5]

    assert prompts(cases(ROWS[:1], prompt="{question}").perturbed(typos(), times=2)) == drawn[:3]
    assert prompts(cases(ROWS, prompt="Q: {question}").perturbed(typos(), times=4))[:5] == [f"Q: {q}" for q in drawn]
    assert prompts(faq().perturbed(typos(), times=4, seed=1))[:5] != drawn


def test_several_edits_at_once():
    """Between one and as many as the relation makes."""
    words = " ".join(["open"] * 200)  # so many that two edits hardly ever meet in one
    found = cases([{"id": "a", "question": words}], prompt="{question}").perturbed(typos(most=3), times=60)

    numbers = Counter(case.change.count(" for ") for case in found if case.origin)

    assert set(numbers) == {1, 2, 3}
    assert min(numbers.values()) > 9, "of 60 draws 20 each are expected; fewer than 10 of a kind come about once in 800"


def test_a_question_in_which_nothing_can_be_changed():
    """It stands alone; its neighbours do not."""
    found = cases([{"id": "a", "q": "42?"}, {"id": "b", "q": "Open?"}], prompt="{q}").perturbed(letter_case())

    assert ids_of(found) == ["a", "b", "b~letter_case-1", "b~letter_case-2"]


def test_a_set_in_which_nothing_can_be_changed():
    """It is refused: the relation would hold whatever the model answers."""
    numbers = cases([{"q": "42?"}, {"q": "43?"}], prompt="{q}", name="numbers")

    with pytest.raises(DatasetError) as caught:
        numbers.perturbed(letter_case())

    assert str(caught.value) == (
        "numbers: letter_case() makes no other question of any of the 2 cases; "
        "expected something to change in the field 'q', and a question that shows it"
    )


def test_a_field_that_the_question_does_not_show():
    """The model would be asked the same again."""
    with pytest.raises(
        DatasetError, match=r"^faq: typos\(most=1\) makes no other question of any of the 2 cases; .*'a"
    ):
        faq().perturbed(typos(), field="answer")


def test_chats_system_texts_and_examples():
    """The question alone is changed, and asked as it was."""
    shop = cases(ROWS[:1], chat="{question}", system="Be kind.", few_shot=ROWS[1:], reference="{answer}")

    original, first = shop.perturbed(shout, times=1)

    assert first.prompt[:-1] == original.prompt[:-1]
    assert first.prompt[-1] == Message("user", "When are you open?!!")


def test_conversations_of_a_field():
    """The last question of the user is changed."""
    turns = [
        {"role": "user", "content": "Hi"},
        {"role": "assistant", "content": "Hello"},
        Message("user", "Open?"),
        {"role": "assistant", "content": "So:"},
    ]

    _, first = cases([{"id": "a", "turns": turns}], messages="turns").perturbed(shout, times=1)

    assert [turn.content for turn in first.prompt] == ["Hi", "Hello", "Open?!!!", "So:"]
    assert first.change == "'Open?!!!' instead"


def test_messages_of_a_function():
    """The field has to be named; the function is given the changed row."""
    shop = cases(ROWS, messages=lambda row: [{"role": "user", "content": row["question"]}], name="shop")

    _, first, *_ = shop.perturbed(shout, times=1, field="question")

    assert first.prompt == (Message("user", "When are you open?!!"),)
    with pytest.raises(TypeError, match=r"^shop: the template of the question names no field; say which"):
        shop.perturbed(shout)


def test_paraphrases_of_the_rows():
    """Each row its own."""
    asked = cases([{"id": "a", "q": "Open?", "paraphrases": ["Is it open?", "Are you there?"]}], prompt="{q}")

    assert sorted(prompts(asked.perturbed(paraphrases()))) == ["Are you there?", "Is it open?", "Open?"]


QUIZ = "{question} {options[0]}, {options[1]} or {options[2]}?"


@pytest.mark.parametrize("gold", [1, "ink"])
def test_the_right_option_follows_its_text(gold):
    """Also when the row gives its index, which is changed in the row too; other fields stay."""
    row = {"id": "a", "question": "Blue:", "options": ["pen", "ink", "cap"], "gold": gold, "kind": "x"}
    quiz = cases([row], prompt=QUIZ, choices="{options}", answer="{gold}")

    original, *others = quiz.perturbed(option_order(), times=9)

    assert len(others) == 5
    assert {case.choices[case.answer] for case in (original, *others)} == {"ink"}
    assert {case.prompt for case in others} == {f"Blue: {', '.join(c.choices[:2])} or {c.choices[2]}?" for c in others}
    for case in others:
        assert case["gold"] == (case.answer if gold == 1 else "ink")
        assert case["kind"] == "x"


def test_the_right_option_of_a_csv_file_follows(text_file):
    """All is text there: the options are a JSON list, the index is a numeral."""
    path = text_file("quiz.csv", 'id,options,gold\na,"[""pen"", ""ink""]",1\n')

    _, other = cases(path, prompt="{options}", choices="{options}", answer="{gold}").perturbed(option_order())

    assert (other.choices, other.answer, other["gold"]) == (("ink", "pen"), 0, "0")


def test_options_that_the_question_lists_itself():
    """They change places in the question alone."""
    row = {"id": "a", "question": "Options: pen, ink. Blue?", "options": ["pen", "ink"], "gold": 1}
    quiz = cases([row], prompt="{question}", choices="{options}", answer="{gold}", name="quiz")

    _, other = quiz.perturbed(option_order("options"))

    assert (other.prompt, other.choices, other.answer) == ("Options: ink, pen. Blue?", ("pen", "ink"), 1)
    with pytest.raises(
        DatasetError, match=r"^quiz: option_order\(\) makes no other question .* the field 'options', and"
    ):
        quiz.perturbed(option_order())


PENS = {
    "id": "a",
    "q": "Blue? A) pen B) ink",
    "options": ["pen", "ink"],
    "letters": ["A", "B"],
    "gold": 1,
    "letter": "B",
    "text": "Ink",
    "texts": ["Ink", "ink"],
    "meta": {"right": "ink"},
}
SHOWN = "A) {options[0]} B) {options[1]}"
INK = {"choices": "{options}", "answer": "{gold}"}


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        (
            {"choices": "{letters}", "answer": "{gold}"},
            "the choices 'A', 'B'",
        ),
        ({"reference": "{letter}"}, "the reference 'B'"),
        ({"reference": "{gold}"}, "the reference 1"),
        ({"reference": "{letters}"}, "the reference 'A', 'B'"),
    ],
)
@pytest.mark.parametrize(
    ("prompt", "changes", "field"), [(SHOWN, option_order(), "options"), ("{q}", option_order("options"), "q")]
)
def test_answers_that_stand_for_a_place(arguments, found, prompt, changes, field):
    """A letter means another option once they changed places: a model that is always right would look wrong."""
    with pytest.raises(DatasetError) as caught:
        cases([PENS], prompt=prompt, **arguments).perturbed(changes, field=field)

    assert str(caught.value) == (
        f"row 1: {changes}: {found} would not move with the options 'pen', 'ink'; "
        'expected the options themselves as choices, such as choices="{options}", with an '
        "answer= that is the index or the text of the right one, as a field holds it; or a reference= that is its text"
    )


@pytest.mark.parametrize(
    ("arguments", "found"),
    [
        ({"reference": "{options[1]}"}, "in another order the right answer 'ink' becomes 'pen'"),
        ({"choices": "{options}", "answer": "{options[1]}"}, "in another order the right answer 'ink' becomes 'pen'"),
        (
            {"choices": '["{options[0]}", "{options[1]}"]', "answer": "{options[1]}"},
            "in another order the choices 'cap', 'pen' become ",
        ),
    ],
)
def test_answers_that_are_taken_by_their_place(arguments, found):
    """The row names what is right by a place in the field that is permuted."""
    row = PENS if "'cap'" not in found else {**PENS, "options": ["cap", "pen", "ink"]}

    with pytest.raises(DatasetError, match=rf"^row 1: option_order\(\): {found}.*; expected the options themselves"):
        cases([row], prompt=SHOWN, **arguments).perturbed(option_order(), field="options")


@pytest.mark.parametrize(
    "arguments",
    [
        {},
        {"reference": "{text}"},
        {"reference": "{texts}"},
        INK,
        INK | {"reference": "{letter}"},
        {"choices": '["pen", "ink"]', "answer": "{gold}"},
        {"choices": '["{options[0]}", "{options[1]}"]', "answer": "{meta[right]}"},
    ],
)
def test_answers_by_their_text(arguments):
    """They are the same option wherever it stands, also where the options that are scored do not move."""
    original, other = cases([PENS], prompt=SHOWN, **arguments).perturbed(option_order(), field="options")
    listed = cases([PENS], prompt="{q}", **arguments).perturbed(option_order("options"), field="q")

    assert other.prompt == "A) ink B) pen"
    assert listed[1].prompt == "Blue? A) ink B) pen"
    if arguments.get("choices"):
        assert {case.choices[case.answer] for case in (original, other, *listed)} == {"ink"}


def test_each_variant_of_the_prompt_is_perturbed_alike():
    """The same cases in each wording; `--llmval-prompt` chooses as before."""
    found = cases(ROWS, prompt=TWO).perturbed(typos())

    short, long = found.variants["short"], found.variants["long"]
    assert prompts(long) == [f"Please: {prompt}" for prompt in prompts(short)]
    assert found.cases == short.cases
    assert short.label == long.label
    assert Decoration("all", found).with_prompt("long").case_set is long


def test_the_prompt_is_the_same():
    """The hash of the prompt is that of the template; the dataset is another one."""
    found = faq().perturbed(shout)

    assert found.prompt_hash == faq().prompt_hash
    assert found.dataset_hash != faq().dataset_hash


def test_lone_surrogates():
    """In an id and in a question: text that cannot be encoded is perturbed and hashed all the same."""
    broken = cases([{"id": "\ud800", "q": "Is \udfff open?"}], prompt="{q}")

    found = broken.perturbed(typos())

    assert all("\udfff" in prompt for prompt in prompts(found))
    assert len(found.label) == len("cases~typos@") + 8


def test_an_id_that_is_taken():
    """A case of the dataset has the id of a perturbation."""
    taken = cases([*ROWS, {"id": "hours~shout-1", "question": "Late?"}], prompt="{question}")

    with pytest.raises(DatasetError, match=r"^row 3 and row 1: two cases with the id 'hours~shout-1'; ids are unique"):
        taken.perturbed(shout)


@pytest.mark.parametrize(
    ("arguments", "kind", "message"),
    [
        ({"times": 0}, ValueError, "faq.perturbed(times=0): expected a whole number of at least 1"),
        ({"times": 1.5}, ValueError, "faq.perturbed(times=1.5): expected a whole number of at least 1"),
        ({"times": True}, ValueError, "faq.perturbed(times=True): expected a whole number of at least 1"),
        (
            {"field": "qestion"},
            DatasetError,
            "row 1: field= names the field 'qestion', which this row lacks; did you mean 'question'?",
        ),
        ({"field": "must_pass"}, DatasetError, "row 1: typos changes text, not True"),
        (
            {"relation": "typos"},
            TypeError,
            "faq: 'typos' is no relation; expected what a call such as typos() gives",
        ),
        (
            {"relation": typos},
            TypeError,
            "faq: the function typos is no relation; expected what a call such as typos() gives",
        ),
        (
            {"relation": option_order()},
            TypeError,
            "faq: the template of the choices names no field; say which one option_order() changes: field=…",
        ),
    ],
)
def test_wrong_arguments(arguments, kind, message):
    """The message names the case set, what was given and what is expected."""
    with pytest.raises(kind) as caught:
        faq().perturbed(**{"relation": typos(), **arguments})

    assert str(caught.value).startswith(message)


def test_a_question_of_several_fields():
    """Which one is changed has to be said; in variants those of all count."""
    two = cases(ROWS, prompt={"a": "{question}", "b": "{question} {id}"}, name="two")

    with pytest.raises(TypeError) as caught:
        two.perturbed(typos())

    assert str(caught.value) == (
        "two: the template of the question names the fields 'id', 'question'; "
        "say which one typos(most=1) changes: field=…"
    )
    assert len(two.perturbed(typos(), field="question")) == 2 + 2 * 3


def test_a_perturbed_set_is_not_perturbed_again():
    """Its cases would no longer have an origin that is asked as it is."""
    with pytest.raises(
        TypeError, match=r"^faq~typos is perturbed by typos\(most=1\); perturb the case set that it was"
    ):
        faq().perturbed(typos()).perturbed(letter_case())


def test_a_case_set_made_by_hand():
    """Nobody knows how a changed row would be asked."""
    with pytest.raises(TypeError, match=r"^mine was not made by cases\(\), which knows how a changed row is asked$"):
        CaseSet("mine", faq().cases, "0").perturbed(typos(), field="question")
