"""Templates are format strings over the fields of a row."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmval.case_sets.message import Message
from pytest_llmval.case_sets.rows import Row
from pytest_llmval.case_sets.templates import chat_messages, fill, fill_text, plain_prompt
from pytest_llmval.errors import DatasetError

ROW = Row(
    {
        "question": "Open?",
        "n": 3,
        "price": 2.5,
        "options": ["a", "b"],
        "meta": {"lang": "de"},
        "nothing": None,
        "dotted.name": "x",
    },
    "faq.jsonl:7",
)
VALUES = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(),
    lambda inner: st.lists(inner) | st.dictionaries(st.text(), inner),
    max_leaves=5,
)


@given(VALUES)
@settings(deadline=None)
def test_a_template_that_is_one_field_gives_the_raw_value(value):
    """Exactly `"{name}"` gives lists, numbers and null as they are."""
    assert fill("{field}", Row({"field": value}, "row 1"), "choices") is value


@given(st.text())
@settings(deadline=None)
def test_braces_in_a_value_are_left_alone(text):
    """Only the template is a format string, not what is filled in."""
    assert fill("Q: {question}\nA:", Row({"question": text}, "row 1"), "prompt") == f"Q: {text}\nA:"


@pytest.mark.parametrize(
    ("template", "filled"),
    [
        ("no field", "no field"),
        ("{question} {n}", "Open? 3"),
        ("{price:.2f} EUR", "2.50 EUR"),
        ("{options[1]} of {meta[lang]}", "b of de"),
        ("{{literal}} {n}", "{literal} 3"),
        ("{question!r}", "'Open?'"),
    ],
)
def test_a_template_is_formatted(template, filled):
    """Format specifications, indices and literal braces work as in Python."""
    assert fill(template, ROW, "prompt") == filled


def test_an_unknown_field_suggests_the_nearest():
    """Place, argument, name and the known names."""
    with pytest.raises(DatasetError) as caught:
        fill("{qestion}", ROW, "prompt")

    assert str(caught.value).startswith(
        "faq.jsonl:7: prompt names the field 'qestion', which this row lacks; did you mean 'question'? known: "
    )


@pytest.mark.parametrize("field", ["meta[land]", "options[5]", "n.digits"])
def test_an_unknown_part_of_a_field(field):
    """A wrong key, index or attribute is told like a wrong name."""
    with pytest.raises(DatasetError) as caught:
        fill(f"Q: {{{field}}}", ROW, "prompt")

    assert str(caught.value) == f"faq.jsonl:7: prompt names the field {field!r}, which this row lacks"


def test_null_inside_a_text():
    """A prompt that says None is never what the author meant."""
    with pytest.raises(
        DatasetError, match=r"^faq\.jsonl:7: prompt names the field 'nothing', which is null in this row$"
    ):
        fill("Context: {nothing}\n{question}", ROW, "prompt")


@pytest.mark.parametrize(
    ("template", "problem"),
    [
        ("{} and", "a field without a name"),
        ("{0} and", "a field without a name"),
        ("{question", "expected '}' before end of string"),
        ("question} x", "Single '}' encountered in format string"),
        ("{question:.2f}", "Unknown format code 'f' for object of type 'str'"),
    ],
)
def test_what_is_no_format_string(template, problem):
    """Python's reason, with the way to write fields and braces."""
    with pytest.raises(DatasetError) as caught:
        fill(template, ROW, "prompt")

    assert str(caught.value) == (
        f"faq.jsonl:7: prompt={template!r}: {problem}; write fields as {{name}} and literal braces as {{{{ }}}}"
    )


@pytest.mark.parametrize("name", ["options", "nothing", "meta"])
def test_a_prompt_that_is_no_text(name):
    """Numbers are written out, nothing else is."""
    with pytest.raises(DatasetError, match=rf"^faq\.jsonl:7: prompt='\{{{name}\}}' gives .*; expected text$"):
        fill_text(f"{{{name}}}", ROW, "prompt")


def test_an_empty_prompt():
    """There is nothing to ask."""
    with pytest.raises(DatasetError, match=r"^row 1: prompt='\{question\}' gives ''; expected text$"):
        fill_text("{question}", Row({"question": ""}, "row 1"), "prompt")


@pytest.mark.parametrize(("template", "text"), [("{n}", "3"), ("{price}", "2.5")])
def test_a_number_is_written_out(template, text):
    """A prompt may be a number."""
    assert fill_text(template, ROW, "prompt") == text


def test_a_plain_prompt_with_system_and_examples():
    """Parted by blank lines; a blank before an answer unless there is white space already."""
    examples = [("Q: 1+1?\nA:", "2"), ("Q: 2+2?\nA:\n", "4"), ("Q: 3+3?\nA:", " 6")]

    text = plain_prompt("Q: 4+4?\nA:", "You add.", examples)

    assert text == "You add.\n\nQ: 1+1?\nA: 2\n\nQ: 2+2?\nA:\n4\n\nQ: 3+3?\nA: 6\n\nQ: 4+4?\nA:"


def test_a_plain_prompt_alone_is_not_touched():
    """No white space is added in front or behind."""
    assert plain_prompt(" Q \n") == " Q \n"


def test_a_conversation_with_system_and_examples():
    """Examples are earlier turns; the question comes last."""
    turns = chat_messages("4+4?", "You add.", [("1+1?", "2")])

    assert turns == (
        Message("system", "You add."),
        Message("user", "1+1?"),
        Message("assistant", "2"),
        Message("user", "4+4?"),
    )
