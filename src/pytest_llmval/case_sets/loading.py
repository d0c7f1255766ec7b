"""`cases()`: a dataset and its templates become a case set."""

from __future__ import annotations

import sys
from collections.abc import Callable, Container, Iterable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from pytest_llmval.case_sets.case import Case, CaseSet, content_hash
from pytest_llmval.case_sets.checks import warn_about
from pytest_llmval.case_sets.decoding import decoding_from
from pytest_llmval.case_sets.function_source import source_of
from pytest_llmval.case_sets.message import Message, messages_from
from pytest_llmval.case_sets.options import options_of
from pytest_llmval.case_sets.rows import Row, read_rows
from pytest_llmval.case_sets.templates import chat_messages, field_of, fill, fill_text, names_in, plain_prompt
from pytest_llmval.case_sets.variants import Wording, wordings_of
from pytest_llmval.errors import DatasetError

Source = str | Path | Iterable[Mapping[str, Any]]
Where = Callable[[Mapping[str, Any]], object] | Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Templates:
    """How the rows of a dataset become cases; the arguments of `cases()` that speak of fields, in one variant."""

    prompt: str | None = None
    messages: str | Callable[[Mapping[str, Any]], object] | None = None
    chat: str | None = None
    system: str | None = None
    reference: str | None = None
    choices: str | None = None
    answer: str | None = None
    id: str | None = None
    cluster: str | None = None
    question: str = "prompt"
    """What messages call the template of the question: `chat`, or `prompt['long']` of a variant."""


@dataclass(frozen=True, slots=True)
class Recipe:
    """What makes a case of a row, kept so that changed rows are asked in the same way."""

    templates: Templates
    examples: tuple[tuple[str, str], ...]
    """Questions and answers of the few-shot rows."""
    known: frozenset[str]
    """Fields that some row has."""

    def case(self, row: Row) -> Case:
        """The case of a row.

        Raises:
            DatasetError: If a template does not fit it.
        """
        return _case(row, self.templates, self.examples, self.known)


def cases(
    source: Source,
    *,
    prompt: Wording = None,
    messages: str | Callable[[Mapping[str, Any]], object] | None = None,
    chat: Wording = None,
    system: Wording = None,
    few_shot: Source = (),
    reference: str | None = None,
    choices: str | None = None,
    answer: str | None = None,
    id: str | None = None,  # noqa: A002 - the field's name in every dataset
    cluster: str | None = None,
    where: Where | None = None,
    trials: int | None = None,
    name: str | None = None,
    **decoding: object,
) -> CaseSet:
    r"""A frozen case set from a dataset.

    Templates are format strings over the fields of a row; one that is exactly `"{field}"` gives the raw value.
    Exactly one of `prompt`, `chat` and `messages` says what is asked. `prompt`, `chat` and `system` may each be several
    texts by name, `{"short": …, "long": …}`: variants, of which a run asks the one that `--llmval-prompt` names, or
    the first.

    Args:
        source: JSON Lines, CSV or Parquet file, relative to the file that calls this; or an iterable of mappings.
        prompt: Plain text that the model continues.
        chat: The same as one user message through the model's own chat template.
        messages: A field holding `[{"role": …, "content": …}]`, or a function from a row to such a list.
        system: System text in front.
        few_shot: Worked examples, as rows with the same fields; `reference` (or the right choice) is their answer.
        reference: The expected answer.
        choices: Options of a multiple-choice question; the model's choice is the most likely one.
        answer: The right option: its index as an integer, or the option itself.
        id: Case id; by default the field `id`, else a hash of the row.
        cluster: What makes cases depend on each other; by default the field `cluster`.
        where: Which rows to keep: a function of the row, or the values its fields must have.
        trials: Asks a case, each with a seed of its own; scores are averaged over them.
        name: Name in reports; by default the file's.
        **decoding: `max_tokens`, `temperature`, `top_p`, `top_k`, `stop`, `logprobs`. Greedy unless a temperature
            is given.

    Raises:
        DatasetError: If the dataset or a template is wrong; the message names file and line.
        TypeError: If an argument is unknown or does not go with the others.

    >>> shop = cases([{"id": "a", "question": "Open?", "answer": "Yes."}], prompt="{question}", reference="{answer}")
    >>> shop[0].prompt, shop[0].reference
    ('Open?', 'Yes.')
    """
    shared = Templates(None, messages, None, None, reference, choices, answer, id, cluster)
    wordings = wordings_of(prompt=prompt, chat=chat, system=system)
    variants = {variant: replace(shared, **wording) for variant, wording in wordings.items()}
    for templates in variants.values():
        _check_arguments(templates, trials)
    caller = Path(sys._getframe(1).f_code.co_filename)  # noqa: SLF001 - paths are relative to the caller
    located = _located(source, caller.parent)
    rows = _selected(read_rows(located), where)
    shots = read_rows(_located(few_shot, caller.parent)) if few_shot else []
    facts = {
        "name": name or _name_of(source),
        "decoding": _decoding(decoding),
        "trials": trials,
        "source": located if isinstance(located, Path) else caller,
    }
    asked = {variant: _case_set(rows, templates, shots, facts, variant) for variant, templates in variants.items()}
    first = next(iter(asked.values()))
    case_set = replace(first, variants=asked) if first.prompt_name else first
    warn_about(case_set, has_reference=reference is not None)
    return case_set


