"""`cases()`: rows and templates become cases."""

import json
from pathlib import Path

import pytest

from pytest_llmval import Message, cases
from pytest_llmval.errors import DatasetError

ROW = {"id": "a", "question": "Open?", "answer": "Yes."}


def only(*rows, **arguments):
    """The single case of a set."""
    (case,) = cases(list(rows) or [ROW], **arguments)
    return case


def test_prompt():
    """Plain text that the model continues."""
    assert only(prompt="Q: {question}\nA:").prompt == "Q: Open?\nA:"


def test_chat():
    """The same as one user message."""
    assert only(chat="{question}").prompt == (Message("user", "Open?"),)


def test_system():
    """In front of a prompt as text, of a conversation as a message."""
    assert only(prompt="{question}", system="Be kind.").prompt == "Be kind.\n\nOpen?"
    assert only(chat="{question}", system="Be kind.").prompt == (
        Message("system", "Be kind."),
        Message("user", "Open?"),
    )


@pytest.mark.parametrize("field", ["turns", "{turns}"])
def test_messages_from_a_field(field):
    """The name of a field, with or without braces."""
    row = {"turns": [{"role": "user", "content": "Hi"}]}

    assert only(row, messages=field).prompt == (Message("user", "Hi"),)
    assert only(row, messages=field, system="Be kind.").prompt[0] == Message("system", "Be kind.")


def test_messages_from_a_function():
    """It is given the row."""
    case = only(messages=lambda row: [{"role": "user", "content": row["question"].upper()}])

    assert case.prompt == (Message("user", "OPEN?"),)


def test_messages_of_the_wrong_shape_name_the_row():
    """Place and entry."""
    with pytest.raises(
        DatasetError, match=r"^row 1: messages\[0\]='Hi': expected \{'role': 'user', 'content': 'text'\}$"
    ):
        only({"turns": ["Hi"]}, messages="turns")


def test_a_function_that_asks_for_an_unknown_field():
    """The row is named, which Python's KeyError would not do."""
    with pytest.raises(DatasetError, match=r"^row 1: messages= asks for the field 'turns', which this row lacks$"):
        only(messages=lambda row: row["turns"])


def test_an_unknown_field_of_messages():
    """The nearest is suggested."""
    with pytest.raises(
        DatasetError, match=r"^row 1: messages names the field 'turn', which this row lacks; did you mean 'turns'"
    ):
        only({"turns": []}, messages="turn")


def test_few_shot_examples_of_a_prompt():
    """Filled by the same template; the reference is their answer."""
    shots = [{"question": "Late?", "answer": "No."}]

    case = only(prompt="Q: {question}\nA:", reference="{answer}", few_shot=shots)

    assert case.prompt == "Q: Late?\nA: No.\n\nQ: Open?\nA:"


def test_few_shot_examples_of_a_chat():
    """They are earlier turns."""
    shots = [{"question": "Late?", "answer": "No."}]

    case = only(chat="{question}", reference="{answer}", few_shot=shots)

    assert case.prompt == (Message("user", "Late?"), Message("assistant", "No."), Message("user", "Open?"))


def test_few_shot_examples_of_a_choice():
    """The right option is their answer."""
    row = {"question": "2+2?", "options": ["3", "4"], "gold": 1}

    case = only(row, prompt="{question}", choices="{options}", answer="{gold}", few_shot=[row | {"question": "1+3?"}])

    assert case.prompt == "1+3? 4\n\n2+2?"


def test_few_shot_from_a_file_beside_the_test(jsonl):
    """Any source serves."""
    shots = jsonl({"question": "Late?", "answer": "No."}, name="shots.jsonl")

    assert only(prompt="{question}", reference="{answer}", few_shot=shots).prompt == "Late? No.\n\nOpen?"


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, r"cases\(\) takes exactly one of prompt=, chat= and messages=; got none"),
        (
            {"prompt": "{question}", "chat": "{question}"},
            r"cases\(\) takes exactly one of prompt=, chat= and messages=; got prompt, chat",
        ),
        ({"prompt": "{question}", "choices": "{options}"}, r"cases\(\) takes choices= and answer= together"),
        ({"prompt": "{question}", "answer": "{gold}"}, r"cases\(\) takes choices= and answer= together"),
        (
            {"messages": "turns", "few_shot": [ROW]},
            r"cases\(\): few_shot goes with prompt= or chat=; put the examples into the messages themselves",
        ),
        (
            {"prompt": "{question}", "few_shot": [ROW]},
            r"cases\(\): few_shot needs reference= or choices= and answer=, which give the examples' answers",
        ),
        (
            {"prompt": "{question}", "max_token": 5},
            r"cases\(\): unexpected argument 'max_token'; decoding parameters are .*",
        ),
    ],
)
def test_arguments_that_do_not_go_together(arguments, message):
    """The rule is in the message."""
    with pytest.raises(TypeError, match=f"^{message}$"):
        cases([ROW], **arguments)


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"trials": 0}, r"cases\(trials=0\): expected at least 1"),
        ({"max_tokens": 0}, r"cases\(\): max_tokens=0: expected a whole number of at least 1"),
    ],
)
def test_values_out_of_range(arguments, message):
    """The call is named, since the decoding alone would not say where it comes from."""
    with pytest.raises(ValueError, match=f"^{message}$"):
        cases([ROW], prompt="{question}", **arguments)


