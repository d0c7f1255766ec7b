"""`pytest --pyargs pytest_llmval.contracts` holds any model folder to the contracts, from any directory."""

from __future__ import annotations

import json

import pytest

CONTRACTS = "pytest_llmval.contracts"
QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-rs")
LONG = "not every_tokenizer and not TestServer"
"""All but the test with a text of a million characters and those of the server, which take seconds."""


@pytest.fixture
def contracts(pytester, models):
    """A function that runs the contracts on versions: names of example models, or folders."""

    def run(*args, versions=(), subprocess=False):
        named = [
            f"--{role}-version={models / version}"
            for role, version in zip(("model", "baseline"), versions, strict=False)
        ]
        start = pytester.runpytest_subprocess if subprocess else pytester.runpytest_inprocess
        return start(*QUIET, "--pyargs", CONTRACTS, *named, *args)

    return run


@pytest.mark.parametrize(
    ("options", "outcomes"),
    [
        (("--import-mode=prepend", "-k", LONG), {"passed": 21, "skipped": 3, "deselected": 11}),
        (("--import-mode=importlib", "-n", "2", "-k", "finite or faithfully or repeat"), {"passed": 4}),
    ],
    ids=["prepend", "importlib, distributed"],
)
def test_a_sound_version_passes_from_an_empty_folder(pytester, contracts, options, outcomes):
    """No llmval.toml, no suite, warnings as errors: v2 is held to the contracts, and to what v1 can do."""
    result = contracts("-W", "error", *options, versions=("v2", "v1"), subprocess="-n" in options)

    result.assert_outcomes(**outcomes)
    assert result.ret == 0
    assert not list(pytester.path.glob("*.py"))


def test_without_a_version_all_is_skipped(contracts):
    """The reason says how to name one."""
    result = contracts()

    result.assert_outcomes(skipped=35)
    result.stdout.fnmatch_lines(["SKIPPED*no model version: name one with --model-version NAME*"])


def test_a_template_that_the_model_was_not_trained_on(contracts):
    """v4 against v1: the contract of the chat template fails, and says what changed."""
    result = contracts("-k", "TestChatTemplate or TestTokenizer and baseline", versions=("v4", "v1"))

    result.assert_outcomes(passed=2, failed=1, skipped=2, deselected=30)
    result.stdout.fnmatch_lines(
        [
            "*TestChatTemplate.test_can_do_what_the_baseline_can*",
            "E*ModelRegression: chat template: 3 capabilities flipped (baseline -> candidate)",
            "E*ends_answer_with_control_token: yes -> no",
            "E*control_tokens: '<|user|>' lost, '<|assistant|>' lost, '</s>' lost",
        ]
    )


def test_profiles_are_told(contracts):
    """What was probed stands in the output of the test that probes it."""
    result = contracts("-rP", "-k", "faithfully or logits", versions=("v1",))

    result.assert_outcomes(passed=2, deselected=33)
    result.stdout.fnmatch_lines(
        [
            "*test_renders_conversations_faithfully*",
            "profile of the chat template",
            "  yes: prompt stable, *",
            "  no: separates user text, *",
            "  control tokens: '<s>', '<|user|>', '<|assistant|>', '</s>'",
            "*test_logits_are_finite*",
            "profile of the model",
            "  yes: takes position ids, has rotary positions, keeps key value cache, gives loss",
        ]
    )


def test_the_same_weights_claimed_wrongly(contracts):
    """v5 has two heads of one layer swapped: the layer is named. Its tokenizer and template are those of v1."""
    result = contracts("--llmval-same-weights", "-k", "of_the_baseline", versions=("v5", "v1"))

    result.assert_outcomes(passed=2, failed=1, deselected=32)
    result.stdout.fnmatch_lines(["E*ModelRegression: layers.3.self_attn.q_proj is at fault: *heads permuted*"])


@pytest.mark.parametrize(
    ("family", "skipped"),
    [
        ("gpt2", ["GPT2LMHeadModel has no rotary position embeddings"]),
        ("qwen2", []),
        ("gemma3", []),
        (
            "mamba",
            ["MambaForCausalLM.forward has no position_ids", *["MambaForCausalLM.forward has no past_key_values"] * 2],
        ),
    ],
)
def test_random_models_of_other_families(contracts, saved, family, skipped):
    """A sound folder passes; what its family lacks is skipped with that reason."""
    result = contracts("-k", f"{LONG} and not baseline and not decoding", versions=(saved(family),))

    outcomes = result.parseoutcomes()
    assert "failed" not in outcomes
    assert "errors" not in outcomes
    result.stdout.fnmatch_lines(["SKIPPED*the tokenizer has no chat template"])
    result.stdout.fnmatch_lines_random([f"SKIPPED*{reason}" for reason in skipped])
    assert result.stdout.str().count("SKIPPED [") == 1 + len(skipped)


