"""Tiers: how much of a tensor is kept, from a fingerprint to every bit."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tensors.arrays import values_of
from pytest_llmval.scoring.tensors.distributions import kl_divergence, log_softmax
from pytest_llmval.scoring.tensors.formats import format_of, rounded
from pytest_llmval.scoring.tensors.golden.encoding import floats_part, integers_part, numbers_of, part_of
from pytest_llmval.scoring.tensors.golden.moments import moments_of
from pytest_llmval.scoring.tensors.golden.sketch import (
    axis_energies,
    digest,
    probe_positions,
    projections,
    slice_positions,
    strangers,
)
from pytest_llmval.scoring.tensors.golden.stored import EXACT, HALF, LOGITS, SKETCH, StoredTensor, log_sum_exp
from pytest_llmval.scoring.tensors.magnitudes import norm, ratio
from pytest_llmval.scoring.tensors.nesting import is_tensor, leaves_of
from pytest_llmval.scoring.tensors.structure import form_of

if TYPE_CHECKING:
    from collections.abc import Mapping

    from pytest_llmval.scoring.tensors.arrays import Values
    from pytest_llmval.scoring.tensors.formats import Floats
    from pytest_llmval.scoring.tensors.golden.container import Part
    from pytest_llmval.scoring.tensors.nesting import Leaves

TIERS = ("fingerprint", "slices", "half", "logits", "full")
AUTO = "auto"
BUDGET = 256 * 1024
"""Bytes of tensors in one test that are kept in full by default."""
_WIDE = ("float32", "float64")
_LARGEST_BFLOAT16 = float.fromhex("0x1.fep127")


def leaves_to_keep(value: object) -> tuple[Leaves, dict[str, str | None]]:
    """The tensors of a value, and the texts and None beside them, by path.

    Raises:
        TypeError: If there is no tensor, or something that cannot be kept.
    """
    leaves = leaves_of(value)
    tensors = {path: leaf for path, leaf in leaves.items() if is_tensor(leaf)}
    texts = {path: leaf for path, leaf in leaves.items() if path not in tensors}
    if not tensors:
        msg = (
            f"golden compares answers and tensors, and this value is neither: {type(value).__name__} {value!r:.60}; "
            f"expected a response, responses, text or a choice, or a tensor, array, numbers, or containers of them"
        )
        raise TypeError(msg)
    for path, leaf in texts.items():
        if not isinstance(leaf, str | None):
            msg = (
                f"{path}: {type(leaf).__name__} {leaf!r:.60} cannot be kept in a golden; expected tensors, text or None"
            )
            raise TypeError(msg)
    return tensors, texts


def chosen_tier(asked: str, tensors: Leaves, budget: int = BUDGET) -> str:
    """The tier of a name; for `auto` it is `full` when the tensors fit into the budget, else `fingerprint`."""
    refuse_tier(asked)
    if asked != AUTO:
        return asked
    return "full" if sum(map(size_of, tensors.values())) <= budget else "fingerprint"


def refuse_tier(asked: str) -> None:
    """Raise ValueError when there is no tier of that name."""
    __tracebackhide__ = True
    if asked not in (AUTO, *TIERS):
        msg = f"tier={asked!r}; expected one of {', '.join(map(repr, (AUTO, *TIERS)))}"
        raise ValueError(msg)


def size_of(tensor: Any) -> int:
    """Bytes of a tensor's numbers."""
    size = int(np.prod(form_of(tensor).shape))
    return size * int(getattr(getattr(tensor, "dtype", None), "itemsize", 8))


def stored_tensor(path: str, tensor: Any, tier: str) -> StoredTensor:
    """A tensor in the form of a tier.

    Raises:
        InvalidComparison: If it has no elements: it could be compared with nothing.
        ValueError: If its numbers do not fit into the tier.
        TypeError: If its dtype cannot be kept.
    """
    form, values = form_of(tensor), values_of(tensor, path)
    if not values.numbers.size:
        msg = f"{path or 'the tensor'} of shape {form.shape} has no elements: a golden of it could never pass"
        raise InvalidComparison(msg)
    held = form.dtype or _dtype_of_list(values, form.shape)
    encoding, facts, parts = _encoded(values, held, tier, path)
    return StoredTensor(path, form.shape, form.dtype, held, encoding, facts, parts)


