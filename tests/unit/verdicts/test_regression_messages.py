"""What a reader of a comparison sees."""

from __future__ import annotations

import pytest

from pytest_llmval.scoring.score import CaseNote, Unscored
from pytest_llmval.verdicts.regression import decide_regression
from pytest_llmval.verdicts.verdict import CaseChange


def _with_loss(build, loss, cases=500, **fields):
    """Baseline .7 to .9, candidate lower by `loss` give or take a tenth."""
    baseline = [0.7 + 0.2 * (place % 11) / 10 for place in range(cases)]
    candidate = [value - loss + 0.1 * (place % 3 - 1) for place, value in enumerate(baseline)]
    return build(candidate, **fields), build(baseline, **(fields | {"version": "v1"}))


def test_headline_of_a_share(graded):
    """Percentage points with sign, the interval, the cases and the version; half = 1.648·.0816/√500 = .006."""
    verdict = decide_regression(*_with_loss(graded, 0.071))

    assert verdict.headline == "rouge_l 0.799 -> 0.728 (-7.1 pp, 90% CI [-7.7, -6.5], n=500) vs v1"
    assert verdict.reason == "shown worse, and not shown to stay within the margin of 5 pp"


def test_headline_of_an_unbounded_metric(nats):
    """Its own unit; the values as measured, the difference turned: .17 − .2/201, half = 1.6525 · .1419/√201 = .0165."""
    baseline = [2.31 + 0.01 * (place % 3 - 1) for place in range(201)]
    candidate = [value + 0.17 + 0.1 * (place % 5 - 2) for place, value in enumerate(baseline)]

    verdict = decide_regression(nats(candidate), nats(baseline))

    assert (
        verdict.headline
        == "perplexity 2.310 -> 2.479 nats/token (-0.169, 90% CI [-0.186, -0.152], n=201, lower is better)"
    )
    assert verdict.reason == "shown worse, and not shown to stay within the margin of 0.05 nats/token"


def test_headline_without_a_change(binary):
    """Zero has no sign, the ends of the interval have."""
    same = binary([1.0] * 100)

    verdict = decide_regression(same, same)

    assert verdict.headline == "accuracy 1.000 -> 1.000 (0.0 pp, 90% CI [-2.6, +2.6], n=100)"
    assert verdict.reason == ""


def test_headline_shows_differences_below_a_thousandth(nats):
    """Three decimals would say that nothing changed."""
    baseline = [2.0 + 0.1 * (place % 7) for place in range(200)]
    candidate = [value - 0.0002 - 0.00001 * (place % 5) for place, value in enumerate(baseline)]

    verdict = decide_regression(nats(candidate), nats(baseline))

    assert "(+0.000220, 90% CI [+0.000218, +0.000222], n=200, lower is better)" in verdict.headline


def test_headline_is_at_most_240_characters_and_one_line(graded):
    """Long names are cut, numbers are not."""
    verdict = decide_regression(*_with_loss(graded, 0.071, name="very long\nname " * 40))

    assert len(verdict.headline) <= 240
    assert "\n" not in verdict.headline
    assert "(-7.1 pp, 90% CI [-7.7, -6.5], n=500) vs v1" in verdict.headline


def test_worse_within_the_margin_says_so(graded):
    """A pass with a warning."""
    verdict = decide_regression(*_with_loss(graded, 0.02))

    assert verdict.reason == "shown worse, but within the margin of 5 pp"


def test_inconclusive_says_how_many_cases_would_decide(binary):
    """Two lost of 60: by the score test p₀(1 − p₀)·(z/(p₀ − p))² = .05 · .95 · (1.645/.01667)² = 462.7 cases."""
    verdict = decide_regression(binary([0.0] * 2 + [1.0] * 58), binary([1.0] * 60))

    assert verdict.needed_cases == 463
    assert verdict.reason == (
        "not shown: the interval reaches -9.6 pp, not within the margin of 5 pp; "
        "about 463 cases would decide it if the difference stays the same"
    )


def test_inconclusive_beyond_the_margin_says_what_would_show_a_regression(binary):
    """One gained, three lost of 22: 2f/√(4f) > 1.645 from f = 2.706 on, 59.5 cases."""
    verdict = decide_regression(binary([0.0] * 3 + [1.0, 1.0] + [1.0] * 17), binary([1.0] * 3 + [0.0] + [1.0] * 18))

    assert verdict.needed_cases == 60
    assert verdict.reason == (
        "not shown: the difference itself, -9.1 pp, is not within the margin of 5 pp; "
        "about 60 cases would show a regression if it stays the same"
    )


def test_inconclusive_at_a_margin_of_zero_says_that_more_cases_would_not_help(binary):
    """No number of identical cases shows that there is no difference at all."""
    same = binary([1.0] * 60)

    verdict = decide_regression(same, same, margin=0.0)

    assert verdict.needed_cases is None
    assert verdict.reason == (
        "not shown: the difference itself, 0.0 pp, is not within the margin of 0 pp; "
        "more cases would not show a regression if it stays the same"
    )


def test_regressed_alone_names_both_intervals(binary):
    """Ten lost of 72 at one in ten thousand: √(10f) > 3.719 from f = 1.383 on, 99.6 cases."""
    verdict = decide_regression(binary([1.0] * 62 + [0.0] * 10), binary([1.0] * 72), alpha_adjusted=0.0001)

    assert verdict.needed_cases == 100
    assert verdict.reason == (
        "would be regressed alone (90% CI [-21.9, -8.5]); "
        "not at the level corrected for the number of gates (99.98% CI [-34.8, +4.5]); "
        "about 100 cases would show it if the difference stays the same"
    )


def test_worst_cases_come_with_what_a_reviewer_needs(graded):
    """The largest loss first, with prompt, expectation and both answers; a failure shows its reason."""
    notes = tuple(CaseNote(f"ask {place}", f"expect {place}", f"answer {place}") for place in range(40))
    baseline = graded([0.9] * 40, notes=notes)
    lowered = [Unscored("timed out", failed=True), 0.5, 0.8, 0.95, *([0.9] * 36)]

    verdict = decide_regression(graded(lowered, notes=notes), baseline)

    assert [change.id for change in verdict.worst] == ["c0", "c1", "c2"]
    assert verdict.worst[0] == CaseChange("c0", 0.9, None, "ask 0", "expect 0", "answer 0", "no answer: timed out")
    assert verdict.worst[1] == CaseChange("c1", 0.9, 0.5, "ask 1", "expect 1", "answer 1", "answer 1")


@pytest.mark.parametrize("losing", [0, 5, 9])
def test_at_most_five_worst_cases_are_shown(binary, losing):
    """A report is read by people."""
    verdict = decide_regression(binary([0.0] * losing + [1.0] * (60 - losing)), binary([1.0] * 60))

    assert len(verdict.worst) == min(losing, 5)
