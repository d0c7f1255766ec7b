"""The lock file: what it pins, how it is read and written, and what is said of a difference."""

import json

import pytest
from hypothesis import given
from hypothesis import strategies as st

from pytest_llmval import cases
from pytest_llmval.case_sets.lock import Pin, changes_between, pin_of, read_lock, refusal, write_lock
from pytest_llmval.errors import DatasetError

FAQ = Pin("data/faq.jsonl", "faq", 60, "3f2a9c1d" + "0" * 56)
LONGER = Pin("data/faq.jsonl", "faq", 61, "77aa0b1c" + "0" * 56)
QUIZ = Pin("data/quiz.csv", "quiz", 1, "1234abcd" + "0" * 56)
PINS = st.sets(
    st.builds(
        Pin,
        st.sampled_from(["a.jsonl", "b.csv"]),
        st.sampled_from(["a", "b"]),
        st.integers(1, 3),
        st.sampled_from("xyz"),
    )
)


def test_a_pin_says_where_the_data_are_how_many_and_which(jsonl, tmp_path):
    """The path starts at the lock's folder and has forward slashes."""
    faq = cases(jsonl({"q": "x"}, {"q": "y"}), prompt="{q}")

    assert pin_of(faq, tmp_path) == Pin("faq.jsonl", "faq", 2, faq.dataset_hash)
    assert pin_of(faq, tmp_path.parent).source == f"{tmp_path.name}/faq.jsonl"
    assert pin_of(faq, tmp_path / "suite").source == "../faq.jsonl"


def test_a_selection_is_pinned_as_what_it_asks(jsonl, tmp_path):
    """Two selections of one dataset are two pins, and a row that neither asks is in none."""
    both = [{"id": "a", "q": "x"}, {"id": "b", "q": "y"}]

    def pins(*rows):
        path = jsonl(*rows)
        return [pin_of(cases(path, prompt="{q}", where={"id": name}), tmp_path) for name in ("a", "b")]

    before, after = pins(*both), pins(*both, {"id": "c", "q": "z"})

    assert before[0] != before[1]
    assert before == after


def test_rows_of_code_are_pinned_at_the_file_that_calls_cases(tmp_path):
    """There is no dataset."""
    assert pin_of(cases([{"q": "x"}], prompt="{q}"), tmp_path).source.endswith("case_sets/test_lock.py")


def test_a_dataset_that_is_a_link_keeps_its_place(jsonl, tmp_path):
    """A cache that it points to lies elsewhere on every machine."""
    (tmp_path / "cache").mkdir()
    jsonl({"q": "x"}, name="cache/4af1.jsonl")
    (tmp_path / "faq.jsonl").symlink_to(tmp_path / "cache" / "4af1.jsonl")

    assert pin_of(cases(tmp_path / "faq.jsonl", prompt="{q}"), tmp_path).source == "faq.jsonl"


def test_a_lock_in_a_folder_that_is_reached_by_a_link(jsonl, tmp_path):
    """The same path as without the link."""
    (tmp_path / "suite").mkdir()
    path = jsonl({"q": "x"}, name="suite/faq.jsonl")
    (tmp_path / "link").symlink_to(tmp_path / "suite")

    assert pin_of(cases(path, prompt="{q}"), tmp_path / "link").source == "faq.jsonl"


@given(PINS)
def test_a_lock_that_is_read_back_is_what_was_written(tmp_path_factory, pins):
    """In an order of its own, whatever the order of collection."""
    path = tmp_path_factory.mktemp("lock") / "llmval.lock"
    write_lock(path, pins)
    text = path.read_text(encoding="utf-8")
    write_lock(path, sorted(pins, reverse=True))

    assert read_lock(path) == sorted(pins)
    assert path.read_text(encoding="utf-8") == text


