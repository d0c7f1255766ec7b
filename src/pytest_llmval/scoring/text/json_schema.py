"""Whether an answer is JSON that matches a schema, by the jsonschema package."""

from __future__ import annotations

import json
from collections.abc import Mapping
from importlib.metadata import version
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.case import content_hash
from pytest_llmval.scoring.scored import empty_scores, score_responses
from pytest_llmval.scoring.text.extra import needed
from pytest_llmval.scoring.text.json_answers import NotJson, comparable, read_json, reading_version

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

    from pytest_llmval.case_sets.case import Case
    from pytest_llmval.scoring.score import Scores
    from pytest_llmval.servers.exchange import Response

Schema = Mapping[str, Any] | bool
_REFERENCES = ("$ref", "$dynamicRef", "$recursiveRef")


def json_matches(responses: Iterable[Response], schema: Schema, *, fenced: bool = False) -> Scores:
    """Whether each answer is JSON that the schema allows; what is no JSON, or nests too deep to be checked, scores 0.

    `format` is a remark and not checked, as the drafts have it. No `$ref` is fetched: each has to lead to a place in
    the schema, or to a draft's own schema. How long a `pattern` takes is up to the pattern.

    Args:
        responses: The answers.
        schema: A JSON Schema of the draft that its `$schema` names, else of 2020-12.
        fenced: As of `json_valid`.

    Raises:
        SettingsError: If jsonschema is not installed.
        ValueError: If the schema is invalid, its draft unknown, or a `$ref` leads nowhere; the message says where.
        TypeError: If it is neither a mapping nor a bool.
    """
    validator = schema_validator(schema)

    def matches(_: Case, response: Response) -> bool:
        try:
            return bool(validator.is_valid(read_json(response.text, fenced=fenced)))
        except (NotJson, RecursionError):
            return False

    library = f"jsonschema {version('jsonschema')}, schema {content_hash(schema)[:8]}"
    counted = f"{library}, {reading_version(fenced=fenced)}"
    return score_responses(responses, matches, empty_scores("json_matches", kind="binary"), counted)


def schema_validator(schema: object) -> Any:
    """The validator of a schema that has been checked; raises what `json_matches` does."""
    if not isinstance(schema, Mapping | bool):
        hint = "; read it first, with json.loads" if isinstance(schema, str) else ""
        msg = f"schema={schema!r:.80}; expected a mapping or a bool{hint}"
        raise TypeError(msg)
    plain: Any = _plain(schema)
    with needed("jsonschema", "json_matches"):
        import jsonschema.validators
    dialect = _dialect(plain)
    _check_schema(plain, dialect)
    _check_references(plain, dialect)
    validator = jsonschema.validators.extend(dialect, {"uniqueItems": _unique_items})(_rootless(plain), **_offline())
    _check_ends(validator)
    return validator


def _plain(schema: Mapping[str, Any] | bool) -> Any:  # noqa: FBT001 - a schema may be one
    """The schema as JSON has it, so that tuples are arrays and keys are text."""
    try:
        return json.loads(json.dumps(schema if isinstance(schema, bool) else dict(schema), allow_nan=False))
    except (TypeError, ValueError, RecursionError) as error:
        msg = f"schema: not JSON: {error}"
        raise ValueError(msg) from error


def _rootless(schema: Any) -> Any:
    """Without `$schema`, by which jsonschema would go back to its own class wherever a `$ref` leads to the root."""
    return {key: value for key, value in schema.items() if key != "$schema"} if isinstance(schema, dict) else schema


def _offline() -> dict[str, Any]:
    """A registry of one's own: with it jsonschema fetches nothing."""
    from referencing import Registry

    return {"registry": Registry()}


def _dialect(schema: Any) -> Any:
    """The validator class of the draft that the schema names, else of 2020-12."""
    from jsonschema import Draft202012Validator
    from jsonschema.validators import validator_for

    named = schema.get("$schema") if isinstance(schema, dict) else None
    if named is None:
        return Draft202012Validator
    found = validator_for({"$schema": named}, default=None) if isinstance(named, str) else None
    if found is None:
        known = Draft202012Validator.META_SCHEMA["$id"]
        msg = f"schema: $schema names {named!r:.80}; expected a draft of JSON Schema, such as {known!r}"
        raise ValueError(msg)
    return found


def _check_schema(schema: Any, dialect: Any) -> None:
    """Refuse what the draft's own schema does not allow."""
    from jsonschema.exceptions import SchemaError

    try:
        dialect.check_schema(schema)
    except SchemaError as error:
        first = error.context[0] if error.context else error  # of several ways to be valid, why not the first
        msg = f"schema: {error.json_path}: {first.message}"
        raise ValueError(msg) from error


def _check_references(schema: Any, dialect: Any) -> None:
    """Refuse a reference that leads nowhere."""
    from jsonschema_specifications import REGISTRY
    from referencing.exceptions import Unresolvable
    from referencing.jsonschema import specification_with

    resource = specification_with(dialect.META_SCHEMA.get("$schema", "")).create_resource(schema)
    for reference, resolver in _references(resource, REGISTRY.resolver_with_root(resource)):
        try:
            resolver.lookup(reference)
        except Unresolvable as error:
            msg = (
                f"schema: the reference {reference!r:.80} leads nowhere in it, and nothing is fetched; "
                f"put what it names under $defs"
            )
            raise ValueError(msg) from error


def _references(resource: Any, resolver: Any) -> Iterator[tuple[str, Any]]:
    """The references of a schema and of all schemas in it, each with what resolves it."""
    if isinstance(resource.contents, dict):
        found = (resource.contents.get(keyword) for keyword in _REFERENCES)
        yield from ((each, resolver) for each in found if isinstance(each, str))
    for inner in resource.subresources():
        yield from _references(inner, resolver.in_subresource(inner))


def _check_ends(validator: Any) -> None:
    """Refuse a schema that only leads back to itself, which every answer would fail."""
    try:
        validator.is_valid(None)
    except RecursionError as error:
        msg = "schema: its references lead back to themselves without end"
        raise ValueError(msg) from error


def _unique_items(validator: Any, unique: bool, items: Any, _: Any) -> Iterator[Any]:  # noqa: FBT001 - jsonschema's own
    """`uniqueItems` in time that grows with the number of items; jsonschema's grows with its square."""
    from jsonschema import ValidationError

    if unique and validator.is_type(items, "array") and len(set(map(comparable, items))) < len(items):
        yield ValidationError("an item occurs more than once")
