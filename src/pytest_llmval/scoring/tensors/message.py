"""The message of a comparison: headline, every failing tensor, and the worst of them in detail."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.scoring.tensors.wording import apart, counted, lines_of, number, quoted, share, steps_text

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.tensors.comparison import Comparison, Concentration, Site, Statistics, TensorComparison

_DETAILED = 3


def render(comparison: Comparison) -> str:
    """The message, from the headline down."""
    if not comparison.tensors:
        return f"nothing was compared ({comparison.check}): there is no tensor on the expected side"
    if comparison.passed:
        return f"{counted(len(comparison.tensors), 'tensor')} compared, all pass: {comparison.check}"
    failures = comparison.failures
    worst = sorted(failures, key=_severity, reverse=True)[:_DETAILED]
    return "\n".join([_headline(comparison, worst[0]), *_table(failures), *_details(worst, many=len(failures) > 1)])


def _severity(tensor: TensorComparison) -> float:
    """How far beyond its limit: what cannot be compared comes first."""
    if tensor.statistics is None or tensor.statistics.disagreeing:
        return float("inf")
    return tensor.value / tensor.limit if tensor.limit else tensor.value


def _headline(comparison: Comparison, worst: TensorComparison) -> str:
    failures, total = len(comparison.failures), len(comparison.tensors)
    if total == 1:
        return f"{quoted(worst.path)} {_form(worst)} fails ({comparison.check}): {worst.problem}"
    return f"{failures} of {total} tensors fail ({comparison.check}), worst {quoted(worst.path)}: {worst.problem}"


def _form(tensor: TensorComparison) -> str:
    names = dict.fromkeys(filter(None, (tensor.expected_dtype, tensor.actual_dtype)))
    return " ".join(filter(None, (str(tensor.shape), " -> ".join(names))))


def _table(failures: tuple[TensorComparison, ...]) -> list[str]:
    """One line a failing tensor; the headline says it all when there is only one."""
    if len(failures) == 1:
        return []
    width = max(len(each.path) for each in failures)
    return lines_of([f"{each.path:<{width}}  {_form(each)}  {each.problem}" for each in failures])


def _details(worst: list[TensorComparison], *, many: bool) -> Iterator[str]:
    for tensor in worst:
        lines = list(_detail(tensor))
        if many and lines:
            yield f"{quoted(tensor.path)}:"
        yield from (f"  {line}" for line in lines)


def _detail(tensor: TensorComparison) -> Iterator[str]:
    statistics = tensor.statistics
    if statistics is not None:
        yield from _worst_lines(statistics)
        if tensor.mismatches is not None:
            of = share(tensor.mismatches, tensor.compared)
            yield f"mismatches {tensor.mismatches} of {tensor.compared} elements ({of}){_excluded(tensor)}"
        yield (
            f"rel-L2 {number(statistics.rel_l2)}, cosine {statistics.cosine:.6g}, "
            f"norm ratio {statistics.norm_ratio:.4g}, RMS of the expected {number(statistics.expected_rms)}"
        )
    yield from tensor.notes
    if statistics is not None:
        yield from map(_concentrated, statistics.concentration)
        yield f"not finite: expected {statistics.expected_census} -> actual {statistics.actual_census}{_first(tensor)}"


def _worst_lines(statistics: Statistics) -> Iterator[str]:
    worst, relative = statistics.worst, statistics.worst_relative
    if worst is None:
        yield "no element is finite on both sides"
        return
    if not worst.difference and not worst.ulps:
        yield "elements that are finite on both sides are equal"
        return
    yield f"worst |Δ| {number(worst.difference)} at {worst.place}: {_values(worst)}"
    if relative is not None and relative.index != worst.index and relative.difference:
        size = number(relative.difference / abs(relative.expected))
        yield f"worst relative Δ {size} at {relative.place}: {_values(relative)}"


def _values(site: Site) -> str:
    steps = steps_text(site.ulps, site.ulp_format) if site.ulp_format != "integer" else "integers"
    both = isinstance(site.expected, int) and isinstance(site.actual, int)
    expected, actual = (str(site.expected), str(site.actual)) if both else apart(site.expected, site.actual, 6)
    return f"expected {expected} -> actual {actual} ({steps})"


def _excluded(tensor: TensorComparison) -> str:
    return f", {tensor.excluded} masked" if tensor.excluded else ""


def _concentrated(found: Concentration) -> str:
    where = (
        f"{found.name} {found.index} (axis {found.axis})" if found.name else f"index {found.index} of axis {found.axis}"
    )
    return f"{share(round(found.share, 6), 1.0)} of {found.of} {_verb(found)} at {where}"


def _verb(found: Concentration) -> str:
    return "lie" if found.of.endswith("s") else "lies"


def _first(tensor: TensorComparison) -> str:
    statistics = tensor.statistics
    first = statistics and (statistics.actual_census.first or statistics.expected_census.first)
    return f", first at {list(first)}" if first else ""
