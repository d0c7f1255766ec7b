"""Paths into JSON, and where documents differ."""

from __future__ import annotations

import pytest

from pytest_llmval.scoring.golden.json_likeness import json_differences, paths_found, read_json
from pytest_llmval.scoring.golden.json_paths import path_of
from pytest_llmval.scoring.golden.tolerances import JsonLike


@pytest.mark.parametrize(
    ("path", "document"),
    [
        ("$.id", {"id": 1}),
        ("$.items[*].price", {"items": [{"price": 1}]}),
        ("$.usage.*", {"usage": {"x": 1}}),
        ("$['two words']", {"two words": 1}),
        ('$["a.b"][1]', {"a.b": [0, 1]}),
        ("$[*][*]", [[1]]),
        ("$.größe", {"größe": 1}),
    ],
)
def test_a_path_means_a_place(path, document):
    """Keys with and without quotes, positions, and all of either."""
    assert paths_found(document, (path_of(path),)) == {path}
    assert json_differences(document, document, JsonLike((path,))) == []


@pytest.mark.parametrize("path", ["$.ids", "$.items.price", "$[*]", "$.items[2]", "$.id.*"])
def test_a_path_that_fits_nothing_is_found_nowhere(path):
    """A list has no keys, an object no positions."""
    assert paths_found({"id": 1, "items": [{"price": 1}]}, (path_of(path),)) == set()


@pytest.mark.parametrize("path", ["", "$", "id", "$.", "$..id", "$.a[", "$.a[-1]", "$[a]", "$.a b", "$.a]"])
def test_what_is_no_path_is_refused_with_what_one_looks_like(path):
    """`$` alone would ignore the whole answer."""
    with pytest.raises(ValueError, match=r"no path; expected one like '\$\.id', '\$\.items\[\*\]\.price'"):
        path_of(path)


@pytest.mark.parametrize(
    ("golden", "actual", "difference"),
    [
        ({"a": 1}, {"a": 2}, "$.a: 1 -> 2"),
        ({"a": 1}, {}, "$.a: 1 -> absent"),
        ({}, {"a b": None}, "$['a b']: absent -> null"),
        ([1, 2], [1], "$[1]: 2 -> absent"),
        (1, True, "$: 1 -> true"),
        ({"a": []}, {"a": {}}, "$.a: [] -> {}"),
    ],
)
def test_a_difference_is_named_by_its_path(golden, actual, difference):
    """With what stands there on both sides; a number is not true, and 1 is 1.0."""
    assert list(map(str, json_differences(golden, actual, JsonLike()))) == [difference]
    assert json_differences(1, 1.0, JsonLike()) == []


@pytest.mark.parametrize(
    ("golden", "actual", "difference"),
    [
        ([1, 2], [3], None),
        ([{"a": 1}, {"b": 1}], [{"b": 2}], None),
        ([{"a": 1}], [{"a": "1"}], "$[0].a: number -> text"),
        ([1], [], "$: a list of 1 -> a list of 0"),
        ({"a": 1}, {"a": None}, "$.a: number -> null"),
    ],
)
def test_structure_leaves_values_and_lengths_free(golden, actual, difference):
    """Each element is built as some element of the golden is; an empty list shows nothing of them."""
    found = json_differences(golden, actual, JsonLike(structure_only=True))

    assert list(map(str, found)) == ([difference] if difference else [])


def test_what_is_nested_too_deeply_is_no_json_and_no_crash():
    """A hundred thousand brackets are 100 KB of an answer."""
    with pytest.raises(ValueError, match="nested too deeply"):
        read_json("[" * 100_000)