def _case_set(
    rows: list[Row], templates: Templates, shots: list[Row], facts: Mapping[str, Any], variant: str
) -> CaseSet:
    """The rows asked in one variant."""
    examples = _examples(shots, templates)
    recipe = Recipe(templates, examples, frozenset(field for row in rows for field in row.fields))
    return CaseSet(
        cases=unique([recipe.case(row) for row in rows]),
        prompt_hash=_prompt_hash(templates, examples),
        prompt_name=variant,
        recipe=recipe,
        **facts,
    )


def _check_arguments(templates: Templates, trials: int | None) -> None:
    asked = [each for each in ("prompt", "chat", "messages") if getattr(templates, each) is not None]
    if len(asked) != 1:
        msg = f"cases() takes exactly one of prompt=, chat= and messages=; got {', '.join(asked) or 'none'}"
        raise TypeError(msg)
    for name in ("prompt", "chat", "system", "reference", "choices", "answer", "id", "cluster"):
        value = getattr(templates, name)
        if value is not None and not isinstance(value, str):
            hint = "; a function of the row goes to messages=" if callable(value) else ""
            msg = f"cases({name}={value!r:.60}): expected a format string such as '{{question}}'{hint}"
            raise TypeError(msg)
    if (templates.choices is None) != (templates.answer is None):
        msg = "cases() takes choices= and answer= together"
        raise TypeError(msg)
    if trials is not None and trials < 1:
        msg = f"cases(trials={trials!r}): expected at least 1"
        raise ValueError(msg)


def _decoding(parameters: dict[str, object]) -> Any:
    try:
        return decoding_from(**parameters)
    except (TypeError, ValueError) as error:
        msg = f"cases(): {error}"
        raise type(error)(msg) from None


def _located(source: Source, folder: Path) -> Path | Iterable[Mapping[str, Any]]:
    return folder / source if isinstance(source, str | Path) else source


def _name_of(source: Source) -> str:
    return Path(source).stem if isinstance(source, str | Path) else "cases"


def _selected(rows: list[Row], where: Where | None) -> list[Row]:
    if where is None:
        return rows
    kept = [row for row in rows if _matches(row, where)]
    if not kept:
        place = rows[0].place.rpartition(":")[0]
        msg = f"{place + ': ' if place else ''}where={where!r} keeps none of the {len(rows)} rows"
        raise DatasetError(msg)
    return kept


def _matches(row: Row, where: Where) -> bool:
    if isinstance(where, Mapping):
        return all(field_of(row, name, "where") == value for name, value in where.items())
    return bool(_applied(where, row, "where"))


def _applied(function: Callable[[Mapping[str, Any]], object], row: Row, argument: str) -> object:
    try:
        return function(row.fields)
    except KeyError as error:
        msg = f"{row.place}: {argument}= asks for the field {error}, which this row lacks"
        raise DatasetError(msg) from error


def _examples(shots: list[Row], templates: Templates) -> tuple[tuple[str, str], ...]:
    """Questions and answers of the few-shot rows."""
    if shots and templates.messages is not None:
        msg = "cases(): few_shot goes with prompt= or chat=; put the examples into the messages themselves"
        raise TypeError(msg)
    return tuple((_question(row, templates), _expected(row, templates)) for row in shots)


def _question(row: Row, templates: Templates) -> str:
    template = templates.prompt if templates.prompt is not None else templates.chat
    return fill_text(str(template), row, templates.question)


