"""The message of an answer that differs from its golden, or has none."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.scoring.golden.divergence import first_divergence
from pytest_llmval.scoring.golden.escaping import one_line, visible
from pytest_llmval.scoring.golden.word_diff import diff_text

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from pytest_llmval.scoring.golden.answer import Answer, Token
    from pytest_llmval.scoring.golden.comparing import Compared, Finding
    from pytest_llmval.scoring.golden.divergence import Divergence, View
    from pytest_llmval.scoring.golden.kept import Facts

_IN_FULL, _NAMED = 2, 10
"""Cases that are shown with their differences, and cases that are named."""


@dataclass(frozen=True, slots=True)
class Context:
    """What a message says besides what differs."""

    path: str
    """The file, as a user would type it."""
    name: str
    command: str
    """What accepts the new answers."""
    candidate: str
    """The version that answers now; empty when none was named."""
    facts: Facts
    changes: Callable[[Facts, Facts], Sequence[object]]
    """What differs between the environment of a golden and this one."""


def failure_message(finding: Finding, context: Context) -> str:
    """How many answers differ, the worst in full, then where the goldens lie, who wrote them and how to accept."""
    return "\n".join([*_headline(finding), *_worst(finding, context), *_place(context), *_acceptance(context)])


def missing_message(context: Context) -> str:
    """What to do when there is no golden at all."""
    return (
        f"there is no golden {visible(context.name)!r} in {context.path}: nothing was compared\n"
        f"look at the answer, then write it by: {context.command}"
    )


def unanswered_message(unanswered: dict[str | None, str], count: int) -> str:
    """Why responses are no answers."""
    case, reason = next(iter(unanswered.items()))
    of_case = "" if case is None else f" to case {one_line(case)}"
    others = f" ({len(unanswered)} of {count} responses have none)" if count > 1 else ""
    return f"there is no answer{of_case}, hence nothing to compare with a golden: {visible(reason)}{others}"


def second_answers_message(finding: Finding, context: Context) -> str:
    """That a run has two answers under one name, from the first beside the golden that the second would become."""
    reason = f": {_reason(finding.differing[0])}" if finding.differing else ": other cases"
    return (
        f"two different answers under one golden name, {visible(context.name)!r}, in one run{visible(reason)}; the "
        f"next run would fail one of them\n"
        f"give each a name of its own: golden(name='first'), golden(name='second'); a repeated test whose answers vary "
        f"has none that a golden could keep"
    )


def _headline(finding: Finding) -> Iterator[str]:
    differing, total = finding.differing, len(finding.compared) + len(finding.missing)
    incomparable = [each for each in differing if each.changes]
    if not _is_of_cases(finding):
        yield from _single_headline(finding, incomparable)
        return
    judged = len(differing) - len(incomparable)
    if judged:
        yield f"{judged} of {_counted(total, 'answer differs from its golden', 'answers differ from their goldens')}"
    if incomparable:
        of_all = f"{len(incomparable)} of {_counted(total, 'answer is', 'answers are')}"
        yield f"{of_all} not comparable: what is asked changed"
    if finding.missing:
        count = _counted(len(finding.missing), "case has", "cases have")
        yield f"{count} no golden{_of_environments(finding)}: {_names(finding.missing)}"
    if finding.gone:
        count = _counted(len(finding.gone), "golden is of a case that is", "goldens are of cases that are")
        yield f"{count} not asked any more: {_names(finding.gone)}"


def _is_of_cases(finding: Finding) -> bool:
    cases = (*(each.case for each in finding.compared), *finding.missing, *finding.gone)
    return any(case is not None for case in cases)


def _single_headline(finding: Finding, incomparable: Sequence[Compared]) -> Iterator[str]:
    if finding.missing:
        yield f"there is no golden of this environment{_of_environments(finding)}: nothing was compared"
    elif incomparable:
        yield "the answer and its golden are not comparable: what is asked changed"
    elif finding.is_undecided:
        yield "the answer cannot be compared with its golden"
    else:
        yield "the answer differs from its golden"


def _of_environments(finding: Finding) -> str:
    if not finding.known:
        return ""
    shown = "; ".join(", ".join(f"{name} {value}" for name, value in sorted(each.items())) for each in finding.known)
    return f", only of: {visible(shown)}"


def _worst(finding: Finding, context: Context) -> Iterator[str]:
    differing = finding.differing
    for each in differing[:_IN_FULL]:
        if each.case is not None:
            yield f"case {one_line(each.case)}:"
        yield from _details(each)
        yield from _provenance(each, context)
    rest = differing[_IN_FULL:_NAMED]
    for each in rest:
        yield f"case {one_line(each.case or '')}: {_reason(each)}"
    if len(differing) > _NAMED:
        yield f"and {len(differing) - _NAMED} more"


def _reason(compared: Compared) -> str:
    return compared.judgement.rule if compared.judgement else f"{compared.changes[0].partition(':')[0]} changed"


def _details(compared: Compared) -> Iterator[str]:
    if compared.judgement is None:
        yield from (f"  {_indented(each)}" for each in compared.changes)
        return
    golden, actual = compared.golden.answer, compared.actual
    if golden.text is not None and actual.text is not None and golden.text != actual.text:
        yield "  words, [-of the golden-] and {+of the answer+}:"
        yield f"    {_indented(diff_text(golden.text, actual.text))}"
    found = first_divergence(golden, actual)
    if found is not None:
        yield from _divergence_lines(found)
    if golden.choice and actual.choice and golden.choice.index != actual.choice.index:
        yield from _option_lines(golden, actual)
    yield f"  rule: {compared.judgement.rule}"


def _indented(text: str) -> str:
    return text.replace("\n", "\n    ")


def _divergence_lines(found: Divergence) -> Iterator[str]:
    yield f"  first token that differs: {found.position}, {_token(found.golden)} -> {_token(found.actual)}"
    for side, view in (("golden", found.golden_view), ("answer", found.actual_view)):
        if view.of_golden is not None or view.of_actual is not None:
            yield f"    probabilities by the version of the {side}: {_view(view)}"


def _token(token: Token | None) -> str:
    if token is None:
        return "the end"
    if token.text is None:
        return f"id {token.id}"
    return one_line(token.text) + ("" if token.id is None else f" (id {token.id})")


def _view(view: View) -> str:
    sides = ["unknown" if each is None else f"{math.exp(each):.4f}" for each in (view.of_golden, view.of_actual)]
    gap = "" if view.gap is None else f", {view.gap:.4f} nats apart"
    return f"{sides[0]} and {sides[1]}{gap}"


def _option_lines(golden: Answer, actual: Answer) -> Iterator[str]:
    for side, answer in (("golden", golden), ("answer", actual)):
        numbers = ", ".join(f"{each:.4f}" for each in answer.choice.logprobs) if answer.choice else ""
        yield f"    logprobs of the options by the version of the {side}: {numbers}"


def _provenance(compared: Compared, context: Context) -> Iterator[str]:
    kept = compared.golden
    versions = f"{kept.origin.author} -> {context.candidate}" if context.candidate else kept.origin.author
    yield f"  written {kept.origin.written_at} by pytest-llmval {kept.origin.plugin}; version: {versions}"
    changes = context.changes(kept.environment, context.facts)
    if changes:
        yield (
            f"  the golden was written in another environment: {visible(', '.join(map(str, changes)))}; "
            f"golden(per_environment=True) keeps one for each"
        )


def _place(context: Context) -> Iterator[str]:
    yield f"golden {visible(context.name)!r} in {context.path}"


def _acceptance(context: Context) -> Iterator[str]:
    yield f"to accept: {context.command}"


def _counted(count: int, one: str, several: str) -> str:
    return f"{count} {one if count == 1 else several}"


def _names(cases: Sequence[str | None]) -> str:
    shown = ", ".join(one_line(each or "") for each in cases[:_NAMED])
    return f"{shown} and {len(cases) - _NAMED} more" if len(cases) > _NAMED else shown
