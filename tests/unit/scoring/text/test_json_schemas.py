"""Answers that match a JSON Schema."""

import json
import socket
from importlib.metadata import version

import pytest
from hypothesis import given
from hypothesis import strategies as st
from jsonschema import Draft202012Validator

from pytest_llmval.scoring.text.json_schema import json_matches

DRAFT_7 = "http://json-schema.org/draft-07/schema#"
# The example of jsonschema's README.
PRICED = {"type": "object", "properties": {"price": {"type": "number"}, "name": {"type": "string"}}}
LEAVES = st.none() | st.booleans() | st.integers(-2, 2) | st.sampled_from([0.0, 1.0, 1.5, "a", "b"])
ITEMS = st.lists(LEAVES | st.lists(LEAVES, max_size=2) | st.dictionaries(st.sampled_from("ab"), LEAVES, max_size=2))


@pytest.mark.parametrize(
    ("answer", "schema", "score"),
    [
        # jsonschema's README: valid, then 'Invalid' is not of type 'number'.
        ('{"name": "Eggs", "price": 34.99}', PRICED, 1.0),
        ('{"name": "Eggs", "price": "Invalid"}', PRICED, 0.0),
        # Understanding JSON Schema, "Tuple validation": prefixItems is of 2020-12, and draft 7 knows no such word.
        ('[1600, "x"]', {"prefixItems": [{"type": "number"}, {"type": "number"}]}, 0.0),
        ('[1600, "x"]', {"$schema": DRAFT_7, "prefixItems": [{"type": "number"}, {"type": "number"}]}, 1.0),
        ('[1600, "x"]', {"$schema": DRAFT_7, "items": [{"type": "number"}, {"type": "number"}]}, 0.0),
        ("1.0", {"type": "integer"}, 1.0),
        ("true", {"type": "integer"}, 0.0),
        ("5", True, 1.0),
        ("5", False, 0.0),
        ("five", True, 0.0),
        ("", True, 0.0),
        ("NaN", {"type": "number"}, 0.0),
        ('"no date"', {"type": "string", "format": "date"}, 1.0),
        ("[" * 5000 + "]" * 5000, True, 0.0),
        # Parsed all right, but a schema that follows it down runs out of stack.
        ("[" * 400 + "]" * 400, {"items": {"$ref": "#"}}, 0.0),
        ("[[]]", {"items": {"$ref": "#"}}, 1.0),
    ],
)
def test_matches(score_of, answer, schema, score):
    """By the draft that the schema names, else 2020-12."""
    assert score_of(json_matches, answer, schema=schema) == score


def test_fenced(score_of):
    """As of json_valid."""
    assert score_of(json_matches, '```json\n{"price": 5}\n```', schema=PRICED, fenced=True) == 1.0
    assert score_of(json_matches, '```json\n{"price": 5}\n```', schema=PRICED) == 0.0


@given(items=ITEMS)
def test_unique_items_as_jsonschema_has_them(score_of, items):
    """The same verdict as the library's own keyword."""
    schema = {"uniqueItems": True, "items": {"uniqueItems": True}}

    assert score_of(json_matches, json.dumps(items), schema=schema) == Draft202012Validator(schema).is_valid(items)


@pytest.mark.parametrize("draft", [DRAFT_7, "https://json-schema.org/draft/2020-12/schema"])
def test_unique_items_of_a_megabyte(score_of, draft):
    """The library compares each pair of objects: 100,000 of them would take an hour."""
    objects = "[" + ",".join(f'{{"a":{n}}}' for n in range(90_000)) + "]"
    by_the_root = {"anyOf": [{"type": "object"}, {"$ref": "#"}]}

    assert score_of(json_matches, objects, schema={"$schema": draft, "uniqueItems": True}) == 1.0
    schema = {"$schema": draft, "uniqueItems": True, "items": by_the_root}
    assert score_of(json_matches, f"[{objects}]", schema=schema) == 1.0


@pytest.mark.parametrize(
    ("schema", "message"),
    [
        (
            {"properties": {"a": {"type": "strng"}}},
            (
                "schema: $.properties.a.type: 'strng' is not one of "
                "['array', 'boolean', 'integer', 'null', 'number', 'object', 'string']"
            ),
        ),
        ({"minLength": -1}, "schema: $.minLength: -1 is less than the minimum of 0"),
        ({"pattern": "("}, "schema: $.pattern: '(' is not a 'regex'"),
        (
            {"$schema": "urn:mine"},
            (
                "schema: $schema names 'urn:mine'; expected a draft of JSON Schema, such as "
                "'https://json-schema.org/draft/2020-12/schema'"
            ),
        ),
        (
            {"$ref": "#/$defs/price"},
            (
                "schema: the reference '#/$defs/price' leads nowhere in it, and nothing is fetched; "
                "put what it names under $defs"
            ),
        ),
        ({"$ref": "#"}, "schema: its references lead back to themselves without end"),
        ({"enum": {1}}, "schema: not JSON: Object of type set is not JSON serializable"),
        ({"const": float("nan")}, "schema: not JSON: Out of range float values are not JSON compliant"),
    ],
)
def test_an_invalid_schema(responses_to, schema, message):
    """It is refused before anything is scored, with the place and the reason."""
    with pytest.raises(ValueError, match=r"^schema: ") as caught:
        json_matches(responses_to(), schema)

    assert str(caught.value).partition(": nan")[0] == message


def test_what_is_no_schema(responses_to):
    """Text is not read."""
    with pytest.raises(TypeError) as caught:
        json_matches(responses_to(), "{}")

    assert str(caught.value) == "schema='{}'; expected a mapping or a bool; read it first, with json.loads"


def test_nothing_is_fetched(responses_to, monkeypatch):
    """A reference to the network is refused, and no connection is tried."""

    def connect(*_):
        raise AssertionError("a connection was tried")

    monkeypatch.setattr(socket.socket, "connect", connect)
    monkeypatch.setattr(socket, "getaddrinfo", connect)

    for reference in ("https://example.com/price.json", "http://127.0.0.1:9/x#/a", "file:///etc/hostname"):
        with pytest.raises(ValueError, match="leads nowhere in it, and nothing is fetched"):
            json_matches(responses_to(), {"properties": {"a": {"$ref": reference}}})


def test_references_within(score_of):
    """To definitions, to schemas with an id of their own, and to a draft's own schema."""
    price = {"$id": "https://example.com/price", "type": "number"}
    schema = {"$defs": {"price": price}, "properties": {"a": {"$ref": "https://example.com/price"}}}

    assert score_of(json_matches, '{"a": 5}', schema=schema) == 1.0
    assert score_of(json_matches, '{"a": "5"}', schema=schema) == 0.0
    assert score_of(json_matches, '{"type": "strng"}', schema={"$ref": DRAFT_7}) == 0.0


def test_versions(version_of):
    """The library, the schema, and how answers are read."""
    library = f"jsonschema {version('jsonschema')}, schema "
    versions = [version_of(json_matches, schema=True), version_of(json_matches, PRICED)]

    assert versions[0] == f"{library}b5bea41b, plain"  # sha256("true")
    assert versions[1] != versions[0]
    assert version_of(json_matches, schema=True, fenced=True) == f"{library}b5bea41b, fenced or plain"