def test_a_folder_without_tokenizer(contracts, saved):
    """Tests that need one are skipped, and name the files that were looked for; numbers need none."""
    result = contracts("-k", "not baseline and not decoding", versions=(saved("gpt2", tokenizer=False),))

    result.assert_outcomes(passed=14, skipped=14, deselected=7)
    result.stdout.fnmatch_lines(["SKIPPED*gpt2 has no tokenizer: *gpt2 holds no tokenizer.json, no tokenizer.model, *"])


def test_a_tokenizer_that_was_lost(contracts, saved, models):
    """The baseline has one: that is a regression, and no mere capability."""
    result = contracts("-k", "TestTokenizer", versions=(saved(tokenizer=False), models / "v1"))

    result.assert_outcomes(failed=1, skipped=2, deselected=32)
    result.stdout.fnmatch_lines(["E*ModelRegression: tokenizer: the baseline has one -> llama has no tokenizer: *"])


def test_a_vocabulary_that_was_lost(contracts, copied):
    """The tokenizer cannot be read, and the reason is all there though transformers gives it in several lines."""
    folder = copied("v1")
    (folder / "tokenizer.json").unlink()

    result = contracts("-k", "every_token", versions=(folder,))

    result.assert_outcomes(errors=2, deselected=33)
    result.stdout.fnmatch_lines(["model version 'v1-copy': tokenizer of *v1-copy cannot be read: *serialization file*"])


def test_a_vocabulary_that_was_lost_unnoticed(contracts, saved):
    """For some classes transformers makes a tokenizer that knows special tokens alone: all text would be unknown."""
    folder = saved("gpt2", tokenizer=False)
    (folder / "tokenizer_config.json").write_text("{}")

    result = contracts("-k", "every_token", versions=(folder,))

    result.assert_outcomes(errors=2, deselected=33)
    result.stdout.fnmatch_lines(
        ["model version 'gpt2': the tokenizer of *gpt2 knows no text, only *; is a vocabulary file missing, *"]
    )


def edit_json(path, **changes):
    """Change some values of a JSON file."""
    path.write_text(json.dumps(json.loads(path.read_text()) | changes))


def test_an_end_of_sequence_beyond_the_vocabulary(contracts, copied):
    """The config names it, and the tokenizer another one."""
    folder = copied("v1")
    edit_json(folder / "config.json", eos_token_id=9999)
    edit_json(folder / "generation_config.json", eos_token_id=9999)

    result = contracts("-k", "TestNumerics and (embedding or finite)", versions=(folder,))

    result.assert_outcomes(passed=2, failed=1, deselected=32)
    result.stdout.fnmatch_lines(
        [
            "E*ModelRegression: tokenizer and model do not fit",
            "E*eos_token_id 9999 of the config is no id from 0 to 1535",
            "E*eos_token_id: tokenizer 2, config 9999",
        ]
    )


def test_a_tokenizer_larger_than_the_embedding(contracts, copied):
    """A token was added, and the model not resized."""
    folder = copied("v1")
    tokenizer = json.loads((folder / "tokenizer.json").read_text())
    added = {**tokenizer["added_tokens"][-1], "id": 1536, "content": "<|tool|>"}
    edit_json(folder / "tokenizer.json", added_tokens=[*tokenizer["added_tokens"], added])

    result = contracts("-k", "TestNumerics and (embedding or finite)", versions=(folder,))

    result.assert_outcomes(passed=2, failed=1, deselected=32)
    result.stdout.fnmatch_lines(["E*the tokenizer has 1537 tokens, the embedding 1536 rows; ids from 1536 on, *"])


def test_a_weight_that_is_nan(contracts, copied):
    """The weight is named; of the logits, which are NaN then, nothing more is said."""
    from safetensors.torch import load_file, save_file

    folder = copied("v1")
    weights = load_file(folder / "model.safetensors")
    weights["model.layers.2.mlp.up_proj.weight"][0, 0] = float("nan")
    save_file(weights, folder / "model.safetensors", metadata={"format": "pt"})

    result = contracts("-k", "TestNumerics and not baseline", versions=(folder,))

    result.assert_outcomes(passed=2, failed=2, skipped=13, deselected=18)
    result.stdout.fnmatch_lines(
        ["E*ModelRegression: *'model.layers.2.mlp.up_proj.weight': 1 of *", "SKIPPED*the logits are not finite"]
    )


@pytest.mark.parametrize(
    ("name", "message"),
    [
        ("nowhere/at/all", "*no such folder, and no such name in [[]models[]]*"),
        ("empty", "*empty is no Hugging Face model: it has no config.json"),
        ("empty/notes.txt", "*no such folder, and no such name in [[]models[]]*"),
    ],
    ids=["no folder", "a folder without config", "a file"],
)
def test_what_is_no_model_stops_before_any_test(pytester, contracts, name, message):
    """A usage error, which says what is wrong."""
    folder = pytester.mkdir("empty")
    (folder / "notes.txt").write_text("")

    result = contracts(versions=(pytester.path / name,))

    assert result.ret == pytest.ExitCode.USAGE_ERROR
    result.stderr.fnmatch_lines([f"ERROR: --model-version {message}"])
