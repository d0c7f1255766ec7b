"""Relations: which changes of a question they know, and what they leave alone."""

from __future__ import annotations

import re
import time

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmval.case_sets.perturbing.edit import Edit, apply_edits
from pytest_llmval.case_sets.perturbing.irrelevant_sentence import irrelevant_sentence
from pytest_llmval.case_sets.perturbing.letter_case import letter_case
from pytest_llmval.case_sets.perturbing.option_order import option_order
from pytest_llmval.case_sets.perturbing.paraphrases import paraphrases
from pytest_llmval.case_sets.perturbing.relation import relation
from pytest_llmval.case_sets.perturbing.typos import typos
from pytest_llmval.case_sets.perturbing.white_space import white_space
from pytest_llmval.errors import DatasetError
from pytest_llmval.strategies import perturbed, texts

FEW = settings(max_examples=60, derandomize=True, deadline=None)
OF_TEXT = [typos(most=3), letter_case(), white_space(most=3), irrelevant_sentence()]
ANY_TEXT = st.text(max_size=30) | texts(max_fragments=5) | st.text(alphabet="ab 1.\ud800é字", max_size=12)
by_name = pytest.mark.parametrize("changes", OF_TEXT, ids=lambda each: each.name)


def changed(changes, value, fields=None):
    """What each single edit makes of a value."""
    return [changes.apply(value, [edit]) for edit in changes.edits(value, fields)]


@by_name
@FEW
@given(text=ANY_TEXT)
def test_every_edit_changes_the_text(changes, text):
    """None does nothing, whatever the characters, lone surrogates among them; and no edit at all does nothing."""
    assert text not in changed(changes, text)
    assert changes.apply(text, []) == text


@by_name
@FEW
@given(data=st.data(), text=ANY_TEXT)
def test_several_edits_change_the_text(changes, data, text):
    """Edits made together do not undo each other."""
    edits = changes.edits(text)
    if edits:
        assert data.draw(perturbed(text, changes)) != text


@FEW
@given(data=st.data(), text=st.text(alphabet="abz019 .é", min_size=1, max_size=30))
def test_typos_leave_words_with_digits_and_first_letters(data, text):
    """Amounts and codes are what a question is about; the words keep their number."""
    edits = typos(most=9).edits(text)
    if edits:
        slipped = data.draw(perturbed(text, typos(most=9)))
        before, after = re.findall(r"\w+", text), re.findall(r"\w+", slipped)
        assert [word for word in before if not word.isalpha()] == [word for word in after if not word.isalpha()]
        assert [word[0] for word in before] == [word[0] for word in after]


def test_typos_of_a_word():
    """Of "cat": swap, double, drop and the key to the right of a; of t the same but for the swap, since it is last."""
    assert changed(typos(), "cat") == ["cta", "caat", "ct", "cst", "catt", "ca", "cay"]
    assert typos().edits("cat")[0].change == "'cta' for 'cat'"


def test_typos_keep_capitals():
    """The key beside P is O, at the end of its row; equal letters are not swapped."""
    assert changed(typos(), "APP") == ["APPP", "AP", "AOP", "APPP", "AP", "APO"]


def test_a_letter_without_a_key_is_still_dropped_and_doubled():
    """The keyboard is an English one."""
    assert changed(typos(), "né") == ["néé", "n"]


def test_letter_case_of_a_question():
    """Whole questions; those that are written so already are no change."""
    assert changed(letter_case(), "is it Open?") == ["is it open?", "Is It Open?", "IS IT OPEN?"]
    assert changed(letter_case(), "OPEN?") == ["open?"]
    assert changed(letter_case(), "42?") == []


def test_white_space_of_a_question():
    """Between words first, then around; what stands there already stays."""
    assert changed(white_space(), "a\nb c") == ["a\n b c", "a\nb  c", "a\nb c ", " a\nb c", "a\nb c\n"]


def test_edits_of_white_space_are_put_into_words():
    """In the order of the text."""
    edits = white_space(most=5).edits("Are you open?")

    assert apply_edits("Are you open?", edits).change == (
        "a blank in front, a second blank after 'Are', a second blank after 'you', a blank at the end, "
        "a line break at the end"
    )


