"""What looks like a mistake in the data is a warning, given once."""

import warnings

import pytest

from pytest_llmval import LlmvalDataWarning, cases


@pytest.fixture(autouse=True)
def first_worker(monkeypatch):
    """These tests may run on any worker of their own run; only the first one tells."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)


def findings(rows, **arguments):
    """The texts of the warnings."""
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        cases(rows, **{"prompt": "{q}"} | arguments)
    assert all(each.category is LlmvalDataWarning for each in caught)
    return [str(each.message) for each in caught]


def questions(count, **fields):
    """Rows with different questions; a field may be a function of the number."""
    return [
        {"q": f"what is {n}", **{name: make(n) if callable(make) else make for name, make in fields.items()}}
        for n in range(count)
    ]


def test_sound_data_have_no_finding():
    """Different questions, references and places of the right option."""
    rows = questions(20, a=lambda n: f"it is {n}", o=["yes", "no"], gold=lambda n: n % 2)

    assert findings(rows, reference="{a}") == []
    assert findings(rows, choices="{o}", answer="{gold}") == []


@pytest.mark.parametrize("value", ["", None, "  \n"])
def test_empty_references(value):
    """Blank and null references are counted and named."""
    rows = questions(3, a=lambda n: value if n else "it is 0")

    assert findings(rows, reference="{a}") == [
        "cases: 2 of 3 cases have an empty reference (row 2, row 3); they stay unscored"
    ]


@pytest.mark.parametrize("template", ["{a}", "It is {a}."])
def test_missing_references(template):
    """A row may lack the field that others have, or have null in a longer template."""
    rows = [{"q": "x", "a": "1"}, {"q": "y"}, {"q": "z", "a": None}]

    assert findings(rows, reference=template) == [
        "cases: 2 of 3 cases have an empty reference (row 2, row 3); they stay unscored"
    ]


def test_more_than_three_places_are_cut():
    """The number says how many there are."""
    (finding,) = findings(questions(9, a=""), reference="{a}")

    assert finding == "cases: 9 of 9 cases have an empty reference (row 1, row 2, row 3, …); they stay unscored"


def test_a_set_without_reference_is_not_told_that_it_has_none():
    """Not every metric needs one."""
    assert findings(questions(3, a="")) == []


def test_duplicate_prompts():
    """Equal questions with different ids are not independent."""
    rows = [{"id": name, "q": text} for name, text in (("a", "x"), ("b", "y"), ("c", "x"), ("d", "y"), ("e", "z"))]

    assert findings(rows) == [
        "cases: 2 prompts occur more than once (row 1, row 3; row 2, row 4); such cases are not independent"
    ]


def test_one_prompt_with_other_choices_is_no_duplicate():
    """`Which is right?` is a fair question twice."""
    rows = [{"q": "Which?", "o": ["a", "b"], "gold": 0}, {"q": "Which?", "o": ["c", "d"], "gold": 1}]

    assert findings(rows, choices="{o}", answer="{gold}") == []


def test_duplicate_prompts_of_one_cluster_are_no_finding():
    """The author has said that they depend on each other; two clusters say the opposite."""
    rows = [{"id": n, "q": "x", "cluster": c} for n, c in enumerate("aa")]

    assert findings(rows) == []
    assert len(findings([*rows, {"id": 2, "q": "x", "cluster": "b"}])) == 1


def test_the_right_option_always_stands_at_one_place():
    """Whatever the options say: a model that prefers a place would look good."""
    rows = questions(10, o=lambda n: [f"a{n}", f"b{n}"], gold=0)

    assert findings(rows, choices="{o}", answer="{gold}") == [
        "cases: the right option stands at index 0 in 10 of 10 cases; a model that prefers one place looks good"
    ]


def test_the_right_option_is_always_the_same():
    """Shuffled places do not help when the label is one-sided."""
    rows = questions(10, o=lambda n: ["yes", "no"] if n % 2 else ["no", "yes"], gold="yes")

    assert findings(rows, choices="{o}", answer="{gold}") == [
        "cases: the right option is 'yes' in 10 of 10 cases; a model that always says so looks good"
    ]


def test_the_reference_is_always_the_same():
    """A yes-no set without a no."""
    assert findings(questions(10, a="yes"), reference="{a}") == [
        "cases: the reference is 'yes' in 10 of 10 cases; a model that always says so looks good"
    ]


@pytest.mark.parametrize(("others", "found"), [(5, 1), (6, 0)])
def test_labels_are_one_sided_from_95_percent_on(others, found):
    """95 of 100 is, 94 is not."""
    rows = questions(100, a=lambda n: f"no {n}" if n < others else "yes")

    assert len(findings(rows, reference="{a}")) == found


def test_few_cases_are_not_called_one_sided():
    """Nine equal labels may be chance."""
    assert findings(questions(9, a="yes"), reference="{a}") == []


def test_references_that_are_no_labels():
    """Lists and objects are not counted."""
    assert findings(questions(10, a=lambda _: ["x"]), reference="{a}") == []


@pytest.mark.parametrize(("worker", "count"), [("gw0", 1), ("gw1", 0)])
def test_under_xdist_one_worker_tells(monkeypatch, worker, count):
    """Eight workers read the same file."""
    monkeypatch.setenv("PYTEST_XDIST_WORKER", worker)

    assert len(findings(questions(2, a=""), reference="{a}")) == count


def test_the_warning_points_at_the_suite():
    """File and line of the call, and a category that users can filter by its public name."""
    with pytest.warns(LlmvalDataWarning, match="^cases: 2 of 2 cases have an empty reference") as caught:
        cases(questions(2, a=""), prompt="{q}", reference="{a}")

    assert caught[0].filename == __file__
    assert LlmvalDataWarning.__module__ == "pytest_llmval"