def sketch_facts(values: Values, held: str) -> dict[str, Any]:
    """The facts of a sketch: digest, moments and non-finite elements; `noise` is that of float64 sums.

    Rounding of a sum of n terms grows like √n · 2⁻⁵³; the floor is twice that, whatever the order of summation.
    """
    finite = values.floats[np.isfinite(values.floats)]
    moments = moments_of(finite, format_of(held))
    return {
        "sha256": digest(values.numbers),
        "noise": 0.0 if values.is_integer else 2.0**-52 * float(np.sqrt(values.numbers.size)),
        "moments": {name: getattr(moments, name) for name in moments.__slots__},
        "strangers": strangers(values),
    }


def finite_floats(values: Values) -> Floats:
    """The numbers in float64, 0 where they are not finite."""
    return np.where(np.isfinite(values.floats), values.floats, 0.0)


def _dtype_of_list(values: Values, shape: tuple[int, ...]) -> str:
    if len(shape) < values.numbers.ndim:
        return "complex128"
    return values.numbers.dtype.name


def _encoded(values: Values, held: str, tier: str, path: str) -> tuple[str, Mapping[str, Any], Mapping[str, Part]]:
    if tier in {"fingerprint", "slices"}:
        return SKETCH, sketch_facts(values, held), _sketch_parts(values, held, tier)
    if tier == "logits" and held in _WIDE and values.numbers.ndim:
        return LOGITS, *_as_logits(values.floats, path)
    if tier in {"half", "logits"} and held in _WIDE:
        return HALF, *_as_half(values.floats, path)
    return EXACT, {}, {"values": part_of(values, held)}


def _sketch_parts(values: Values, held: str, tier: str) -> dict[str, Part]:
    floats = finite_floats(values)
    places = slice_positions(floats) if tier == "slices" else probe_positions(floats.size)
    whole = part_of(values, held)
    return {
        "projections": floats_part(projections(floats)),
        "energies": floats_part(axis_energies(floats)),
        "positions": integers_part(places),
        "samples": type(whole)(whole.code, whole.bits.reshape(-1)[places]),
    }


def _as_half(floats: Floats, path: str) -> tuple[dict[str, Any], dict[str, Part]]:
    """In float16 or bfloat16, whichever is nearer."""
    nearest = min(("float16", "bfloat16"), key=lambda name: _noise(floats, _halved(floats, name)))
    noise = _noise(floats, _halved(floats, nearest))
    if not np.isfinite(noise):
        msg = f"{path or 'the tensor'}: its numbers fit neither into float16 nor into bfloat16; use tier 'full'"
        raise ValueError(msg)
    return {"noise": noise, "format": nearest}, {"values": floats_part(_halved(floats, nearest), nearest)}


def _as_logits(floats: Floats, path: str) -> tuple[dict[str, Any], dict[str, Part]]:
    """In float16 less the largest of each row, with the logsumexp of each row in float32.

    The large logits, which make the distribution, then lie near 0, where float16 is finest.
    """
    largest = floats.max(axis=-1, keepdims=True)
    shifted = _halved(floats - np.where(np.isfinite(largest), largest, 0.0), "float16")
    if not np.isfinite(largest).all() or not np.array_equal(np.isfinite(shifted), np.isfinite(floats)):
        raise ValueError(_no_logits(path))
    sums = floats_part(log_sum_exp(floats), "float32")
    restored = shifted + (numbers_of(sums, "float32") - log_sum_exp(shifted))
    noise = _noise(floats, restored)
    if not np.isfinite(noise):  # of zeros alone, any rounding of the logsumexp is infinitely much
        raise ValueError(_no_logits(path))
    self_kl = float(kl_divergence(log_softmax(floats), log_softmax(restored)).mean())
    facts = {"noise": noise, "self_kl": self_kl, "format": "float16"}
    return facts, {"values": floats_part(shifted, "float16"), "logsumexp": sums}


def _no_logits(path: str) -> str:
    return (
        f"{path or 'the tensor'}: not logits that fit into tier 'logits' (a row has NaN, +Inf, no finite number, a "
        f"number more than 65504 below its largest, or all are zero); use tier 'full'"
    )


def _halved(floats: Floats, name: str) -> Floats:
    """Rounded to a half format; beyond its largest number infinite."""
    if name == "float16":
        with np.errstate(over="ignore"):
            return floats.astype(np.float16).astype(np.float64)
    near = rounded(floats, format_of(name))
    return np.where(np.abs(near) > _LARGEST_BFLOAT16, np.copysign(np.inf, near), near)


def _noise(exact: Floats, kept: Floats) -> float:
    """Relative L2 error of what is kept; infinite when a finite number became infinite."""
    finite = np.isfinite(exact)
    if not np.isfinite(kept[finite]).all():
        return float("inf")
    return ratio(norm(kept[finite] - exact[finite]), norm(exact[finite]))
