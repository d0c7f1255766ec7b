"""Searching: the smallest change of a question that changes its answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Protocol, TypeVar

from pytest_llmval.case_sets.message import as_text
from pytest_llmval.case_sets.perturbing.count import check_count
from pytest_llmval.case_sets.perturbing.perturbed_set import nothing_changed
from pytest_llmval.case_sets.perturbing.perturber import perturber_of
from pytest_llmval.case_sets.perturbing.strategy import edits_together
from pytest_llmval.errors import ServerError
from pytest_llmval.scoring.consistency.same import differ, is_same_answer
from pytest_llmval.servers.exchange import Request

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

    from hypothesis.strategies import SearchStrategy

    from pytest_llmval.case_sets.case import Case, CaseSet
    from pytest_llmval.case_sets.decoding import Decoding
    from pytest_llmval.case_sets.perturbing.edit import Edit
    from pytest_llmval.case_sets.perturbing.perturber import Perturber
    from pytest_llmval.case_sets.perturbing.relation import Relation
    from pytest_llmval.scoring.consistency.same import Same
    from pytest_llmval.servers.exchange import Response

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
    same violation in the records, also with `--llmval-offline`. Sampled answers are all drawn with seed 0. Of a case
    set with variants of its prompt the first one is asked.

    None says that no violation was found with so many asks, not that there is none; `violations` gives the rate.

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
        ServerError: If no question was answered.
        TypeError: If the relation is none, the field has to be named, or the set is perturbed already.
        ValueError: If `asks` or `tries` is too small.
    """
    check_count("search_violation", "asks", asks, least=2)
    check_count("search_violation", "tries", tries)
    perturber = perturber_of(case_set, relation, field)
    questions = _Questions(llm.recorded, case_set.decoding, asks)
    search = _Search(perturber, questions, same or is_same_answer, tries)
    found = search.over(case_set)
    if not search.has_edits:
        raise nothing_changed(case_set, perturber)
    if questions.unanswered and questions.unanswered == questions.asked:
        msg = f"{case_set.name}: none of {questions.asked} questions was answered: {questions.error}"
        raise ServerError(msg)
    return found


class _Questions:
    """Asks each different question once, until no more may be asked."""

    def __init__(self, llm: Answering, decoding: Decoding, most: int) -> None:
        self._llm = llm
        self._decoding = decoding
        self._most = most
        self._answers: dict[Request, Response] = {}
        self.unanswered = 0
        self.error = ""
        """Why the last one got no answer."""

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
            self._answers[request] = self._llm.answer(request)
            self._note(self._answers[request])
        response = self._answers[request].with_case(case, ())
        return response if response.error is None else None

    def _note(self, response: Response) -> None:
        if response.error is not None:
            self.unanswered += 1
            self.error = response.error


class _Search:
    """Looks for a violation, case by case."""

    def __init__(self, perturber: Perturber, questions: _Questions, same: Same, tries: int) -> None:
        self._perturber = perturber
        self._questions = questions
        self._same = same
        self._tries = tries
        self.has_edits = False
        """Whether there was anything to change."""

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
        self.has_edits = True
        original = self._questions.ask(case)
        if original is None:
            return None

        def is_violated(together: Sequence[Edit]) -> bool:
            answer = self._questions.ask(self._changed(case, together))
            return answer is not None and differ(original, answer, self._same) is True

        strategy = edits_together(edits, self._perturber.relation.most)
        smallest = _smallest(strategy, is_violated, self._tries)
        return None if smallest is None else self._violation(case, original, smallest)

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
    from hypothesis.errors import NoSuchExample

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
    try:
        found = find(strategy, holds, settings=chosen)
    except NoSuchExample:
        found = None
    if errors:
        raise errors[0]
    return found