def test_the_file_has_one_line_for_each_case_set(tmp_path):
    """A review of a change shows that change alone; names stay readable."""
    path = tmp_path / "llmval.lock"
    write_lock(path, [QUIZ, Pin("grüße.jsonl", "grüße", 2, "ab"), FAQ, FAQ])

    assert path.read_text(encoding="utf-8").splitlines() == [
        "{",
        '  "version": 1,',
        '  "case_sets": [',
        f'    {{"source": "data/faq.jsonl", "name": "faq", "cases": 60, "sha256": "{FAQ.sha256}"}},',
        f'    {{"source": "data/quiz.csv", "name": "quiz", "cases": 1, "sha256": "{QUIZ.sha256}"}},',
        '    {"source": "grüße.jsonl", "name": "grüße", "cases": 2, "sha256": "ab"}',
        "  ]",
        "}",
    ]


def test_writing_says_what_it_changed(tmp_path):
    """Added, changed with both sides, removed; and when nothing did."""
    path = tmp_path / "llmval.lock"

    assert write_lock(path, [FAQ]) == ["added    data/faq.jsonl: faq@3f2a9c1d, 60 cases", "llmval.lock pins 1 case set"]
    assert write_lock(path, [FAQ]) == ["nothing has changed", "llmval.lock pins 1 case set"]
    assert write_lock(path, [LONGER, QUIZ]) == [
        "changed  data/faq.jsonl: faq@3f2a9c1d, 60 cases -> faq@77aa0b1c, 61 cases",
        "added    data/quiz.csv: quiz@1234abcd, 1 case",
        "llmval.lock pins 2 case sets",
    ]
    assert write_lock(path, [QUIZ])[0] == "removed  data/faq.jsonl: faq@77aa0b1c, 61 cases"


def test_pins_of_others_stay_when_that_is_asked_for(tmp_path):
    """What was collected is added or changed; the last line says how many were not, and how they would go."""
    path = tmp_path / "llmval.lock"
    essay = Pin("essay.csv", "essay", 3, "ab")
    write_lock(path, [FAQ, QUIZ])
    drop = "`llmval lock` without TESTS drops what no test asks"

    assert write_lock(path, [LONGER], keep_others=True) == [
        "changed  data/faq.jsonl: faq@3f2a9c1d, 60 cases -> faq@77aa0b1c, 61 cases",
        f"llmval.lock pins 2 case sets; 1 of them was not collected and stays as it was: {drop}",
    ]
    assert write_lock(path, [essay], keep_others=True) == [
        "added    essay.csv: essay@ab, 3 cases",
        f"llmval.lock pins 3 case sets; 2 of them were not collected and stay as they were: {drop}",
    ]
    assert read_lock(path) == [LONGER, QUIZ, essay]


@given(PINS, PINS)
def test_nothing_is_dropped_that_has_no_successor(tmp_path_factory, locked, now):
    """All that is asked is pinned; each pin that went made room for one of the same dataset and name."""
    path = tmp_path_factory.mktemp("lock") / "llmval.lock"
    write_lock(path, locked)
    write_lock(path, now, keep_others=True)
    kept = set(read_lock(path))

    assert now <= kept <= now | locked
    for place in {(pin.source, pin.name) for pin in locked}:
        before, after, gone = (
            [pin for pin in pins if (pin.source, pin.name) == place] for pins in (locked, kept, locked - kept)
        )
        assert len(after) >= len(before)
        assert len(gone) <= len(set(after) - locked)


def test_a_selection_that_was_not_collected_stays(tmp_path):
    """Two tests ask different parts of one dataset, and one of them alone is collected."""
    hard = Pin("data/faq.jsonl", "faq", 7, "ab")
    write_lock(tmp_path / "llmval.lock", [hard, FAQ])

    write_lock(tmp_path / "llmval.lock", [FAQ], keep_others=True)

    assert read_lock(tmp_path / "llmval.lock") == [hard, FAQ]


def test_a_folder_that_cannot_be_written(tmp_path):
    """The system's reason."""
    with pytest.raises(DatasetError, match=r"llmval\.lock cannot be written: No such file or directory$"):
        write_lock(tmp_path / "gone" / "llmval.lock", [FAQ])


