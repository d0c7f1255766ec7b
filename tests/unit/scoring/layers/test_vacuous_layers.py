"""Checks of well-known suites that pass whatever a layer does, and ours on the same models.

Numerics §7. As in the tests of tensors, each first shows that their rule passes, then that ours fails.
"""

from __future__ import annotations

import math
from functools import reduce
from operator import xor

import pytest
import torch

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.layers.compare import assert_layers_close
from pytest_llmval.scoring.tensors.layers.finding import StageFinding, StageVerdict
from pytest_llmval.scoring.tensors.layers.report import LayerReport

TOP = 5
HEAD = 16


def logits_of(model, prompts) -> list[torch.Tensor]:
    with torch.no_grad():
        return [model(input_ids=torch.tensor([row])).logits[0] for row in prompts]


def check_logprobs_close(candidate, reference) -> None:
    """VLLM's rule (tests/models/utils.py): where tokens first differ, each is in the other's top 5."""
    for ours, theirs in zip(candidate, reference, strict=True):
        differing = (ours.argmax(-1) != theirs.argmax(-1)).nonzero().flatten().tolist()
        for at in differing[:1]:
            assert ours[at].argmax() in theirs[at].topk(TOP).indices
            assert theirs[at].argmax() in ours[at].topk(TOP).indices


def with_heads_rolled(model):
    """One layer's keys, every head in the place of the next one."""
    weight = model.model.layers[3].self_attn.k_proj.weight
    weight.data = weight.data.roll(HEAD, dims=0)
    return model


def test_v4_logprobs_that_are_looked_at_at_the_end_only(tiny, half, prompts):
    """Numerics §1.6: K heads rolled in one layer of six pass the top-5 rule.

    Of 512 random logits the ranks change by less, so there are 64 here.
    """
    reference = tiny(layers=6, vocabulary=64)
    candidate = half(with_heads_rolled(tiny(layers=6, vocabulary=64)))
    prompts = [[token % 64 for token in row] for row in prompts]

    check_logprobs_close(logits_of(candidate, prompts), logits_of(reference, prompts))
    with pytest.raises(
        ModelRegression, match=r"^layers\.3\.self_attn\.k_proj is at fault: its weight looks heads perm"
    ):
        assert_layers_close(candidate, reference, prompts)


def test_v4_norms_of_the_logits_that_one_layer_hardly_moves(tiny, half, prompts):
    """Cosine of at least 0.99: an MLP of one layer that is 5 % too large."""
    reference = tiny(layers=6)
    candidate = half(reference)
    candidate.model.layers[3].mlp.down_proj.weight.data.mul_(1.05)

    pairs = zip(logits_of(candidate, prompts), logits_of(reference, prompts), strict=True)
    assert all(torch.cosine_similarity(ours.float(), theirs, dim=-1).min() > 0.99 for ours, theirs in pairs)
    with pytest.raises(ModelRegression, match=r"^layers\.3\.mlp\.down_proj is at fault"):
        assert_layers_close(candidate, reference, prompts)


def test_v9_weights_with_nan_are_left_out(tiny, few):
    """TransformerLens' weight test drops tensors with NaN before it compares the others."""
    reference, candidate = tiny(), tiny()
    candidate.model.layers[1].mlp.gate_proj.weight.data[0] = torch.nan

    ours, theirs = candidate.state_dict(), reference.state_dict()
    kept = [name for name, weight in ours.items() if weight.isfinite().all()]
    assert all(torch.equal(ours[name], theirs[name]) for name in kept)
    with pytest.raises(ModelRegression, match=r"^layers\.1\.mlp\.gate_proj is at fault: .*NaN or infinite"):
        assert_layers_close(candidate, reference, few)


def test_v9_half_of_the_value_as_tolerance(tiny, few):
    """TransformerLens' forward hooks: 0.5 for every stage, which a whole attention does not add."""
    reference, candidate = tiny(), tiny()
    candidate.model.layers[1].self_attn.o_proj.weight.data.mul_(0.9)

    pairs = zip(logits_of(candidate, few), logits_of(reference, few), strict=True)
    assert all(torch.allclose(ours, theirs, atol=0.5) for ours, theirs in pairs)
    with pytest.raises(
        ModelRegression, match=r"^layers\.1\.self_attn\.o_proj is at fault: its weight looks scaled by 0\.9"
    ):
        assert_layers_close(candidate, reference, few)


