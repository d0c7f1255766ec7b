"""What the A/A check tells a reader."""

from dataclasses import replace

import pytest

from pytest_llmval.reports.self_check import COLUMNS, CheckedGate, SelfCheckReport, self_check_lines
from pytest_llmval.verdicts.self_check import Effect, SelfCheck
from pytest_llmval.verdicts.verdict import Outcome
from pytest_llmval.verdicts.wording import Scale

STILL = "so this measures nothing but says that nothing varies"
ASKED = "of the runs, where 80% are asked for"


@pytest.fixture
def check(gate):
    """A function that gives the lines about one gate: a sound one, but for what is said."""

    def lines(**fields):
        sound = {
            "speaks": Outcome.REGRESSED,
            "cases": 60,
            "a_side": 4,
            "splits": 400,
            "scale": Scale("", in_points=True),
            "alarms": 6,
            "inconclusive": 100,
            "noise": 0.0123,
            "varies": True,
            "effect": Effect(-0.0833, 6),
        }
        checked = CheckedGate(gate(), SelfCheck(**sound | fields))
        return list(self_check_lines(SelfCheckReport("v1", 400, (checked,))))

    return lines


def cells(line):
    """The cells of a row; they are at least two blanks apart."""
    return [cell.strip() for cell in line.split("  ") if cell.strip()]


def test_a_sound_gate(check):
    """Answer, header, one row: 6 of 400 is 1.5 %, by Clopper and Pearson [0.6, 3.2]."""
    answer, header, row = check()

    assert answer == "A/A check of v1: 1 gate sound; trials dealt to two sides 400 times"
    assert cells(header) == list(COLUMNS)
    assert cells(row) == [
        "test_faq.py::test_a rouge_l", "60", "4",
        "regressed", "1.5%", "[0.6, 3.2]", "25.0%", "1.2 pp", "-8.3 pp (6 of 60)",
    ]  # fmt: skip


def test_a_gate_that_cries_wolf(check):
    """The share, what is allowed and the reason of the first alarm, in words that steer nothing."""
    answer, _, _, sentence = check(alarms=60, alarm_reason="must-pass case broke: 'q\x1b[2J'\n##[error]")

    assert answer.startswith("A/A check of v1: 1 of 1 gate WRONG; ")
    assert sentence == (
        "test_faq.py::test_a rouge_l: CRIES WOLF: regressed in 60 of 400 splits in which nothing changed, where 5% are "
        r"allowed: must-pass case broke: 'q\x1b[2J' # #[error]"
    )


def test_thirty_alarms_may_still_be_luck(check):
    """30 of 400 are 7.5 %, and their interval begins at 5.1 %; 28 are 7 %, and theirs at 4.7 %."""
    assert "WRONG" in check(alarms=30)[0]
    assert "sound" in check(alarms=28)[0]


def test_a_gate_that_seldom_passes(check):
    """Half of 400 splits may be inconclusive; from 201 on the gate is not sound, and told what helps."""
    answer, _, row, sentence = check(inconclusive=400)

    assert answer == "A/A check of v1: 1 of 1 gate seldom passes; trials dealt to two sides 400 times"
    assert cells(row)[6] == "100.0%"
    assert sentence == (
        "test_faq.py::test_a rouge_l: seldom passes: inconclusive in 100% of the splits although nothing changed: "
        "more cases or a wider margin"
    )
    assert "1 gate sound" in check(inconclusive=200)[0]
    assert "seldom passes" in check(inconclusive=201)[0]


def test_a_gate_of_improvement_is_not_asked_to_pass(check):
    """Unchanged, it is inconclusive: that is its answer."""
    assert "1 gate sound" in check(inconclusive=400, speaks=Outcome.IMPROVED)[0]


def test_a_gate_that_cries_wolf_and_seldom_passes(check):
    """It is counted once, as wrong, and both are said."""
    answer, _, _, wolf, seldom = check(alarms=60, inconclusive=340)

    assert answer.startswith("A/A check of v1: 1 of 1 gate WRONG; ")
    assert "CRIES WOLF" in wolf
    assert "seldom passes: inconclusive in 85%" in seldom


