"""What an answer may differ by from its golden."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from pytest_llmval.scoring.golden.json_paths import JsonPath, path_of

if TYPE_CHECKING:
    from collections.abc import Callable


@dataclass(frozen=True, slots=True)
class Exact:
    """The same text, finish reason and, where both sides have them, token ids; what holds without a tolerance."""

    def __str__(self) -> str:
        return "exactly the same"


@dataclass(frozen=True, slots=True)
class SameTokens:
    """The same token ids. How they read, and why the answer ended, may differ."""

    def __str__(self) -> str:
        return "the same tokens"


@dataclass(frozen=True, slots=True)
class SameText:
    """The same text; tokens and the reason why it ended may differ.

    Raises:
        TypeError: If `normalise` is neither a name, nor a tuple of names, nor callable.
    """

    normalise: str | tuple[str, ...] | Callable[[str], str] | None = None
    """What is done to both texts first, as `exact_match` has it: `whitespace`, several names, or a function."""

    def __post_init__(self) -> None:
        """Refuse what cannot be applied; names are looked up where the tolerance is used."""
        __tracebackhide__ = True
        given: object = self.normalise
        if given is not None and not isinstance(given, str | tuple) and not callable(given):
            msg = (
                f"normalise={given!r}; expected a name such as 'whitespace', a tuple of names, or a function of a text"
            )
            raise TypeError(msg)

    def __str__(self) -> str:
        if self.normalise is None:
            return "the same text"
        names = (self.normalise,) if isinstance(self.normalise, str) else self.normalise
        how = "+".join(names) if isinstance(names, tuple) else getattr(names, "__name__", "a function")
        return f"the same text after {how}"


@dataclass(frozen=True, slots=True)
class RougeL:
    """A ROUGE-L F-measure with the golden of at least so much.

    Raises:
        ValueError: If `at_least` is not in (0, 1].
    """

    at_least: float = 0.9

    def __post_init__(self) -> None:
        """Refuse a bar that everything or nothing reaches."""
        __tracebackhide__ = True
        _refuse_unless(
            is_number(self.at_least) and 0 < self.at_least <= 1, "at_least", self.at_least, "a share in (0, 1]"
        )

    def __str__(self) -> str:
        return f"ROUGE-L of at least {self.at_least:g}"


@dataclass(frozen=True, slots=True)
class EmbeddingClose:
    """A cosine with the golden of at least so much, between means of an encoder's hidden states.

    Raises:
        TypeError: If `encoder` names no folder.
        ValueError: If `at_least` is not in (-1, 1].
    """

    at_least: float = 0.95
    encoder: str = ""
    """Folder of any model that transformers loads, relative to the test's file."""

    def __post_init__(self) -> None:
        """Refuse a bar that everything or nothing reaches, and a missing encoder."""
        __tracebackhide__ = True
        is_bar = is_number(self.at_least) and -1 < self.at_least <= 1
        _refuse_unless(is_bar, "at_least", self.at_least, "a cosine in (-1, 1]")
        given: object = self.encoder
        if not isinstance(given, str) or not given:
            msg = f"encoder={self.encoder!r}; expected the folder of a model, for example encoder='models/encoder'"
            raise TypeError(msg)

    def __str__(self) -> str:
        return f"a cosine of at least {self.at_least:g} by {self.encoder}"


@dataclass(frozen=True, slots=True)
class UpToTie:
    """The same tokens up to the first that differs, where both were as probable: rounding may decide between them.

    Raises:
        ValueError: If `nats` is negative or not finite.
    """

    nats: float = 0.05
    """Most that the logprobs of the two tokens may differ by, in every view that is known."""

    def __post_init__(self) -> None:
        """Refuse what is no distance."""
        __tracebackhide__ = True
        is_distance = is_number(self.nats) and 0 <= self.nats < float("inf")
        _refuse_unless(is_distance, "nats", self.nats, "0 or more, for example nats=0.05")

    def __str__(self) -> str:
        return f"the same tokens up to a tie within {self.nats:g} nats"


@dataclass(frozen=True, slots=True)
class JsonLike:
    """The same JSON: the order of keys and white space are free.

    Raises:
        TypeError: If `ignore` is one text instead of several.
        ValueError: If a path is none; the text says what one looks like.
    """

    ignore: tuple[str, ...] = ()
    """Paths of what may differ: `$.id`, `$.items[*].price`, `$.usage.*`, `$['two words']`, `$.items[0]`."""
    structure_only: bool = False
    """Compare keys and kinds of values, and neither values nor the lengths of lists."""

    def __post_init__(self) -> None:
        """Refuse paths that nobody could follow."""
        __tracebackhide__ = True
        given: object = self.ignore
        if not isinstance(given, tuple | list) or not all(isinstance(each, str) for each in given):
            msg = f"ignore={given!r}; expected several paths, for example ignore=('$.id',)"
            raise TypeError(msg)
        flag: object = self.structure_only
        if not isinstance(flag, bool):
            msg = f"structure_only={self.structure_only!r}; expected True or False"
            raise TypeError(msg)
        object.__setattr__(self, "ignore", tuple(given))
        for each in self.ignore:
            path_of(each)

    @property
    def paths(self) -> tuple[JsonPath, ...]:
        """The ignored paths, taken apart."""
        return tuple(map(path_of, self.ignore))

    def __str__(self) -> str:
        what = "JSON of the same structure" if self.structure_only else "the same JSON"
        return f"{what}, {', '.join(self.ignore)} ignored" if self.ignore else what


Tolerance = Exact | SameTokens | SameText | RougeL | EmbeddingClose | UpToTie | JsonLike
"""Everything that an answer can be compared by."""
_EXAMPLES = (
    "SameTokens(), SameText(normalise='whitespace'), RougeL(at_least=0.9), "
    "EmbeddingClose(at_least=0.95, encoder='folder'), UpToTie(nats=0.05) or JsonLike(ignore=('$.id',))"
)


def tolerance_from(given: object) -> Tolerance:
    """The tolerance that was given; `Exact` for None.

    Raises:
        TypeError: If it is none; the text lists those there are.
    """
    __tracebackhide__ = True
    if given is None:
        return Exact()
    if not isinstance(given, Tolerance):
        msg = f"tolerance={given!r:.80}; expected {_EXAMPLES}, or None for the very same answer"
        raise TypeError(msg)
    return given


def is_number(value: object) -> bool:
    """Whether a value is a number that can be compared; True and False are none."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def _refuse_unless(holds: object, name: str, value: object, right: str) -> None:
    __tracebackhide__ = True
    if not holds:
        msg = f"{name}={value!r}; expected {right}"
        raise ValueError(msg)