@given(PINS, PINS)
def test_changes_account_for_every_difference(locked, now):
    """Each pin of one side alone stands in exactly one change, and both sides of a change are of one place."""
    changes = changes_between(locked, now)

    assert sorted(change.locked for change in changes if change.locked) == sorted(locked - now)
    assert sorted(change.now for change in changes if change.now) == sorted(now - locked)
    for change in changes:
        places = {(pin.source, pin.name) for pin in (change.locked, change.now) if pin}
        assert len(places) == 1


def test_selections_that_stayed_are_no_part_of_a_change():
    """Of two selections of one dataset the one that changed is told with what it was."""
    hard = Pin("data/faq.jsonl", "faq", 7, "ab")

    (change,) = changes_between([hard, FAQ], [hard, LONGER])

    assert (change.locked, change.now) == (FAQ, LONGER)


def test_a_refusal_lists_the_changes_and_the_command():
    """And that CI must not run it."""
    message = refusal(changes_between([FAQ], [LONGER, QUIZ]), "suite/llmval.lock", "llmval lock suite")

    assert message.splitlines() == [
        "the data are not those that suite/llmval.lock pins; no model was asked",
        "    changed  data/faq.jsonl: faq@3f2a9c1d, 60 cases -> faq@77aa0b1c, 61 cases",
        "    added    data/quiz.csv: quiz@1234abcd, 1 case",
        "If this is meant, accept it with `llmval lock suite` and commit suite/llmval.lock.",
        "CI must not lock: it would accept whatever it is given.",
    ]


ENTRY = {"source": "faq.jsonl", "name": "faq", "cases": 1, "sha256": "ab"}
FORM = "expected {'version': 1, 'case_sets': [...]}, got "
ENTRIES = "expected entries with the texts source, name and sha256 and the number cases, got "


@pytest.mark.parametrize(
    ("content", "problem"),
    [
        ("", "Expecting value: line 1 column 1 (char 0)"),
        ("not JSON", "Expecting value: line 1 column 1 (char 0)"),
        ('{\n<<<<<<< HEAD\n  "version": 1\n', "a merge left its marker '<<<<<<< HEAD' in line 2"),
        ('{"version": 1}\n>>>>>>> theirs\n', "a merge left its marker '>>>>>>> theirs' in line 2"),
        ("[]", FORM + "[]"),
        ('{"version": 2, "case_sets": []}', FORM + "{'version': 2, 'case_sets': []}"),
        ('{"version": 1, "case_sets": {}}', FORM + "{'version': 1, 'case_sets': {}}"),
        ('{"version": 1, "case_sets": ["a"]}', ENTRIES + "'a'"),
        (json.dumps({"version": 1, "case_sets": [{"name": "faq"}]}), ENTRIES + "{'name': 'faq'}"),
        (json.dumps({"version": 1, "case_sets": [ENTRY | {"cases": "1"}]}), ENTRIES + "{'source': 'faq.jsonl'"),
        (json.dumps({"version": 1, "case_sets": [ENTRY | {"more": 1}]}), ENTRIES + "{'source': 'faq.jsonl'"),
    ],
)
def test_a_lock_that_is_broken(tmp_path, content, problem):
    """What is wrong; writing it anew says so and mends it."""
    path = tmp_path / "llmval.lock"
    path.write_text(content, encoding="utf-8")

    with pytest.raises(DatasetError) as caught:
        read_lock(path)
    lines = write_lock(path, [FAQ])

    assert str(caught.value).startswith(f"llmval.lock cannot be read: {problem}")
    assert lines == [f"replaced: {caught.value}", "llmval.lock pins 1 case set"]
    assert read_lock(path) == [FAQ]


def test_a_lock_that_is_no_text(tmp_path):
    """It is no Unicode."""
    path = tmp_path / "llmval.lock"
    path.write_bytes(b"\xff")

    with pytest.raises(DatasetError, match=r"^llmval\.lock cannot be read: 'utf-8' codec can't decode"):
        read_lock(path)