def test_the_head_line_counts_both_kinds(gate):
    """Of four gates one is wrong and two seldom pass."""
    found = SelfCheck(Outcome.REGRESSED, cases=60, a_side=4, splits=400, scale=Scale("", in_points=True))
    all_found = [found, replace(found, silence="too few"), *[replace(found, inconclusive=400)] * 2]
    checked = tuple(CheckedGate(gate(), each) for each in all_found)

    answer = next(self_check_lines(SelfCheckReport("v1", 400, checked)))

    assert answer.startswith("A/A check of v1: 1 of 4 gates WRONG, 2 of 4 gates seldom pass; ")


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"reach": 0.0, "silence": "too few"},
            f"with all cases at the worst value, it says regressed in 0% {ASKED}: too few",
        ),
        (
            {"reach": 0.35, "silence": "few", "is_bounded": False},
            f"with all cases shifted beyond all measure, it says regressed in 35% {ASKED}: few",
        ),
        (
            {"reach": 0.0, "silence": "none", "speaks": Outcome.IMPROVED},
            f"with all cases at the best value, it says improved in 0% {ASKED}: none",
        ),
        (
            {"reach": 0.0, "silence": "2 clusters", "is_valid": False, "varies": False, "a_side": 0},
            "it is invalid whatever the scores are: 2 clusters",
        ),
    ],
)
def test_a_gate_that_cannot_fire(check, fields, sentence):
    """How far it goes, and why not further."""
    _, _, row, told = check(effect=None, **fields)

    assert cells(row)[-1] == "nothing"
    assert told == f"test_faq.py::test_a rouge_l: CANNOT FIRE: {sentence}"


@pytest.mark.parametrize(
    ("fields", "sentence"),
    [
        (
            {"decoding": "max_tokens=64, temperature=0"},
            f"greedy: repeats are identical, {STILL}",
        ),
        (
            {"decoding": "temperature=0.7"},
            f"repeats are identical although decoding is temperature=0.7, {STILL}",
        ),
        ({}, f"repeats are identical, {STILL}"),
        (
            {"a_side": 0, "noise": None},
            "one value a case: there was nothing to deal, so false alarms and noise are not measured",
        ),
    ],
)
def test_a_gate_without_noise(check, fields, sentence):
    """It is sound, and told apart from one that was measured; equal splits have no interval."""
    answer, _, row, told = check(alarms=0, **{"noise": 0.0, "varies": False} | fields)

    assert "sound" in answer
    assert cells(row)[5] == "-"
    assert cells(row)[7] == ("-" if fields.get("noise", 0.0) is None else "0.0 pp")
    assert told == f"{sentence}: test_faq.py::test_a rouge_l"


def test_another_unit(check):
    """A shift has no number of cases."""
    row = check(scale=Scale("nats/token", in_points=False), noise=0.0104, effect=Effect(-0.0261))[2]

    assert cells(row)[-2:] == ["0.010 nats/token", "-0.026 nats/token"]


def test_a_metric_that_does_not_repeat(check):
    """The same answers got different scores."""
    assert "the metric is not repeatable" in check(is_repeatable=False)[3]


def test_what_was_not_looked_at(gate):
    """Gates without a second side, and tests that failed; the first six of each."""
    bars = tuple(gate(test=f"t.py::test_{n}", kind="at_least") for n in range(8))
    failed = tuple(f"suites/t.py::test_x{n}" for n in range(2))

    lines = list(self_check_lines(SelfCheckReport("v1", 400, (), bars, failed)))

    named = ", ".join(f"t.py::test_{n} rouge_l" for n in range(6))
    assert lines == [
        "A/A check of v1: 0 gates sound; trials dealt to two sides 400 times",
        f"not compared, as they have no A/A check (at_least): {named} and 2 more",
        "failed although nothing changed, perhaps before their gates: t.py::test_x0, t.py::test_x1",
    ]
