"""`cases(prompt={"short": …, "long": …})`: the same cases in several wordings."""

import pytest

from pytest_llmval import LlmvalDataWarning, Message, cases
from pytest_llmval.case_sets.case import Decoration
from pytest_llmval.errors import DatasetError

ROWS = [{"id": "a", "question": "Open?", "answer": "Yes."}, {"id": "b", "question": "Late?", "answer": "No."}]
TWO = {"short": "{question}", "long": "Please: {question}"}


def asked(case_set):
    """The first prompt of each variant."""
    return {name: variant[0].prompt for name, variant in case_set.variants.items()}


def test_each_variant_has_its_own_prompts():
    """The set itself asks the first, in the order they were given."""
    faq = cases(ROWS, prompt=TWO)

    assert asked(faq) == {"short": "Open?", "long": "Please: Open?"}
    assert list(faq.variants) == ["short", "long"]
    assert faq[0].prompt == "Open?"


def test_variants_of_a_chat():
    """As of a prompt."""
    assert asked(cases(ROWS, chat=TWO))["long"] == (Message("user", "Please: Open?"),)


def test_variants_of_the_system_text():
    """With one prompt, or with the messages of the rows."""
    system = {"curt": "One word.", "none": ""}
    turns = cases([{"turns": [{"role": "user", "content": "Hi"}]}], messages="turns", system=system)

    assert asked(cases(ROWS, prompt="{question}", system=system)) == {"curt": "One word.\n\nOpen?", "none": "Open?"}
    assert asked(turns)["curt"] == (Message("system", "One word."), Message("user", "Hi"))


def test_prompt_and_system_text_vary_together():
    """By the name they share, whatever the order."""
    faq = cases(ROWS, chat=TWO, system={"long": "Be kind.", "short": "Be brief."})

    assert asked(faq)["long"] == (Message("system", "Be kind."), Message("user", "Please: Open?"))
    assert asked(faq)["short"] == (Message("system", "Be brief."), Message("user", "Open?"))


def test_few_shot_examples_take_the_wording_of_the_variant():
    """Also when they come from an iterator, which can be read only once."""
    faq = cases(ROWS[:1], prompt=TWO, reference="{answer}", few_shot=iter(ROWS[1:]))

    assert asked(faq) == {"short": "Late? No.\n\nOpen?", "long": "Please: Late? No.\n\nPlease: Open?"}


def test_variants_are_the_same_cases():
    """Ids, references and the dataset's hash and label do not depend on the wording; the prompt's hash does."""
    short, long = cases(ROWS, prompt=TWO, reference="{answer}", name="faq").variants.values()

    assert [case.id for case in short] == [case.id for case in long] == ["a", "b"]
    assert short.label == long.label
    assert [case.reference for case in long] == ["Yes.", "No."]
    assert short.prompt_hash != long.prompt_hash


def test_a_variant_has_the_hash_of_its_prompt_alone():
    """Giving a prompt a name, or a sibling, leaves the records of earlier runs usable."""
    assert cases(ROWS, prompt=TWO).variants["long"].prompt_hash == cases(ROWS, prompt=TWO["long"]).prompt_hash


def test_the_label_of_a_prompt_starts_with_the_name_of_its_variant():
    """So that a comparison that is refused names it."""
    faq = cases(ROWS, prompt=TWO)
    plain = cases(ROWS, prompt=TWO["long"])

    assert faq.variants["long"].prompt_label == f"long {plain.prompt_hash[:12]}"
    assert faq.prompt_label.startswith("short ")
    assert plain.prompt_label == plain.prompt_hash[:12]
    assert plain.variants == {}


@pytest.mark.parametrize(
    ("name", "variant"), [("long", "long"), ("short", "short"), (None, "short"), ("formal", "short")]
)
def test_a_decoration_takes_a_variant_by_its_name(name, variant):
    """The first when no name, or that of another case set, is given; always the same object for the same name."""
    faq = cases(ROWS, prompt=TWO)
    decoration = Decoration("all", faq)

    assert decoration.with_prompt(name).case_set is faq.variants[variant]
    assert decoration.with_prompt(name).mode == "all"


def test_a_decoration_without_variants_stays_as_it_is():
    """Under any name."""
    decoration = Decoration("each", cases(ROWS, prompt="{question}"))

    assert decoration.with_prompt("long") is decoration


def test_a_finding_is_given_once_however_many_variants_have_it(monkeypatch):
    """A duplicate of one variant alone is found too: `flat` drops what tells the questions apart."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)  # of several workers only the first one warns
    with pytest.warns(LlmvalDataWarning) as caught:
        cases(
            [{"question": "Open?", "answer": ""}, {"question": "Late?", "answer": ""}],
            prompt={**TWO, "flat": "Well?"},
            reference="{answer}",
        )

    assert [str(each.message).partition(" (")[0] for each in caught] == [
        "cases: 2 of 2 cases have an empty reference",
        "cases: 1 prompt occurs more than once",
    ]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (
            {"prompt": {}},
            "cases(prompt={}): expected a text, or variants of it by name, such as {'short': '{question}'}",
        ),
        (
            {"chat": {"short": "{question}", "long": 3}},
            "cases(chat={...}): the variant 'long' is 3; expected text such as '{question}'",
        ),
        (
            {"prompt": {"": "{question}"}},
            "cases(prompt={...}): a variant named ''; expected text that --llmval-prompt can give",
        ),
        (
            {"prompt": {1: "{question}"}},
            "cases(prompt={...}): a variant named 1; expected text that --llmval-prompt can give",
        ),
        (
            {"prompt": TWO, "system": {"short": "x", "kind": "y"}},
            "cases(): prompt= has the variants 'short', 'long', system= has 'short', 'kind'; expected the same names",
        ),
        (
            {"prompt": TWO, "chat": "{question}"},
            "cases() takes exactly one of prompt=, chat= and messages=; got prompt, chat",
        ),
    ],
)
def test_wrong_variants_are_refused(arguments, message):
    """With the argument, the variant, and what would be right."""
    with pytest.raises(TypeError) as caught:
        cases(ROWS, **arguments)

    assert str(caught.value).startswith(message)


@pytest.mark.parametrize(
    ("argument", "template", "message"),
    [
        (
            "prompt",
            "{qestion}",
            "row 1: prompt['long'] names the field 'qestion', which this row lacks; did you mean 'question'?",
        ),
        (
            "chat",
            "{question",
            "row 1: chat['long']='{question': expected '}' before end of string; write fields as {name}",
        ),
        ("prompt", "", "row 1: prompt['long']='' gives ''; expected text"),
    ],
)
def test_a_template_that_is_wrong_in_one_variant(argument, template, message):
    """The message names the variant beside the argument."""
    with pytest.raises(DatasetError) as caught:
        cases(ROWS, **{argument: {"short": "{question}", "long": template}})

    assert str(caught.value).startswith(message)