def test_an_irrelevant_sentence_follows_a_full_stop():
    """Which is added where the question ends without a mark."""
    soup = irrelevant_sentence(["I had soup."])

    assert changed(soup, "Open?") == ["Open? I had soup.", "I had soup. Open?"]
    assert changed(soup, "are you open\n") == ["are you open. I had soup.\n", "I had soup. are you open\n"]


@pytest.mark.parametrize("text", ['Did he say "go."', "(Is it open?)", "Say ‘now!’", "【开门吗？】"])
def test_an_irrelevant_sentence_after_closing_quotes(text):
    """The mark that ends the question stands before them."""
    assert changed(irrelevant_sentence("I had soup."), text)[0] == f"{text} I had soup."


def test_an_irrelevant_sentence_after_quotes_without_a_mark():
    """It gets its full stop, also where there is nothing but quotes."""
    ends = [changed(irrelevant_sentence("I had soup."), text)[0] for text in ('Say "go"', '"')]

    assert ends == ['Say "go". I had soup.', '". I had soup.']


@pytest.mark.parametrize("sentences", [[], "", ["I had soup.", " "], [3]])
def test_sentences_that_are_none(sentences):
    """A relation that adds nothing would always hold."""
    with pytest.raises(ValueError, match=r"^irrelevant_sentence\(.*\): expected sentences, none of them empty$"):
        irrelevant_sentence(sentences)


@by_name
@pytest.mark.parametrize("text", ["", " ", "\n\t"])
def test_a_text_without_words(changes, text):
    """Has nothing to change."""
    assert list(changes.edits(text)) == []


def test_orders_of_three_options():
    """3! − 1 = 5, small changes first: the last two change places, then the first moves."""
    found = changed(option_order(), ("a", "b", "c"))

    assert found == [("a", "c", "b"), ("b", "a", "c"), ("b", "c", "a"), ("c", "a", "b"), ("c", "b", "a")]


def test_orders_of_many_options():
    """Of more than 20 the last 20 move: 20! − 1 orders are as many as can be counted."""
    options = [f"option {n}" for n in range(25)]
    edits = option_order().edits(options)

    last = option_order().apply(options, [edits[len(edits) - 1]])

    assert last == options[:5] + options[:4:-1]


def test_options_of_a_csv_file():
    """A JSON list stays one."""
    assert changed(option_order(), '["é", "b"]') == ['["b", "é"]']


@pytest.mark.parametrize(
    ("question", "other"),
    [
        ("Options: pen, ink. Which one?", "Options: ink, pen. Which one?"),
        ("Which pen is open?\nA) pen\nB) ink", "Which pen is open?\nA) ink\nB) pen"),
        ("pencil, pen, ink?", "pencil, ink, pen?"),
    ],
)
def test_options_that_the_question_lists(question, other):
    """They change places where they stand one after the other, as whole words; the rest of the text stays."""
    assert changed(option_order("options"), question, {"options": ["pen", "ink"]}) == [other]


@pytest.mark.parametrize(
    ("changes", "value", "fields", "message"),
    [
        (typos(), 5, {}, "typos changes text, not 5"),
        (letter_case(), ["a"], {}, "letter_case changes text, not ['a']"),
        (white_space(), None, {}, "white_space changes text, not None"),
        (irrelevant_sentence(), 5, {}, "irrelevant_sentence changes text, not 5"),
        (option_order(), "pen", {}, "option_order changes lists of at least 2 options, not 'pen'"),
        (option_order(), "[pen", {}, "option_order changes lists of at least 2 options, not '[pen'"),
        (option_order(), ["pen"], {}, "option_order changes lists of at least 2 options, not ['pen']"),
        (option_order("o"), "pen?", {}, "option_order('o'): this row lacks the field 'o'"),
        (
            option_order("o"),
            "ink or pen?",
            {"o": ["pen", "ink"]},
            "option_order('o'): 'ink or pen?' does not list 'pen, ink', one after the other",
        ),
        (paraphrases(), "Open?", {"paraphrases": 3}, "paraphrases: the changed values are 3; expected a list of them"),
        (paraphrases(), "Open?", {"paraphrases": [3]}, "paraphrases: 3 in place of 'Open?'; expected a str"),
        (relation("mine", str.upper), "a", {}, "mine: the changed values are 'A'; expected a list of them"),
    ],
)
def test_values_that_a_relation_cannot_change(changes, value, fields, message):
    """The message says what was given and what is changed."""
    with pytest.raises(DatasetError) as caught:
        changes.edits(value, fields)

    assert str(caught.value) == message