def test_the_reference_keeps_its_type():
    """A list of expected fields stays a list."""
    assert only({"q": "x", "fields": {"n": 1}}, prompt="{q}", reference="{fields}").reference == {"n": 1}
    assert only(prompt="{question}", reference="It says {answer}").reference == "It says Yes."
    assert only(prompt="{question}").reference is None


def test_an_unknown_reference_field_is_an_error():
    """A name that no row has is mistyped."""
    with pytest.raises(
        DatasetError, match=r"^row 1: reference names the field 'anwser', which this row lacks; did you mean 'answer'"
    ):
        cases([ROW], prompt="{question}", reference="{anwser}")


def test_choices_and_answer():
    """The index of the right option is kept."""
    case = only(
        {"q": "x", "options": ["red", "blue"], "gold": "blue"}, prompt="{q}", choices="{options}", answer="{gold}"
    )

    assert (case.choices, case.answer) == (("red", "blue"), 1)


def test_choices_and_answer_from_csv(text_file):
    """A JSON list in a cell, and a number as text."""
    path = text_file("quiz.csv", 'q,options,gold\nx,"[""red"", ""blue""]",1\n')

    (case,) = cases(path, prompt="{q}", choices="{options}", answer="{gold}")

    assert (case.choices, case.answer) == (("red", "blue"), 1)


@pytest.mark.parametrize(
    ("tags", "expected"),
    [
        (["a", "b"], ("a", "b")),
        (("a",), ("a",)),
        ("a, b,,c ", ("a", "b", "c")),
        (None, ()),
        ("", ()),
        ([1], ("1",)),
    ],
)
def test_tags(tags, expected):
    """A list, or text with commas as in a CSV file."""
    assert only(ROW | {"tags": tags}, prompt="{question}").tags == expected


def test_tags_of_the_wrong_kind():
    """The row is named."""
    with pytest.raises(DatasetError, match=r"^row 1: tags=5; expected a list of strings$"):
        only(ROW | {"tags": 5}, prompt="{question}")


def test_cluster():
    """The field `cluster` by default, else what is named; numbers are written out."""
    row = ROW | {"cluster": 7, "fact": "hours"}

    assert only(row, prompt="{question}").cluster == "7"
    assert only(row, prompt="{question}", cluster="{fact}-{cluster}").cluster == "hours-7"
    assert only(ROW | {"cluster": ""}, prompt="{question}").cluster is None
    assert only(prompt="{question}").cluster is None


@pytest.mark.parametrize(
    ("value", "expected"),
    [(True, True), (False, False), (None, False), ("TRUE", True), ("no", False), ("", False), (1, True), (0, False)],
)
def test_must_pass(value, expected):
    """A bool, or the words for it in a CSV file."""
    assert only(ROW | {"must_pass": value}, prompt="{question}").must_pass is expected


def test_must_pass_that_is_neither():
    """A typo does not make a case optional in silence."""
    with pytest.raises(DatasetError, match=r"^row 1: must_pass='ja'; expected true or false$"):
        only(ROW | {"must_pass": "ja"}, prompt="{question}")


def test_a_field_of_a_case():
    """`case["name"]` reads the row, a missing name lists those there are."""
    case = only(prompt="{question}")

    assert case["answer"] == "Yes."
    with pytest.raises(KeyError, match=r"case 'a' has no field 'keyword'; it has 'id', 'question', 'answer'"):
        case["keyword"]


def test_a_case_shows_as_its_id():
    """What a report prints."""
    assert str(only(prompt="{question}")) == "a"


def test_where_as_a_function():
    """Rows for which it is true; places stay those of the file."""
    rows = [{"id": str(n), "n": n} for n in range(5)]

    kept = cases(rows, prompt="{n}", where=lambda row: row["n"] % 2)

    assert [(case.id, case.source) for case in kept] == [("1", "row 2"), ("3", "row 4")]


