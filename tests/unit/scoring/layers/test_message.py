"""What a reader of a report sees: the culprit first, then a table that shows why."""

from __future__ import annotations

import json
from dataclasses import replace

import pytest
import torch

from pytest_llmval.scoring.tensors.layers.compare import compare_layers
from pytest_llmval.scoring.tensors.layers.finding import StageFinding, StageVerdict
from pytest_llmval.scoring.tensors.layers.message import COLUMNS
from pytest_llmval.scoring.tensors.layers.report import LayerReport

LEGEND = [
    "local: error on the reference's own input, relative to what the stage adds; control: the control's",
    "free: error on its own input = local + inherited, relative to the state; growth: of the incoming error",
]


def scaled(model, **factors):
    """The model with MLP output projections times a factor, `layer_1=1.1`."""
    for name, factor in factors.items():
        model.model.layers[int(name.removeprefix("layer_"))].mlp.down_proj.weight.data.mul_(factor)
    return model


def found(*names, **facts) -> LayerReport:
    """A report of which only some stages matter, all culprits unless a verdict is given."""
    known = {"verdict": StageVerdict.CULPRIT, "problem": "most at channel 7"} | facts
    return LayerReport(tuple(StageFinding(name, **known) for name in names), (), 2, 9, 0.1, 0.01, "b", "a", "as given")


def test_the_headline_comes_first_and_a_table_of_all_stages_follows(tiny, few):
    """Culprit, what its weight looks like, what its error looks like; precisions, prompts, control; divergence."""
    report = compare_layers(scaled(tiny(), layer_1=1.1), tiny(), few)

    lines = str(report).splitlines()

    assert lines[0] == (
        "layers.1.mlp.down_proj is at fault: its weight looks scaled by 1.1; error 0.1 of what it adds, the control's "
        "1.91e-06; scaled by 1.1"
    )
    assert lines[1] == (
        "float32 -> float32 on 3 prompts, 28 tokens; control: the reference itself, and 1.91e-06 for rounding"
    )
    assert lines[2] == f"KL(reference || candidate) {report.kl:.3g} nats a token, of the control 0"
    assert lines[3].split() == " ".join(COLUMNS).split()
    assert [line.split()[0] for line in lines[4:-2]] == [
        "embed_tokens", "rotary_emb", "mask", "layers.0", "layers.1", "layers.1.mlp.down_proj", "layers.2", "norm",
        "lm_head",
    ]  # fmt: skip
    assert lines[-2:] == LEGEND
    assert report.context == "\n".join(lines[1:3])


def test_a_row_of_the_table_has_its_figures_below_their_columns(tiny, few):
    """The culprit's line stands below its layer's; the words are said once."""
    lines = str(compare_layers(scaled(tiny(), layer_1=1.1), tiny(), few)).splitlines()[3:]

    header, layer, part = (next(line for line in lines if line.split()[0] == name) for name in (
        "stage", "layers.1", "layers.1.mlp.down_proj"
    ))  # fmt: skip
    assert part.startswith("  layers.1.mlp.down_proj  CULPRIT")
    assert part.endswith(
        "  its weight looks scaled by 1.1; error 0.1 of what it adds, the control's 1.91e-06; scaled by 1.1"
    )
    assert "scaled" not in layer
    end = header.index("local") + len("local")
    assert part[:end].endswith("  0.1")
    assert part[: header.index("recovers") + len("recovers")].split()[-1].startswith("0.0")


def test_a_report_without_a_fault_says_how_much_was_compared(tiny, few):
    """A pass has its numbers, too."""
    report = compare_layers(tiny(attention="sdpa"), tiny(), few)

    text = str(report)

    assert text.startswith("no stage is at fault: 8 stages compared\nfloat32 -> float32 on 3 prompts, 28 tokens; ")
    assert "control: the reference's weights in float32\n" in text
    assert text.count(" OK ") + text.count(" OK\n") == 8
    assert "CULPRIT" not in text


def test_an_undecided_report_says_why_and_has_no_table():
    """Nothing was compared, so there is nothing to show."""
    report = replace(found(), problems=("the candidate is not deterministic", "layers.1 is dead"))

    assert str(report).splitlines() == [
        "layers cannot be compared: the candidate is not deterministic",
        "layers.1 is dead",
        "a -> b on 2 prompts, 9 tokens; control: as given",
    ]


def test_other_culprits_are_named_after_the_first():
    """Up to four; beyond that they are counted."""
    sound = found(*"stuvwx", verdict=StageVerdict.OK).stages

    def headline(*names):
        return replace(found(), stages=(*found(*names).stages, *sound)).headline

    assert headline("a") == "a is at fault: most at channel 7"
    assert headline("a", "b") == "a is at fault: most at channel 7; so is b"
    assert headline("a", "b", "c") == "a is at fault: most at channel 7; so are b, c"
    assert headline(*"abcdefg") == "a is at fault: most at channel 7; so are b, c, d, e and 2 more"


def test_other_weights_altogether_are_called_so(tiny, few):
    """Twenty names would help nobody."""
    report = compare_layers(tiny(seed=1), tiny(), few)

    assert ": these seem to be other weights altogether, as of a version trained further" in report.headline
    assert report.headline.endswith("mark the test llmval_same_weights to skip it for those")
    assert report.headline.split()[:5] == [str(len(report.culprits)), "parts", "are", "at", "fault,"]


