"""Ids and content hashes: stable across key order, processes and machines; different for different content."""

import os
import subprocess
import sys

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from pytest_llmval import cases
from pytest_llmval.case_sets.case import content_hash
from pytest_llmval.errors import DatasetError

JSON = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats(allow_nan=False) | st.text(st.characters(codec=None)),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(st.characters(codec=None)), inner, max_size=4),
    max_leaves=8,
)
ROWS = st.dictionaries(st.text(min_size=1), JSON, min_size=2, max_size=5)


def test_the_hash_of_a_known_record():
    """T51 of the vectors: SHA-256 of the canonical JSON, as any other program would make it."""
    record = {"id": "q1", "input": "2+2?", "expected": "4", "meta": {"b": 1, "a": [1, 2.5, None, True, "é"]}}

    assert content_hash(record) == "10a0de43c074a1fb3b2791689e4d736edd1fa3f35e264512a7519a81d9601616"


@given(ROWS)
@settings(deadline=None)
def test_the_order_of_keys_does_not_matter(row):
    """Two writers of the same row give the same hash, lone surrogates included."""
    assert content_hash(row) == content_hash(dict(reversed(row.items())))


@given(st.lists(JSON, min_size=2, max_size=4))
@settings(deadline=None)
def test_the_order_of_a_list_matters(values):
    """Choices in another order are another question."""
    turned = values[::-1]

    assert (content_hash(values) == content_hash(turned)) == (repr(values) == repr(turned))


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ({"a": 1}, {"a": "1"}),
        ({"a": 1}, {"a": 1.0}),
        ({"a": 1}, {"a": True}),
        ({"a": None}, {"a": ""}),
        ({"a": None}, {}),
        ({"a": "é"}, {"a": "e\u0301"}),
        ({"a": ["b", "c"]}, {"a": ["bc"]}),
    ],
)
def test_different_content_has_a_different_hash(one, other):
    """Types and normal forms are content: a model is asked another text."""
    assert content_hash(one) != content_hash(other)


def test_the_hash_is_pinned():
    """sha256 of {"a":[1,null],"b":"é"} in UTF-8: a change here makes all records of users unreadable.

    Computed with `printf '{"a":[1,null],"b":"é"}' | sha256sum`.
    """
    assert content_hash({"b": "é", "a": [1, None]}) == (
        "e03c3c1ebb5fccd76e3bd35b9a86169f35e6f1b069645d48ac278175f54c4208"
    )


PROGRAM = """
import warnings
from datetime import date
from pytest_llmval import cases
rows = [{"question": "Open?", "tags": ["b", "a"], "set": {"x", "y", "z", "w"}, "day": date(2026, 1, 2), "n": 1.5},
        {"question": "Grüße?", "set": frozenset(("p", "q", "r")), "day": None, "n": 2}]
shop = cases(rows, prompt="{question}", where=lambda row: True)
print(shop.dataset_hash, shop.prompt_hash, *[case.id for case in shop])
"""


def test_hashes_are_the_same_in_every_process():
    """Workers hash strings with a seed of their own; a set has no order of its own."""
    printed = {
        subprocess.run(
            [sys.executable, "-c", PROGRAM],
            env=os.environ | {"PYTHONHASHSEED": seed},
            capture_output=True,
            text=True,
            check=True,
        ).stdout
        for seed in ("1", "2", "3")
    }

    assert len(printed) == 1
    assert len(printed.pop().split()) == 4


def test_the_id_is_the_rows_own():
    """The field `id`, or what is named; numbers are written out, 0 too."""
    rows = [{"id": 0, "q": "x", "key": "k"}]

    assert cases(rows, prompt="{q}")[0].id == "0"
    assert cases(rows, prompt="{q}", id="{key}-{id}")[0].id == "k-0"