def test_where_as_a_mapping():
    """All values must be equal; the name of a field may hold any character."""
    rows = [{"n": n, "meta.lang": lang} for n in (1, 2) for lang in ("de", "en")]

    kept = cases(rows, prompt="{n}", where={"n": 2, "meta.lang": "en"})

    assert [dict(case.fields) for case in kept] == [{"n": 2, "meta.lang": "en"}]


def test_where_that_keeps_nothing(jsonl):
    """An empty gate would pass; file, condition and number of rows are named."""
    path = jsonl(ROW, ROW | {"id": "b"})

    with pytest.raises(DatasetError, match=r"^faq\.jsonl: where=\{'id': 'c'\} keeps none of the 2 rows$"):
        cases(path, prompt="{question}", where={"id": "c"})


@pytest.mark.parametrize(
    ("where", "message"),
    [
        (lambda row: row["lang"] == "de", r"row 1: where= asks for the field 'lang', which this row lacks"),
        (
            {"questoin": "x"},
            r"row 1: where names the field 'questoin', which this row lacks; did you mean 'question'\?.*",
        ),
    ],
)
def test_where_asks_for_an_unknown_field(where, message):
    """The row is named."""
    with pytest.raises(DatasetError, match=f"^{message}$"):
        cases([ROW], prompt="{question}", where=where)


def test_an_unknown_prompt_field_names_file_line_and_the_nearest(jsonl):
    """Also when only one row lacks it."""
    path = jsonl(ROW, {"id": "b", "qestion": "Open?"})

    with pytest.raises(
        DatasetError,
        match=r"^faq\.jsonl:2: prompt names the field 'question', which this row lacks; did you mean 'qestion'\?",
    ):
        cases(path, prompt="{question}")


def test_a_path_is_relative_to_the_file_that_calls(tmp_path, monkeypatch, jsonl):
    """Not to the working directory."""
    jsonl(ROW)
    script = tmp_path / "test_shop.py"
    script.write_text(
        'from pytest_llmval import cases\nfaq = cases("faq.jsonl", prompt="{question}")\n', encoding="utf-8"
    )
    (tmp_path / "elsewhere").mkdir()
    monkeypatch.chdir(tmp_path / "elsewhere")
    names = {}

    exec(compile(script.read_text(encoding="utf-8"), str(script), "exec"), names)  # noqa: S102 - as pytest imports it

    assert [case.id for case in names["faq"]] == ["a"]


def test_the_name_is_the_files(jsonl):
    """Or what is given; an iterable has none."""
    path = jsonl(ROW)

    assert cases(path, prompt="{question}").name == "faq"
    assert cases(str(path), prompt="{question}", name="shop").name == "shop"
    assert cases([ROW], prompt="{question}").name == "cases"


def test_a_case_set_is_a_sequence(jsonl):
    """Its length is the number of cases, never times trials."""
    rows = [ROW | {"id": name} for name in "abc"]
    faq = cases(rows, prompt="{question} {id}", trials=5, max_tokens=3)

    assert len(faq) == 3
    assert [case.id for case in faq[1:]] == ["b", "c"]
    assert faq[-1].id == "c"
    assert (faq.trials, faq.decoding.max_tokens) == (5, 3)


def test_decorators_are_for_test_functions():
    """A class or a second case set is refused where it stands."""
    faq = cases([ROW], prompt="{question}", name="faq")

    with pytest.raises(TypeError, match=r"^@faq\.each decorates a test function, not <class '.*Group'>$"):

        @faq.each
        class Group:
            pass

    with pytest.raises(TypeError, match=r"^check: decorated with two case sets; a test takes one, by \.each or \.all$"):

        @faq.all
        @faq.each
        def check():
            pass


def test_texts_of_all_scripts(jsonl):
    """What is written is what is asked, to the last code point."""
    text = "Grüße 東京 🙂 \u2028 \ufeff e\u0301 \x00 \ud800"
    path = jsonl(json.dumps({"id": "a", "question": text}))

    (case,) = cases(path, prompt="{question}")

    assert case.prompt == text


def test_rows_of_the_example_suites_give_no_finding():
    """Each shipped dataset is read without a warning (warnings are errors here)."""
    folder = Path(__file__).parents[3] / "example_suites" / "data"

    for path in sorted(folder.glob("*.jsonl")):
        field = "{text}" if path.stem == "documents" else "{question}"
        assert len(cases(path, prompt=field)) > 100
