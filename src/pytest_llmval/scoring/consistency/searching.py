"""Searching: the smallest change of a question that changes its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from pytest_llmval.case_sets.message import as_text
from pytest_llmval.case_sets.perturbing.count import check_count
from pytest_llmval.case_sets.perturbing.perturbed_set import nothing_changed
from pytest_llmval.case_sets.perturbing.perturber import perturber_of
from pytest_llmval.case_sets.perturbing.strategy import edits_together
from pytest_llmval.errors import NotRecorded, ServerError
from pytest_llmval.scoring.consistency.same import differ, is_same_answer
from pytest_llmval.scoring.score import Unscored
from pytest_llmval.servers.exchange import Request, Response

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hypothesis.strategies import SearchStrategy

    from pytest_llmval.case_sets.case import Case, CaseSet
    from pytest_llmval.case_sets.decoding import Decoding
    from pytest_llmval.case_sets.perturbing.edit import Edit
    from pytest_llmval.case_sets.perturbing.perturber import Perturber
    from pytest_llmval.case_sets.perturbing.relation import Relation
    from pytest_llmval.scoring.consistency.same import Same

Drawn = TypeVar("Drawn")
_LONGEST_TEXT = 600
_LONGEST_PART = 50


class Answering(Protocol):
    """Answers a request, the same one always alike."""

    def answer(self, request: Request) -> Response:
        """The answer, or a response with an error."""


class Asked(Protocol):
    """A handle on a model version, as the fixture `llm` gives it."""

    @property
    def recorded(self) -> Answering:
        """What answers from the records, and asks what they lack."""


@dataclass(frozen=True, slots=True, repr=False)
class Violation:
    """A question that is answered otherwise after a change that should not matter, made as small as it gets."""

    case_id: str
    relation: str
    change: str
    """The change in words: `'retrun' for 'return'`."""
    question: str
    changed_question: str
    answer: str
    changed_answer: str
    asks: int
    """Different questions asked until it was found and made small, those of the cases before it included."""

    def __repr__(self) -> str:
        """On one line, short enough for `assert search_violation(…) is None`."""
        parts = (" ".join(each.split()) for each in (self.change, self.answer, self.changed_answer))
        change, before, after = (_cut(part, _LONGEST_PART) for part in parts)
        return _printable(f"<violation of {self.relation} in {self.case_id}: {change} turns {before!r} into {after!r}>")

    def __str__(self) -> str:
        """In full: both questions and both answers."""
        lines = (
            f"{self.case_id}: {self.relation} changes the answer ({self.asks} questions asked)",
            f"  change:   {_cut(self.change, _LONGEST_TEXT)}",
            f"  question: {_cut(self.question, _LONGEST_TEXT)!r}",
            f"  answer:   {_cut(self.answer, _LONGEST_TEXT)!r}",
            f"  changed:  {_cut(self.changed_question, _LONGEST_TEXT)!r}",
            f"  answer:   {_cut(self.changed_answer, _LONGEST_TEXT)!r}",
        )
        return _printable("\n".join(lines))


def _printable(text: str) -> str:
    """The text without lone surrogates, which no terminal takes."""
    return text.encode("utf-8", "backslashreplace").decode()


def _cut(text: str, longest: int) -> str:
    return text if len(text) <= longest else f"{text[: longest - 1]}…"


def search_violation(
    llm: Asked,
    case_set: CaseSet,
    relation: Relation,
    *,
    field: str | None = None,
    same: Same | None = None,
    asks: int = 100,
    tries: int = 10,
) -> Violation | None:
    """The first violation of a relation that Hypothesis finds, made as small as it gets; None when it finds none.

    Cases are tried in order. All answers go through `llm.recorded`, so that a later run of the same weights finds the
    same violation in the records, also with `--llmval-offline`. Of a case set with variants of its prompt the first one
    is asked.

    None says that no violation was found with so many asks, not that there is none; `violations` gives the rate.

    It is a search of its own, not for the body of a test under `@given`: Hypothesis refuses one within another.
    There, `strategies.perturbed` draws the changed question.

    Args:
        llm: The version, as the fixture `llm` gives it.
        case_set: Cases that are not perturbed.
        relation: How questions are changed. Several edits at once, `typos(most=5)`, find more, and shrink to those that
            it takes.
        field: The field that is changed; by default the only one that the question names.
        same: As for `violations`; without a verdict of it a change counts as no violation.
        asks: Most different questions asked, over all cases, those that make the violation small included.
        tries: Most changed questions tried on a case before it is taken to hold.

    Raises:
        DatasetError: If the relation changes nothing in any case.
        ServerError: If no changed question could be compared with its case, since there was no answer. With
            `--llmval-offline` also if no violation was found, but an answer was not recorded.
        TypeError: If the relation is none, the field has to be named, or the set is perturbed already.
        ValueError: If `asks` or `tries` is too small, answers are sampled, so that two of them differ anyway, or `same`
            had a verdict about none.
    """
    check_count("search_violation", "asks", asks, least=2)
    check_count("search_violation", "tries", tries)
    _check_greedy(case_set)
    perturber = perturber_of(case_set, relation, field)
    questions = _Questions(llm.recorded, case_set.decoding, asks)
    search = _Search(perturber, questions, same or is_same_answer, tries)
    found = search.over(case_set)
    if found is None:
        _check_shown(case_set, search, questions, nothing_changed(case_set, perturber))
    return found


def _check_greedy(case_set: CaseSet) -> None:
    """Refuse sampled answers, of which two to one question differ. Options are chosen by likelihood, never sampled."""
    temperature = case_set.decoding.temperature
    if temperature > 0 and not all(case.choices for case in case_set):
        msg = (
            f"search_violation: {case_set.name} is asked with temperature={temperature:g}, and sampled answers differ "
            "without any change; expected greedy answers, temperature=0 (violations() takes sampled ones)"
        )
        raise ValueError(msg)


def _check_shown(case_set: CaseSet, search: _Search, questions: _Questions, unchanged: Exception) -> None:
    """Refuse to say that there is no violation where none could have been seen."""
    if questions.unrecorded is not None:
        raise questions.unrecorded
    if search.compared:
        return
    reason = search.without.reason if search.without else questions.error
    if not reason:
        raise unchanged
    msg = f"{case_set.name}: of {questions.asked} questions asked no changed one was compared with its case: {reason}"
    if search.without and not search.without.failed:
        raise ValueError(msg)
    raise ServerError(msg)


class _Questions:
    """Asks each different question once, until no more may be asked."""

    def __init__(self, llm: Answering, decoding: Decoding, most: int) -> None:
        self._llm = llm
        self._decoding = decoding
        self._most = most
        self._answers: dict[Request, Response] = {}
        self.error = ""
        """Why the last one got no answer."""
        self.unrecorded: ServerError | None = None
        """That an answer is missing which no model may be asked for."""

    @property
    def asked(self) -> int:
        """Different questions so far."""
        return len(self._answers)

    @property
    def are_left(self) -> bool:
        """Whether one more may be asked."""
        return self.asked < self._most

    def ask(self, case: Case) -> Response | None:
        """The answer; None when there is none, or no more may be asked."""
        request = Request(case.prompt, case.choices, self._decoding)
        if request not in self._answers:
            if not self.are_left:
                return None
            self._answers[request] = self._answered(request)
            self.error = self._answers[request].error or self.error
        response = self._answers[request].with_case(case, ())
        return response if response.error is None else None

    def _answered(self, request: Request) -> Response:
        """The answer. One that is not recorded counts as none: a failed one was kept for no later run."""
        try:
            return self._llm.answer(request)
        except NotRecorded as error:
            self.unrecorded = self.unrecorded or error
            return Response.failed(str(error))


class _Search:
    """Looks for a violation, case by case."""

    def __init__(self, perturber: Perturber, questions: _Questions, same: Same, tries: int) -> None:
        self._perturber = perturber
        self._questions = questions
        self._same = same
        self._tries = tries
        self.compared = 0
        """Verdicts on a changed question."""
        self.without: Unscored | None = None
        """Why the last pair of answers got no verdict."""

    def over(self, cases: Iterable[Case]) -> Violation | None:
        """The first violation; None when there is none, or no more may be asked."""
        for case in cases:
            found = self._of(case)
            if found is not None or not self._questions.are_left:
                return found
        return None

    def _of(self, case: Case) -> Violation | None:
        edits = self._perturber.edits(case)
        if not edits:
            return None
        original = self._questions.ask(case)
        if original is None:
            return None

        def is_violated(together: Sequence[Edit]) -> bool:
            changed = self._changed(case, together)
            answer = self._questions.ask(changed) if changed.prompt != case.prompt else None
            return answer is not None and self._differ(original, answer)

        strategy = edits_together(edits, self._perturber.relation.most)
        smallest = _smallest(strategy, is_violated, self._tries)
        return None if smallest is None else self._violation(case, original, smallest)

    def _differ(self, original: Response, answer: Response) -> bool:
        found = differ(original, answer, self._same)
        if isinstance(found, Unscored):
            self.without = found
            return False
        self.compared += 1
        return found

    def _changed(self, case: Case, together: Sequence[Edit]) -> Case:
        return self._perturber.case_with(case, together, self._perturber.relation.name)

    def _violation(self, case: Case, original: Response, together: Sequence[Edit]) -> Violation | None:
        changed = self._changed(case, together)
        answer = self._questions.ask(changed)
        if answer is None:
            return None
        return Violation(
            case.id,
            self._perturber.relation.name,
            changed.change,
            question=as_text(case.prompt),
            changed_question=as_text(changed.prompt),
            answer=original.text,
            changed_answer=answer.text,
            asks=self._questions.asked,
        )


def _smallest(strategy: SearchStrategy[Drawn], condition: Callable[[Drawn], bool], tries: int) -> Drawn | None:
    """What Hypothesis finds and shrinks, always the same; None when it finds nothing."""
    from hypothesis import Phase, Verbosity, find, settings
    from hypothesis.errors import Flaky, NoSuchExample

    errors: list[Exception] = []

    def holds(drawn: Drawn) -> bool:
        try:
            return not errors and condition(drawn)
        except Exception as error:  # noqa: BLE001 - raised below: Hypothesis would take it for what it looks for
            errors.append(error)
            return False

    chosen = settings(
        max_examples=tries,
        database=None,
        deadline=None,
        derandomize=True,
        phases=(Phase.generate, Phase.shrink),
        verbosity=Verbosity.quiet,
    )
    found = None
    try:
        found = find(strategy, holds, settings=chosen)
    except NoSuchExample:
        pass
    except Flaky:  # what it had found holds no more once there is an error
        if not errors:
            raise
    if errors:
        raise errors[0]
    return found
