"""Before anything is compared: is the model that is run stage by stage the model, and does it pass anything on?"""

from __future__ import annotations

import pytest
import torch

from pytest_llmval.errors import InvalidComparison
from pytest_llmval.scoring.tensors.layers.compare import assert_layers_close, compare_layers


def with_dropout(model):
    """Evaluation mode everywhere but in one dropout."""
    model.transformer.h[1].mlp.dropout.train()
    return model


class Between(torch.nn.ModuleList):
    """Layers between which something happens that no layer does."""

    def __getitem__(self, index):
        """A slice, as the model's loop takes it, multiplies what each layer returns."""
        found = super().__getitem__(index)
        if not isinstance(index, slice):
            return found
        return [lambda hidden, layer=layer, **given: 1.01 * layer(hidden, **given) for layer in self._modules.values()]


def with_something_between(model):
    model.model.layers = Between(model.model.layers)
    return model


def with_a_dead_layer(model):
    model.model.layers[1].register_forward_hook(lambda _m, _i, output: torch.ones_like(output))
    return model


def require_undecided(report, reason):
    assert report.undecided
    assert not report.passed
    assert report.stages == ()
    assert report.problems == (reason,)
    assert report.headline == f"layers cannot be compared: {reason}"
    assert str(report).startswith(report.headline)


BETWEEN = (
    "run layer by layer gives other logits than run as a whole: it does something between or beside its layers that "
    "is not seen"
)


def test_a_dropout_left_on(tiny, few):
    """`model.eval()` was called, and a part set back to training after it."""
    candidate, reference = with_dropout(tiny("gpt2")), tiny("gpt2")

    reason = "gives other logits in a second run on the same prompts: make it deterministic first"
    require_undecided(compare_layers(candidate, reference, few), f"the candidate {reason}")
    require_undecided(compare_layers(reference, candidate, few), f"the reference {reason}")
    require_undecided(compare_layers(reference, reference, few, control=candidate), f"the control {reason}")


def test_something_between_the_layers(tiny, few):
    """The stages would all be right, and the model wrong."""
    candidate, reference = with_something_between(tiny()), tiny()

    require_undecided(compare_layers(candidate, reference, few), f"the candidate {BETWEEN}")
    require_undecided(compare_layers(reference, candidate, few), f"the reference {BETWEEN}")


def test_a_dead_layer(tiny, few):
    """What is wrong before it would not be seen behind it."""
    candidate, reference = with_a_dead_layer(tiny()), tiny()

    reason = "gives the same whatever it is given: it is skipped, or its input is not used"
    require_undecided(compare_layers(candidate, reference, few), f"layers.1 of the candidate {reason}")
    require_undecided(compare_layers(reference, candidate, few), f"layers.1 of the reference {reason}")


def test_every_reason_is_told(tiny, few):
    """The first is the headline, and the others follow it."""
    report = compare_layers(with_a_dead_layer(tiny()), with_something_between(tiny()), few)

    first, second = str(report).splitlines()[:2]
    assert first.startswith("layers cannot be compared: layers.1 of the candidate gives the same")
    assert second == f"the reference {BETWEEN}"


def test_the_assertion_calls_it_invalid_and_not_a_regression(tiny, few):
    """And the report is at hand in the error."""
    with pytest.raises(
        InvalidComparison, match="layers cannot be compared: the candidate run layer by layer"
    ) as raised:
        assert_layers_close(with_something_between(tiny()), tiny(), few)

    assert raised.value.report.undecided


def test_a_layer_that_is_skipped_is_a_fault_and_not_dead(tiny, few):
    """What comes in goes on, so that the comparison says something."""
    candidate = tiny()
    candidate.model.layers[1].register_forward_hook(lambda _m, given, _o: given[0])

    report = compare_layers(candidate, tiny(), few)

    assert [each.name for each in report.culprits] == ["layers.1"]
    assert report.culprits[0].hint == "its modules agree: wrong at its end"
    assert report.culprits[0].recovered_kl == pytest.approx(report.kl)


def test_both_skip_a_layer(tiny, few):
    """A layer that adds nothing has no size to which an error could be relative, and none is found."""
    models = [tiny(), tiny()]
    for model in models:
        model.model.layers[1].register_forward_hook(lambda _m, given, _o: given[0])

    assert compare_layers(*models, few).passed


def test_the_models_are_left_as_they_were(tiny, half, few):
    """No hook, no stub and no weight is left behind, also after a fault."""
    candidate, reference = half(tiny(attention="sdpa")), tiny()
    candidate.model.layers[1].mlp.down_proj.weight.data.mul_(1.1)
    before = [_state(model) for model in (candidate, reference)]

    compare_layers(candidate, reference, few)

    for model, (modules, weights, hooks) in zip((candidate, reference), before, strict=True):
        after = _state(model)
        assert after[0] == modules
        assert after[2] == hooks
        assert all(torch.equal(ours, theirs) for ours, theirs in zip(after[1], weights, strict=True))


def _state(model):
    modules = [(name, id(module)) for name, module in model.named_modules()]
    hooks = sum(len(each._forward_hooks) + len(each._forward_pre_hooks) for each in model.modules())
    return modules, [weight.clone() for weight in model.state_dict().values()], hooks
