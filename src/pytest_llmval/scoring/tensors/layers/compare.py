"""Two models layer by layer: the stages where a candidate's error arises are named."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.formats import dtype_name
from pytest_llmval.scoring.tensors.layers.finding import StageFinding, StageVerdict
from pytest_llmval.scoring.tensors.layers.judging import LayerLimits
from pytest_llmval.scoring.tensors.layers.preflight import preflight
from pytest_llmval.scoring.tensors.layers.prompts import batch_of
from pytest_llmval.scoring.tensors.layers.report import LayerReport
from pytest_llmval.scoring.tensors.layers.swap import recovered_kl
from pytest_llmval.scoring.tensors.layers.trio import Trio, trio_of
from pytest_llmval.scoring.tensors.layers.walk import walked
from pytest_llmval.scoring.tensors.wording import number

if TYPE_CHECKING:
    from collections.abc import Mapping

_SWAPPED = 8  # each swap is one more forward pass


def compare_layers(
    candidate: Any,
    reference: Any,
    prompts: Any,
    *,
    tokenizer: Any = None,
    reference_tokenizer: Any = None,
    control: Any = None,
    limits: LayerLimits | None = None,
) -> LayerReport:
    """Two models of one architecture, stage by stage, from the embedding to the logits.

    All three models go through the network side by side. Each stage of the candidate is also run on the reference's
    own input; what goes wrong there is made there. It is judged by the error of the control on the same input, since
    no constant tolerance suits every dtype and depth. A layer that differs from the control is looked into, module
    by module. Memory does not grow with depth.

    Args:
        candidate: The model under test: a causal language model of transformers in evaluation mode, in the style of
            Llama, Qwen, Mistral, GPT-2 or Gemma.
        reference: The model it should be, of the same depth and sizes, best in float32; in half precision it is run
            in float32, a layer at a time.
        prompts: Texts, or token ids of each prompt. Eight texts of different lengths, 100 tokens in all, are a good
            start; a fault shows only where a prompt brings it out.
        tokenizer: The candidate's tokenizer; needed for texts.
        reference_tokenizer: If given, it must turn the texts into the same token ids.
        control: A faultless implementation in the candidate's precision; by default the reference's weights in the
            candidate's dtype, run by the same code.
        limits: What passes, see `LayerLimits`.

    Returns:
        The report; as text, a table.

    Raises:
        InvalidComparison: If the models' stages do not correspond, or the tokenizers disagree.
        TypeError: If a model is no torch module, or prompts are neither texts nor ids.
        ValueError: If there are no prompts, an id is outside the vocabulary, or a model is in training mode or has no
            weights.
    """
    import torch

    with torch.no_grad():
        trio = _trio(candidate, reference, control, (prompts, tokenizer, reference_tokenizer), limits or LayerLimits())
        problems = preflight(trio)
        if problems:
            return _report(trio, control, problems)
        found = walked(trio)
        stages = _weighed(trio, found.stages)
        total = max(found.kl.positions, 1)
        return replace(
            _report(trio, control, ()),
            stages=stages,
            kl=found.kl.candidate / total,
            control_kl=found.kl.control / total,
        )


def assert_layers_close(
    candidate: Any,
    reference: Any,
    prompts: Any,
    *,
    tokenizer: Any = None,
    reference_tokenizer: Any = None,
    control: Any = None,
    limits: LayerLimits | None = None,
) -> LayerReport:
    """No stage of a candidate is at fault; see `compare_layers`.

    Raises:
        ModelRegression: If a stage is; the message begins with its name, and has the table of all stages.
        InvalidComparison: If a stage was not compared, or the comparison would say nothing: a model is not
            deterministic, or is not what its layers are.
        TypeError: As `compare_layers`.
        ValueError: As `compare_layers`; if candidate and reference are one object, or every prompt is one token, on
            which attention shows nothing.
    """
    __tracebackhide__ = True
    if candidate is reference:
        msg = "candidate and reference are one object, which agrees with itself; expected two models"
        raise ValueError(msg)
    report = compare_layers(
        candidate,
        reference,
        prompts,
        tokenizer=tokenizer,
        reference_tokenizer=reference_tokenizer,
        control=control,
        limits=limits,
    )
    if report.positions == report.prompts:
        msg = "every prompt is one token, on which attention shows nothing; expected texts of several tokens"
        raise ValueError(msg)
    if report.passed:
        return report
    raise (InvalidComparison if report.undecided else ModelRegression)(str(report), report)


def _trio(candidate: Any, reference: Any, control: Any, given: tuple[Any, Any, Any], limits: LayerLimits) -> Trio:
    vocabulary = min(_vocabulary(candidate), _vocabulary(reference))
    return trio_of(candidate, reference, control, batch_of(*given, vocabulary), limits)


def _vocabulary(model: Any) -> int:
    if hasattr(model, "get_input_embeddings"):
        return int(model.get_input_embeddings().weight.shape[0])
    return 1 << 31  # not a model of transformers: what is missing is said when its stages are looked for


def _report(trio: Trio, control: Any, problems: tuple[str, ...]) -> LayerReport:
    dtype = dtype_name(trio.candidate.dtype)
    return LayerReport(
        stages=(),
        problems=problems,
        prompts=len(trio.batch.rows),
        positions=trio.batch.positions,
        kl=0.0,
        control_kl=0.0,
        candidate_dtype=dtype,
        reference_dtype=dtype_name(trio.known_dtype),
        control=_described(trio) if control is None else "as given",
    )


def _described(trio: Trio) -> str:
    if trio.control.model is trio.reference.model:
        return f"the reference itself, and {number(trio.spacing)} for rounding"
    return f"the reference's weights in {dtype_name(trio.control.dtype)}"


def _weighed(trio: Trio, stages: tuple[StageFinding, ...]) -> tuple[StageFinding, ...]:
    """The stages, each of the worst culprits with what its repair would bring."""
    culprits = [culprit for stage in stages for culprit in stage.culprits]
    worst = sorted(culprits, key=lambda each: -(each.signature.ratio if each.signature else 0.0))[:_SWAPPED]
    recovered = recovered_kl(trio, [each.name for each in worst]) if worst else {}
    return tuple(_with_weight(stage, recovered) for stage in stages)


def _with_weight(stage: StageFinding, recovered: Mapping[str, float]) -> StageFinding:
    parts = tuple(_with_weight(part, recovered) for part in stage.parts)
    known = stage.verdict is StageVerdict.CULPRIT
    return replace(stage, parts=parts, recovered_kl=recovered.get(stage.name) if known else None)
