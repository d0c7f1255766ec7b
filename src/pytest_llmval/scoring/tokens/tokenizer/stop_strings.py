"""Stop strings: a stream ends at the first, wherever tokens cut it, and loses nothing that only began one."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tokens.contract import is_failure
from pytest_llmval.scoring.tokens.tokenizer.asking import decode, encode, refuse_unusable

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Sequence

_SHOWN = 5


@dataclass(frozen=True, slots=True)
class StopReport:
    """How many streams were cut at their stop string, and the first that was not."""

    streams: int
    stopped: int
    """Streams whose full text holds a stop string."""
    failures: tuple[str, ...]

    @property
    def passed(self) -> bool:
        """Whether every stream ended where it should."""
        return not self.failures

    def __str__(self) -> str:
        if self.passed:
            return f"{self.streams} streams, {self.stopped} with a stop string, all end where they should"
        head = f"stop strings: {len(self.failures)} of {self.streams} streams are wrong"
        return "\n".join([head, *(f"  {each}" for each in self.failures[:_SHOWN])])


def compare_stop_strings(
    stream: Callable[[list[int], list[str]], Iterable[str]],
    tokenizer: Any,
    stop: Sequence[str],
    *,
    texts: Sequence[str] | None = None,
    include_stop: bool = False,
) -> StopReport:
    """Every stream that does not end where it should; see `assert_stop_strings_respected`."""
    refuse_unusable(tokenizer)
    if isinstance(stop, str) or not stop or not all(stop):
        msg = f"stop={stop!r}; expected a list of strings that are not empty, for example ['\\n\\n']"
        raise ValueError(msg)
    whole = [encode(tokenizer, each) for each in (_telling_texts(stop) if texts is None else texts)]
    fulls = [decode(tokenizer, ids) for ids in whole]
    outcomes = [
        _outcome(stream, ids, list(stop), _cuts(full, stop, include_stop=include_stop))
        for ids, full in zip(whole, fulls, strict=True)
    ]
    stopped = sum(any(each in full for each in stop) for full in fulls)
    return StopReport(len(fulls), stopped, tuple(filter(None, outcomes)))


def assert_stop_strings_respected(
    stream: Callable[[list[int], list[str]], Iterable[str]],
    tokenizer: Any,
    stop: Sequence[str],
    *,
    texts: Sequence[str] | None = None,
    include_stop: bool = False,
) -> StopReport:
    """Your stream ends at the first stop string, also one cut across tokens, and loses nothing that only began one.

    Args:
        stream: A function of token ids and stop strings that yields pieces of text.
        tokenizer: Makes the ids, and the text they should give.
        stop: Stop strings.
        texts: What is streamed; by default texts made of each stop string: whole, at either end, begun and broken
            off, begun twice, and not there at all.
        include_stop: Whether the stop string itself is given out.

    Raises:
        ModelRegression: If a stream goes past its stop string, ends too early, or keeps text back.
        InvalidComparison: If no text holds a stop string.
    """
    __tracebackhide__ = True
    report = compare_stop_strings(stream, tokenizer, stop, texts=texts, include_stop=include_stop)
    if not report.stopped:
        msg = f"none of {report.streams} texts holds a stop string of {list(stop)!r} once decoded; give texts= that do"
        raise InvalidComparison(msg)
    if not report.passed:
        raise ModelRegression(str(report))
    return report


def _telling_texts(stop: Sequence[str]) -> list[str]:
    return ["plain words only"] + [
        text
        for each in stop
        for text in (
            f"one{each}two", f"{each}two", f"one{each}", f"one {each[:-1]} two", f"one{each[:-1]}",
            f"one{each[:-1]}{each}two", f"one{each}two{each}three",
        )
    ]  # fmt: skip


def _cuts(full: str, stop: Sequence[str], *, include_stop: bool) -> tuple[str, ...]:
    """The text up to the stop string that begins first, and to the one that is complete first."""
    found = [(full.index(each), full.index(each) + len(each)) for each in stop if each in full]
    if not found:
        return (full,)
    chosen = (min(found), min(found, key=lambda span: (span[1], span[0])))
    return tuple(full[: end if include_stop else start] for start, end in chosen)


def _outcome(
    stream: Callable[[list[int], list[str]], Iterable[str]], ids: list[int], stop: list[str], allowed: tuple[str, ...]
) -> str:
    try:
        actual = "".join(stream(ids, stop))
    except BaseException as error:
        if not is_failure(error):
            raise
        return f"expected {allowed[0]!r} -> raises {type(error).__name__}: {error}"
    return "" if actual in allowed else f"expected {allowed[0]!r} -> actual {actual!r}"