def hashes(output: torch.Tensor) -> tuple[float, int]:
    """Those of torch's DebugMode: the L1 norm, and the XOR of the bits."""
    return float(output.double().abs().sum()), reduce(xor, output.contiguous().view(torch.int32).ravel().tolist())


def change_outputs(model, path, change):
    """What a module returns, changed; and the hashes of what it returned in the last forward pass."""
    seen = []

    def replace(_m, _i, output):
        changed = change(output)
        seen.append((hashes(output), hashes(changed)))
        return changed

    model.get_submodule(path).register_forward_hook(replace)
    return seen


@pytest.mark.parametrize(
    ("path", "change"),
    [
        ("layers.1.self_attn.k_proj", lambda output: output.roll(HEAD, dims=-1)),
        ("layers.1.mlp.down_proj", lambda output: output.flip(0)),
        ("layers.1.self_attn.q_proj", lambda output: output.roll(1, dims=1)),
    ],
    ids=["heads", "rows of the batch", "positions"],
)
def test_v10_hashes_that_are_blind_to_order(tiny, path, change):
    """Equal input hashes and equal output hashes: nothing is found, whatever was swapped."""
    prompts = [[1, 2, 3, 4, 5], [6, 7, 8, 9, 10], [11, 12, 13, 14, 15]]
    candidate = tiny()
    seen = change_outputs(candidate, f"model.{path}", change)

    with pytest.raises(ModelRegression) as raised:
        assert_layers_close(candidate, tiny(), prompts)

    assert all(math.isclose(ours[0], theirs[0], rel_tol=1e-12) and ours[1] == theirs[1] for ours, theirs in seen)
    assert str(raised.value).startswith(f"{path} is at fault: its weights are equal: the fault is in its code")


def report_of(*stages: StageFinding) -> LayerReport:
    return LayerReport(stages, (), 2, 9, 0.0, 0.0, "float32", "float32", "as given")


@pytest.mark.parametrize(
    "stages",
    [
        (),
        (StageFinding("layers.0", StageVerdict.NOT_COMPARED, "no output"),),
        (StageFinding("layers.0", StageVerdict.OK), StageFinding("layers.1", StageVerdict.NOT_COMPARED, "no output")),
        (
            StageFinding(
                "layers.0",
                StageVerdict.OK,
                parts=(StageFinding("layers.0.mlp", StageVerdict.NOT_COMPARED, "no output"),),
            ),
        ),
    ],
    ids=["none", "all skipped", "one skipped", "a part skipped"],
)
def test_v10_skipped_stages_never_pass(stages):
    """Sglang's comparator allows every tensor to be skipped by default."""
    report = report_of(*stages)

    assert not report.passed
    assert report.undecided
    assert report.headline.endswith(("was not compared: no output", "nothing was compared"))


def test_v10_a_skipped_stage_does_not_hide_a_culprit():
    """What is known to be wrong is wrong."""
    report = report_of(
        StageFinding("layers.0", StageVerdict.NOT_COMPARED, "no output"),
        StageFinding("layers.1", StageVerdict.CULPRIT, "most at channel 7"),
    )

    assert not report.passed
    assert not report.undecided


def _fused(hidden, gate, up):
    return torch.nn.functional.silu(hidden @ gate.T) * (hidden @ up.T)


def test_v10_a_candidate_that_does_not_call_a_module_is_no_pass(tiny, few):
    """A fused MLP has no gate of its own: its parts are not compared, and the layer is."""
    candidate, reference = tiny(attention="sdpa"), tiny()
    mlp = candidate.model.layers[1].mlp
    gate, up, down = (each.weight for each in (mlp.gate_proj, mlp.up_proj, mlp.down_proj))
    mlp.forward = lambda hidden: _fused(hidden.double(), gate.double(), up.double()).float() @ down.T

    with pytest.raises(InvalidComparison, match=r"^layers\.1\.mlp\.gate_proj was not compared: the candidate does not"):
        assert_layers_close(candidate, reference, few)