def test_a_long_model_is_shown_around_its_culprits(tiny, few):
    """First four, last three, and the neighbours of what is wrong; what is left out is counted."""
    reference = tiny(layers=30, hidden=32)

    report = compare_layers(scaled(tiny(layers=30, hidden=32), layer_12=1.1), reference, few)

    lines = str(report).splitlines()
    assert [line.split()[0] for line in lines[4:-2]] == [
        "embed_tokens", "rotary_emb", "mask", "layers.0", "...", "layers.11", "layers.12", "layers.12.mlp.down_proj",
        "layers.13", "...", "layers.29", "norm", "lm_head",
    ]  # fmt: skip
    assert [line.split() for line in lines if line.startswith("...")] == [
        ["...", "10", "stages", "OK"],
        ["...", "15", "stages", "OK"],
    ]


def test_every_stage_of_a_short_model_is_shown(tiny, few):
    """Up to 24 lines fit a screen."""
    reference = tiny(layers=19, hidden=32)

    text = str(compare_layers(tiny(layers=19, hidden=32), reference, few))

    assert "..." not in text
    assert len(text.splitlines()) == 3 + 1 + 24 + 2


def test_the_culprit_whose_repair_brings_most_comes_first(tiny, few):
    """Not the first in the network, nor the one with the larger error by itself."""
    report = compare_layers(scaled(tiny(), layer_0=1.02, layer_2=1.5), tiny(), few)

    names = [each.name for each in report.culprits]
    recovered = [each.recovered_kl for each in report.culprits]
    assert names == ["layers.2.mlp.down_proj", "layers.0.mlp.down_proj"]
    assert recovered == sorted(recovered, reverse=True)
    assert report.headline.endswith("; so is layers.0.mlp.down_proj")


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
@pytest.mark.parametrize(
    "path",
    ["model.embed_tokens", "model.layers.0.self_attn.k_proj", "model.layers.1.mlp.up_proj", "model.norm", "lm_head"],
)
def test_the_repair_of_a_single_culprit_brings_all_of_the_divergence(tiny, few, path, attention):
    """Whatever form of mask the candidate's attention takes."""
    candidate = tiny(attention=attention)
    candidate.get_submodule(path).weight.data.mul_(1.2)

    report = compare_layers(candidate, tiny(), few)

    assert [each.recovered_kl for each in report.culprits] == [pytest.approx(report.kl, rel=1e-3)]


@pytest.mark.parametrize("attention", ["eager", "sdpa"])
def test_the_repair_of_an_attention_brings_all_of_the_divergence(tiny, few, attention):
    """The reference then uses its own masks and tables, so that a fault of them is repaired, too."""
    candidate = tiny(attention=attention)
    candidate.model.layers[1].self_attn.scaling *= 1.5

    (culprit,) = (report := compare_layers(candidate, tiny(), few)).culprits

    assert culprit.name == "layers.1.self_attn"
    assert culprit.recovered_kl == pytest.approx(report.kl, rel=1e-3)


def test_a_stage_that_enlarges_an_error_is_no_culprit(tiny, few):
    """One huge channel carries the state, and the final norm mutes it: what was a small error is a large one then."""
    models = [tiny(), tiny()]
    for model in models:
        model.model.embed_tokens.weight.data[:, 0] = 50
        model.model.norm.weight.data[0] = 0
    candidate, reference = models
    scaled(candidate, layer_1=1.1)

    report = compare_layers(candidate, reference, few)

    (norm,) = report.amplifiers
    assert norm.name == "norm"
    assert norm.split.amplification > 2
    assert norm.problem == f"enlarges an incoming error {norm.split.amplification:.3g} times"
    assert norm.signature.ratio == 1
    assert [each.name for each in report.culprits] == ["layers.1.mlp.down_proj"]
    assert any("AMPLIFIER" in line and line.startswith("norm ") for line in str(report).splitlines())


def test_an_amplifier_without_an_error_is_none(tiny, few):
    """The same network without the fault."""
    models = [tiny(attention="sdpa"), tiny()]
    for model in models:
        model.model.embed_tokens.weight.data[:, 0] = 50
        model.model.norm.weight.data[0] = 0

    report = compare_layers(*models, few)

    assert report.passed
    assert report.amplifiers == ()


def test_a_report_is_kept_as_json(tiny, few):
    """Nested, with verdicts as text."""
    report = compare_layers(scaled(tiny(), layer_1=1.1), tiny(), few)

    kept = json.loads(json.dumps(report.to_dict(), allow_nan=False))

    layer = next(stage for stage in kept["stages"] if stage["name"] == "layers.1")
    assert layer["verdict"] == "CULPRIT"
    assert layer["parts"][0]["name"] == "layers.1.mlp.down_proj"
    assert layer["parts"][0]["recovered_kl"] == pytest.approx(report.kl, rel=1e-3)
    assert layer["split"].keys() == {"free", "local", "inherited", "alignment", "amplification", "control_free"}
    assert kept["prompts"] == 3


def test_numbers_that_json_lacks_are_kept_by_name(tiny, few):
    """`allow_nan=False` is how a strict reader sees it."""
    candidate = tiny()
    candidate.lm_head.weight.data[0, 0] = torch.nan

    kept = json.loads(json.dumps(compare_layers(candidate, tiny(), few).to_dict(), allow_nan=False))

    assert kept["kl"] == "nan"
    assert kept["stages"][-1]["recovered_kl"] == "inf"


def test_an_undecided_report_is_kept_as_json():
    """With its reasons."""
    kept = json.loads(json.dumps(replace(found(), problems=("why",)).to_dict(), allow_nan=False))

    assert (kept["stages"], kept["problems"]) == ([], ["why"])
