"""What a change of shape may cost: kernels round otherwise, and a fault costs far more than that."""

from __future__ import annotations

import math
from collections.abc import Callable, Iterator
from typing import TYPE_CHECKING, Any, Literal, TypedDict

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tensors.formats import format_of
from pytest_llmval.scoring.tensors.invariances.judging import report_of
from pytest_llmval.scoring.tensors.invariances.report import Bar, Invariance, InvarianceReport
from pytest_llmval.scoring.tensors.invariances.strips import Strip, variant_of
from pytest_llmval.scoring.tensors.invariances.subject import HALF_EPS, Subject, in_float32, subject_of
from pytest_llmval.scoring.tensors.wording import number

if TYPE_CHECKING:
    from pytest_llmval.scoring.tensors.invariances.scene import Scene

Rewrites = Callable[[Subject], Iterator[tuple[str, list[Strip]]]]
"""All changes of one check on a subject: the name of each, and both sides of what must agree."""

FLOAT32_REL_L2 = 1e-5
"""Largest relative L2 error of a position in float32.

Benign rewrites cost 2e-6 over the logits of a random 12-layer model, and at most 1.2e-6 a position of the random and
trained models we run on CPUs; the faults that our tests plant cost 1e-3 (a batch mean of 1e-3) to 1 (a stale slot).
float64 has the same limit, as models compute softmax, norms and rotary angles
in float32 whatever their weights are."""

_RULES = ("max_rel_l2", "control")


class Judging(TypedDict, total=False):
    """Keyword arguments of checks whose changes alter shapes, so that kernels may round otherwise."""

    level: Literal["control", "bitwise"]
    """`"bitwise"` where the backend claims the same bits for every shape; `"control"`, the default, allows rounding."""
    max_rel_l2: float
    """Largest relative L2 error of a position's vector; of logits, centred. By default 1e-5, in float32: a model in
    half precision is then judged in a float32 copy, where no fault hides in rounding (3e-2 in bfloat16)."""
    control: Any
    """A model or function known to be right, in the same precision and with the same kernels, for example the baseline.
    The model is then judged in its own precision: its largest error may be 2 times (half precision: 3 times) that of
    the control under the same changes, and one rounding."""


def judged_subject(model: Any, options: Judging) -> tuple[Subject, tuple[str, ...]]:
    """The subject as it is judged, and a note where that is not the model itself.

    Raises:
        ValueError: If an option has a wrong value, or the model cannot be judged as they say.
        TypeError: If an option is unknown.
    """
    refuse_judging(options)
    subject = subject_of(model)
    if _has_rule(options) or not subject.is_half:
        return subject, ()
    note = (
        f"judged in a float32 copy of {subject.name}, where no fault hides in rounding; control= or max_rel_l2= judge "
        f"it in its own precision"
    )
    return in_float32(subject), (note,)


def judge_shapes(
    invariance: Invariance, scene: Scene, rewrites: Rewrites, options: Judging, notes: tuple[str, ...] = ()
) -> InvarianceReport:
    """Changes that alter shapes, judged by the rule that the options name.

    Raises:
        InvalidComparison: If the model does not repeat itself to within the limit, or the control is not finite.
        ValueError: If a function returns half precision and there is no rule.
    """
    bar = _bar(scene, rewrites, options)
    if scene.noise > (bar.limit or 0.0):
        msg = (
            f"{invariance.name} cannot be decided: {scene.subject.name} does not repeat itself on one and the same "
            f"batch (rel-L2 {number(scene.noise)}, judged {bar}); make it deterministic (see assert_deterministic)"
        )
        raise InvalidComparison(msg)
    return report_of(invariance, scene.prompts, bar, rewrites(scene.subject), notes)


def refuse_judging(options: Judging) -> None:
    """Refuse options that cannot be meant.

    Raises:
        TypeError: If one is unknown.
        ValueError: If one has a wrong value, or they contradict each other.
    """
    unknown = sorted(set(options) - set(Judging.__annotations__))
    if unknown:
        msg = f"unknown option {unknown[0]!r}; expected one of {', '.join(sorted(Judging.__annotations__))}"
        raise TypeError(msg)
    level, limit = options.get("level", "control"), options.get("max_rel_l2")
    if level not in {"control", "bitwise"}:
        msg = f"level={level!r}; expected 'control' or 'bitwise'"
        raise ValueError(msg)
    if limit is not None and not (math.isfinite(limit) and limit > 0):
        msg = f"max_rel_l2={limit!r}; expected a finite number above 0, or level='bitwise'"
        raise ValueError(msg)
    given = [name for name in _RULES if options.get(name) is not None]
    given += ["level='bitwise'"] if level == "bitwise" else []
    if len(given) > 1:
        msg = f"{' and '.join(given)} are given; expected one of them"
        raise ValueError(msg)


def _has_rule(options: Judging) -> bool:
    return options.get("level") == "bitwise" or any(options.get(name) is not None for name in _RULES)


def _bar(scene: Scene, rewrites: Rewrites, options: Judging) -> Bar:
    if options.get("level") == "bitwise":
        return Bar()
    limit, control = options.get("max_rel_l2"), options.get("control")
    if limit is not None:
        return Bar(limit, "max_rel_l2")
    dtype = scene.before[0].dtype or "float64"
    if control is not None:
        return _control_bar(rewrites, subject_of(control), format_of(dtype).eps)
    if format_of(dtype).eps > HALF_EPS:
        msg = (
            f"{scene.subject.name} returns logits in {dtype}, whose rounding hides faults; expected control=, a model "
            f"of the same precision that is known to be right, or max_rel_l2=, or logits computed in float32"
        )
        raise ValueError(msg)
    return Bar(FLOAT32_REL_L2, "the default in float32")


def _control_bar(rewrites: Rewrites, control: Subject, eps: float) -> Bar:
    """The control's largest error under the same changes, times a factor, and one rounding."""
    error = max(variant_of(name, strips, None).deviation for name, strips in rewrites(control))
    if not math.isfinite(error):
        msg = "the control's logits are not finite, so it gives no scale; expected a model that is known to be right"
        raise InvalidComparison(msg)
    factor = 3.0 if eps > HALF_EPS else 2.0
    return Bar(factor * error + eps / 2, f"{factor:g} x control {number(error)} + one rounding")
