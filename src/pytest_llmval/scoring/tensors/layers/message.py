"""The words of a layer report: headline, what was compared, and a table of the stages."""

from __future__ import annotations

from typing import TYPE_CHECKING

from pytest_llmval.scoring.tensors.layers.finding import StageVerdict
from pytest_llmval.scoring.tensors.wording import counted, number

if TYPE_CHECKING:
    from collections.abc import Iterator

    from pytest_llmval.scoring.tensors.layers.finding import StageFinding
    from pytest_llmval.scoring.tensors.layers.report import LayerReport

COLUMNS = ("stage", "verdict", "local", "control", "x control", "free", "inherited", "growth", "recovers", "what")
_NAMED = 4
_SHORT = 24
_EVERYWHERE = 2


def headline(report: LayerReport) -> str:
    """The finding in one line."""
    culprits = report.culprits
    if culprits:
        first, others = culprits[0], culprits[1:]
        verb = "is" if len(others) == 1 else "are"
        rest = f"; so {verb} {', '.join(each.name for each in others[:_NAMED])}" if others else ""
        more = f" and {len(others) - _NAMED} more" if len(others) > _NAMED else ""
        if len(others) >= _EVERYWHERE * len(report.stages):
            return (
                f"{len(culprits)} parts are at fault, worst {first.name}: these seem to be other weights altogether, "
                "as of a version trained further; mark the test llmval_same_weights to skip it for those"
            )
        return f"{first.name} is at fault: {_what(first)}{rest}{more}"
    if report.problems:
        return f"layers cannot be compared: {report.problems[0]}"
    if report.not_compared:
        first = report.not_compared[0]
        return f"{first.name} was not compared: {first.problem}"
    if not report.stages:
        return "nothing was compared"
    return f"no stage is at fault: {counted(len(report.stages), 'stage')} compared"


def render(report: LayerReport) -> str:
    """The whole report."""
    lines = [report.headline, *report.problems[1:], *context(report)]
    return "\n".join([*lines, *_table(report)] if report.stages else lines)


def context(report: LayerReport) -> Iterator[str]:
    """Precisions, prompts, control, and the divergence of the outputs."""
    where = f"{counted(report.prompts, 'prompt')}, {counted(report.positions, 'token')}"
    yield f"{report.reference_dtype} -> {report.candidate_dtype} on {where}; control: {report.control}"
    if report.stages:
        yield (
            f"KL(reference || candidate) {number(report.kl)} nats a token, of the control {number(report.control_kl)}"
        )


def _table(report: LayerReport) -> Iterator[str]:
    """One line a stage; stages that are right and far from a faulty one are counted, when there are many."""
    rows: list[tuple[str, ...]] = [COLUMNS]
    shown = _shown(report.stages)
    hidden = 0
    for index, stage in enumerate(report.stages):
        if index in shown:
            rows += [_gap(hidden)] if hidden else []
            rows += [_row(stage), *(_row(part, inside=True) for part in stage.parts)]
            hidden = 0
        else:
            hidden += 1
    widths = [max(len(cells[column]) for cells in rows) for column in range(len(COLUMNS))]
    for cells in rows:
        left, verdict, *figures, what = cells
        aligned = [each.rjust(width) for each, width in zip(figures, widths[2:-1], strict=True)]
        yield "  ".join([left.ljust(widths[0]), verdict.ljust(widths[1]), *aligned, what]).rstrip()
    yield "local: error on the reference's own input, relative to what the stage adds; control: the control's"
    yield "free: error on its own input = local + inherited, relative to the state; growth: of the incoming error"


def _shown(stages: tuple[StageFinding, ...]) -> set[int]:
    if len(stages) <= _SHORT:
        return set(range(len(stages)))
    wrong = [at for at, stage in enumerate(stages) if stage.verdict is not StageVerdict.OK]
    near = {at + step for at in wrong for step in (-1, 0, 1)}
    return near | set(range(4)) | set(range(len(stages) - 3, len(stages)))


def _gap(count: int) -> tuple[str, ...]:
    return (f"... {counted(count, 'stage')}", "OK", *[""] * (len(COLUMNS) - 2))


def _row(stage: StageFinding, *, inside: bool = False) -> tuple[str, ...]:
    split, signature = stage.split, stage.signature
    return (
        f"  {stage.name}" if inside else stage.name,
        stage.verdict.value,
        number(stage.local) if signature else "",
        number(stage.control) if signature else "",
        number(signature.ratio) if signature else "",
        number(split.free) if split else "",
        number(split.inherited) if split else "",
        number(split.amplification) if split else "",
        "" if stage.recovered_kl is None else number(stage.recovered_kl),
        "" if stage.parts and any(each.culprits for each in stage.parts) else _what(stage),
    )


def _what(stage: StageFinding) -> str:
    return "; ".join(filter(None, (stage.hint, stage.problem)))
