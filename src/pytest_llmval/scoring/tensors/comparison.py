"""What a comparison of tensors found: numbers and indices, never the tensors."""

from __future__ import annotations

from dataclasses import dataclass

from pytest_llmval.errors import InvalidComparison, ModelRegression


@dataclass(frozen=True, slots=True)
class Census:
    """Elements of one side that are no finite numbers."""

    nan: int = 0
    positive_infinite: int = 0
    negative_infinite: int = 0
    first: tuple[int, ...] | None = None
    """Index of the first of them."""

    @property
    def total(self) -> int:
        """All of them."""
        return self.nan + self.positive_infinite + self.negative_infinite

    def __str__(self) -> str:
        return f"NaN {self.nan}, +Inf {self.positive_infinite}, -Inf {self.negative_infinite}"


@dataclass(frozen=True, slots=True)
class Site:
    """One element on both sides."""

    index: tuple[int, ...]
    place: str
    """The index as it reads in a message, with the names of axes and the token's text where they are known."""
    actual: float
    expected: float
    difference: float
    """Magnitude of the difference, computed in float64; of integers exactly."""
    ulps: int
    """Numbers of `ulp_format` between the two."""
    ulp_format: str


@dataclass(frozen=True, slots=True)
class Concentration:
    """Most of the error lies at one index of an axis."""

    axis: int
    name: str
    """Name of the axis; empty when none was given."""
    index: int
    share: float
    """Of the error, in [0, 1]."""
    of: str
    """What is shared: `the mismatches`, `the squared error` or `the excess over the control`."""


@dataclass(frozen=True, slots=True)
class Statistics:
    """How two tensors of one shape differ over the elements that are finite on both sides."""

    rel_l2: float
    """‖actual − expected‖ / ‖expected‖; infinite when only the expected side is zero."""
    cosine: float
    """Of the angle between the two; 1 when both are zero, 0 when one is."""
    norm_ratio: float
    """‖actual‖ / ‖expected‖; 1 when both are zero."""
    expected_rms: float
    worst: Site | None
    """Largest difference; None when no element is finite on both sides."""
    worst_relative: Site | None
    """Largest difference relative to the expected value, among those that are not zero."""
    actual_census: Census
    expected_census: Census
    disagreeing: int
    """Elements finite on one side only, infinite with other signs, or NaN where NaN does not count as equal."""
    concentration: tuple[Concentration, ...] = ()


@dataclass(frozen=True, slots=True)
class TensorComparison:
    """One tensor on both sides, and whether it passes."""

    path: str
    shape: tuple[int, ...]
    actual_dtype: str
    expected_dtype: str
    passed: bool
    problem: str = ""
    """Why it does not pass, or what was found when it does."""
    value: float = 0.0
    """What was measured: the larger, the worse."""
    limit: float = 0.0
    """Largest `value` that passes."""
    compared: int = 0
    excluded: int = 0
    """Elements that the mask left out."""
    mismatches: int | None = None
    """Elements beyond the tolerance; None when the criterion is one number a tensor."""
    statistics: Statistics | None = None
    """None when nothing could be compared."""
    notes: tuple[str, ...] = ()
    """Further lines of the message: the smallest tolerance that would pass, worst channels and the like."""
    undecided: bool = False
    """Whether it does not pass because nothing can be said: no element, or a control with NaN."""


@dataclass(frozen=True, slots=True)
class Comparison:
    """Nested values compared tensor by tensor; as text, the message of a failed assertion."""

    check: str
    """What was asked, for example `elementwise within rtol 0.016`."""
    tensors: tuple[TensorComparison, ...]

    @property
    def passed(self) -> bool:
        """Whether every tensor passes, and there is one."""
        return bool(self.tensors) and all(each.passed for each in self.tensors)

    @property
    def failures(self) -> tuple[TensorComparison, ...]:
        """Tensors that do not pass, in the order of the container."""
        return tuple(each for each in self.tensors if not each.passed)

    @property
    def undecided(self) -> bool:
        """Whether nothing was shown to be wrong, and nothing to be right."""
        return not self.passed and all(each.undecided for each in self.failures)

    def __getitem__(self, path: str) -> TensorComparison:
        for each in self.tensors:
            if each.path == path:
                return each
        raise KeyError(path)

    def __str__(self) -> str:
        from pytest_llmval.scoring.tensors.message import render

        return render(self)


def concluded(comparison: Comparison) -> Comparison:
    """The comparison when it passes.

    Raises:
        ModelRegression: If a tensor differs by more than allowed.
        InvalidComparison: If no tensor is shown to differ, but there was nothing to compare.
    """
    __tracebackhide__ = True
    if comparison.passed:
        return comparison
    raise (InvalidComparison if comparison.undecided else ModelRegression)(str(comparison), comparison)