def _expected(row: Row, templates: Templates) -> str:
    if templates.reference is not None:
        return fill_text(templates.reference, row, "reference")
    if templates.choices is None or templates.answer is None:
        msg = "cases(): few_shot needs reference= or choices= and answer=, which give the examples' answers"
        raise TypeError(msg)
    choices, answer = options_of(row, templates.choices, templates.answer)
    return choices[answer]


def _case(row: Row, templates: Templates, examples: tuple[tuple[str, str], ...], known: Container[str]) -> Case:
    choices: tuple[str, ...] = ()
    answer = None
    if templates.choices is not None and templates.answer is not None:
        choices, answer = options_of(row, templates.choices, templates.answer)
    return Case(
        id=_id(row, templates),
        fields=row.fields,
        prompt=_prompt(row, templates, examples),
        reference=_reference(row, templates, known),
        choices=choices,
        answer=answer,
        tags=_tags(row),
        cluster=_cluster(row, templates),
        must_pass=_flag(row, "must_pass"),
        source=row.place,
    )


def _reference(row: Row, templates: Templates, known: Container[str]) -> Any:
    """The expected answer. A row may lack a field that other rows have: that is a finding, a mistyped name an error."""
    if templates.reference is None:
        return None
    if any(name in known and row.fields.get(name) is None for name in names_in(templates.reference)):
        return None
    return fill(templates.reference, row, "reference")


def _prompt(row: Row, templates: Templates, examples: tuple[tuple[str, str], ...]) -> str | tuple[Message, ...]:
    if templates.messages is not None:
        return _messages(row, templates)
    build = plain_prompt if templates.prompt is not None else chat_messages
    return build(_question(row, templates), templates.system, examples)


def _messages(row: Row, templates: Templates) -> tuple[Message, ...]:
    given = templates.messages
    value = _applied(given, row, "messages") if callable(given) else _named(str(given), row)
    try:
        turns = messages_from(value)
    except ValueError as error:
        msg = f"{row.place}: {error}"
        raise DatasetError(msg) from error
    return (Message("system", templates.system), *turns) if templates.system else turns


def _named(field: str, row: Row) -> Any:
    return field_of(row, field.removeprefix("{").removesuffix("}"), "messages")


def _id(row: Row, templates: Templates) -> str:
    if templates.id is not None:
        return fill_text(templates.id, row, "id")
    given = row.fields.get("id")
    return str(given) if given not in (None, "") else content_hash(dict(row.fields))[:12]


def _tags(row: Row) -> tuple[str, ...]:
    tags = row.fields.get("tags") or ()
    if isinstance(tags, str):
        return tuple(each.strip() for each in tags.split(",") if each.strip())
    if isinstance(tags, list | tuple):
        return tuple(map(str, tags))
    msg = f"{row.place}: tags={tags!r}; expected a list of strings"
    raise DatasetError(msg)


def _cluster(row: Row, templates: Templates) -> str | None:
    if templates.cluster is not None:
        return fill_text(templates.cluster, row, "cluster")
    given = row.fields.get("cluster")
    return None if given in (None, "") else str(given)


FLAGS = {"true": True, "1": True, "yes": True, "false": False, "0": False, "no": False, "": False, "none": False}


def _flag(row: Row, name: str) -> bool:
    value = row.fields.get(name, False)
    try:
        return FLAGS[str(value).strip().lower()]
    except KeyError:
        msg = f"{row.place}: {name}={value!r}; expected true or false"
        raise DatasetError(msg) from None


def unique(all_cases: list[Case]) -> tuple[Case, ...]:
    """The cases of one set.

    Raises:
        DatasetError: If two have one id.
    """
    first: dict[str, Case] = {}
    for case in all_cases:
        if case.id in first:
            msg = f"{case.source} and {first[case.id].source}: {_same(case, first[case.id])}"
            raise DatasetError(msg)
        first[case.id] = case
    return tuple(all_cases)


def _same(case: Case, earlier: Case) -> str:
    if dict(case.fields) == dict(earlier.fields):
        return "two identical rows; remove one (repeated asks of a case are trials=)"
    return f"two cases with the id {case.id!r}; ids are unique within a case set"


def _prompt_hash(templates: Templates, examples: tuple[tuple[str, str], ...]) -> str:
    asked = templates.messages if callable(templates.messages) else None
    return content_hash(
        {
            "prompt": templates.prompt,
            "chat": templates.chat,
            "messages": templates.messages if asked is None else source_of(asked),
            "system": templates.system,
            "examples": examples,
            "choices": templates.choices,
        }
    )