@pytest.mark.parametrize(
    ("given", "found"),
    [
        (["Is it open?", "Open?"], ["Is it open?"]),
        ("Is it open?", ["Is it open?"]),
        ('["Is it open?"]', ["Is it open?"]),
        ([], []),
        ("", []),
        (None, []),
    ],
)
def test_paraphrases_of_a_row(given, found):
    """A text or a list of them, as JSON in a CSV file; the question itself is none."""
    assert changed(paraphrases(), "Open?", {"paraphrases": given}) == found


def test_paraphrases_by_a_function():
    """Of the row; a row without the field has none."""
    by_function = paraphrases(lambda row: [f"{row['shop']}: open?"])

    assert changed(by_function, "Open?", {"shop": "Fernquill"}) == ["Fernquill: open?"]
    assert changed(paraphrases("others"), "Open?", {"paraphrases": ["no"]}) == []


def test_a_relation_of_ones_own():
    """Each value that the function gives, but for the same."""
    polite = relation("polite", lambda question: [f"Please: {question}", question])

    assert changed(polite, "Open?") == ["Please: Open?"]
    assert polite.edits("Open?")[0].change == "'Please: Open?' instead"


@pytest.mark.parametrize("name", ["", "two words", "a~b", 3])
def test_a_name_that_no_id_can_contain(name):
    """It is refused when the relation is made."""
    with pytest.raises(ValueError, match=f"^a relation named {name!r}; expected letters, digits, '_' and '-'"):
        relation(name, lambda text: [text])


def test_a_relation_without_a_function():
    """A list of texts says nothing about other questions."""
    with pytest.raises(TypeError, match=r"^relation\('mine', \['a'\]\): expected a function from a value to changed"):
        relation("mine", ["a"])


def test_paraphrases_from_something_else():
    """A list belongs into the rows."""
    with pytest.raises(TypeError, match=r"^paraphrases\(\['a'\]\): expected the name of a field, or a function"):
        paraphrases(["a"])


@pytest.mark.parametrize("most", [0, True, 1.5, None])
@pytest.mark.parametrize("make", [typos, white_space])
def test_a_number_of_edits_that_is_none(make, most):
    """At least one is made."""
    with pytest.raises(ValueError, match=rf"^{make.__name__}\(most={most!r}\): expected a whole number of at least 1$"):
        make(most)


def test_relations_as_they_were_called():
    """What stands in a report."""
    made = (typos(2), letter_case(), irrelevant_sentence("Hi."), option_order("options"), paraphrases())

    assert [str(each) for each in made] == [
        "typos(most=2)",
        "letter_case()",
        "irrelevant_sentence('Hi.')",
        "option_order('options')",
        "paraphrases('paraphrases')",
    ]


def test_of_edits_that_overlap_the_first_is_made():
    """Two typos of one word; words name only what was done."""
    edits = [Edit((4, 7), "tow", "second"), Edit((0, 3), "oen", "first"), Edit((0, 3), "noe", "again")]

    found = apply_edits("one two", edits)

    assert (found.value, found.change) == ("oen tow", "first, second")


def test_edits_can_be_sliced():
    """They are a sequence."""
    edits = typos().edits("cat")

    assert [edit.new for edit in edits[:2]] == ["cta", "caat"]
    assert edits[-1].new == "cay"


@pytest.mark.parametrize("text", ["How long can I return an item? " * 32_000, "a" * 1_000_000, " a" * 500_000])
@by_name
def test_a_question_of_a_megabyte(changes, text):
    """All edits are found in a few seconds at most: that is linear, the square of 10^6 would take hours."""
    started = time.perf_counter()

    edits = changes.edits(text)
    chosen = [edits[place] for place in {0, len(edits) // 2, len(edits) - 1} if edits]

    assert (changes.apply(text, chosen) != text) == bool(edits)
    assert time.perf_counter() - started < 10
