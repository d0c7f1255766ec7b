"""Numbers as a reader sees them."""

from __future__ import annotations

import pytest

from pytest_llmval.statistics import Interval
from pytest_llmval.verdicts.wording import Scale


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "0.000"),
        (-0.0, "0.000"),
        (0.5, "0.500"),
        (0.1, "0.100"),
        (0.012345, "0.0123"),
        (0.00012345, "0.000123"),
        (12345.6789, "12345.679"),
        (1e9, "1.000e+09"),
        (float("inf"), "inf"),
    ],
)
def test_values_have_three_digits_or_as_many_as_show_something(value, text):
    """Three decimals, more below a tenth, powers of ten above ten million; infinity is itself."""
    assert Scale("", in_points=False).value(value) == text


def test_shares_have_three_decimals():
    """A tenth of a percentage point is as fine as they are read."""
    assert Scale("", in_points=True).value(0.012345) == "0.012"


@pytest.mark.parametrize(
    ("change", "points", "unit"),
    [(0.0712, "+7.1", "+0.071"), (-0.0712, "-7.1", "-0.071"), (0.0, "0.0", "0.000"), (-0.0004, "0.0", "-0.000400")],
)
def test_changes_carry_their_sign(change, points, unit):
    """A change that rounds to nothing has none."""
    assert Scale("", in_points=True).change(change) == points
    assert Scale("s", in_points=False).change(change) == unit


def test_margins_are_written_as_given():
    """Two points are 2 pp, not 2.0 and not 2.0000000000000004."""
    assert Scale("", in_points=True).size_with_unit(0.02) == "2 pp"
    assert Scale("s", in_points=False).size_with_unit(0.25) == "0.25 s"


def test_ranges_are_written_from_low_to_high():
    """Changes signed, values plain."""
    scale = Scale("", in_points=True)

    assert scale.range_of_change(Interval(-0.05, 0.011)) == "[-5.0, +1.1]"
    assert scale.range_of_value(Interval(0.838, 0.899)) == "[0.838, 0.899]"