@pytest.mark.parametrize("given_id", [None, "", "absent"])
def test_a_row_without_an_id_gets_one_from_its_content(given_id):
    """Twelve hexadecimal digits of the row's hash, wherever the row stands."""
    row = {"q": "x"} if given_id == "absent" else {"q": "x", "id": given_id}
    first = cases([row, {"q": "y"}], prompt="{q}")
    last = cases([{"q": "z"}, row], prompt="{q} as another prompt")

    assert first[0].id == last[1].id == content_hash(row)[:12]


def test_ids_do_not_depend_on_the_template_or_the_selection():
    """Editing a prompt keeps cases paired with earlier runs."""
    rows = [{"q": "x", "n": 1}, {"q": "y", "n": 2}]
    everything = cases(rows, prompt="{q}")
    selected = cases(rows, chat="Please: {q}", where={"n": 2})

    assert selected[0].id == everything[1].id
    assert selected.prompt_hash != everything.prompt_hash


def test_duplicate_ids_name_both_lines(jsonl):
    """File and line of each."""
    path = jsonl({"id": "a", "q": "x"}, {"id": "b", "q": "y"}, {"id": "a", "q": "z"})

    with pytest.raises(
        DatasetError,
        match=r"^faq\.jsonl:3 and faq\.jsonl:1: two cases with the id 'a'; ids are unique within a case set$",
    ):
        cases(path, prompt="{q}")


@pytest.mark.parametrize("row", [{"q": "x"}, {"id": "a", "q": "x"}])
def test_two_identical_rows_name_both_lines(jsonl, row):
    """Repeating a row is no way to ask twice; the right way is named."""
    path = jsonl({"q": "y"}, row, dict(reversed(row.items())))

    with pytest.raises(DatasetError) as caught:
        cases(path, prompt="{q}")

    assert str(caught.value) == (
        "faq.jsonl:3 and faq.jsonl:2: two identical rows; remove one (repeated asks of a case are trials=)"
    )


def test_the_dataset_hash_covers_fields_ids_and_order():
    """Any of them changed is another dataset; the prompt is not part of it."""
    rows = [{"id": "a", "q": "x"}, {"id": "b", "q": "y"}]
    label = cases(rows, prompt="{q}", name="faq").label

    assert cases(rows, chat="{q}!", name="faq").label == label
    assert label == f"faq@{cases(rows, prompt='{q}').dataset_hash[:8]}"
    for changed in (rows[::-1], rows[:1], [rows[0], rows[1] | {"q": "z"}], [rows[0], rows[1] | {"id": "c"}]):
        assert cases(changed, prompt="{q}", name="faq").label != label


@pytest.mark.parametrize(
    "changed",
    [
        {"prompt": "{q}?"},
        {"system": "Be kind."},
        {"few_shot": [{"q": "1", "a": "2"}]},
        {"chat": "{q}", "prompt": None},
        {"choices": "{o}", "answer": "{a}"},
    ],
)
def test_the_prompt_hash_covers_all_that_is_asked(changed):
    """A comparison across prompts is refused by it."""
    rows = [{"q": "x", "a": "yes", "o": ["yes", "no"]}]
    arguments = {"prompt": "{q}", "reference": "{a}"}

    assert cases(rows, **arguments | changed).prompt_hash != cases(rows, **arguments).prompt_hash


def test_editing_a_function_changes_the_prompt_hash():
    """Its source is hashed."""

    def one(row):
        return [{"role": "user", "content": row["q"]}]

    def other(row):
        return [{"role": "user", "content": row["q"] + "!"}]

    hashes = [cases([{"q": "x"}], messages=function).prompt_hash for function in (one, one, other)]

    assert hashes[0] == hashes[1] != hashes[2]


def test_a_function_without_source_has_a_hash():
    """Its name stands for it."""
    names = {}
    exec("def ask(row):\n    return [{'role': 'user', 'content': row['q']}]", names)  # noqa: S102 - has no source file

    assert len(cases([{"q": "x"}], messages=names["ask"]).prompt_hash) == 64
