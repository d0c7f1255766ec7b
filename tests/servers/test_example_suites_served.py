"""The example suites and the server contract against servers that others wrote, each over the weights of v1."""

import os
import re
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SUITES = ROOT / "example_suites"
BIN = Path(sys.executable).parent
QUIET = ("-p", "no:cacheprovider", "-p", "no:hypothesispytest", "-rs")
SAME = f"""
from pytest_llmval import assert_same_answers, cases

faq = cases({str(SUITES / "data/faq.jsonl")!r}, chat="{{question}}", max_tokens=48)
totals = cases({str(SUITES / "data/orders.jsonl")!r}, chat="{{question}}", max_tokens=64)
quiz = cases({str(SUITES / "data/quiz.jsonl")!r}, chat="{{question}}", choices="{{options}}", answer="{{gold}}")

@faq.all
def test_faq_texts(responses, baseline_responses):
    assert_same_answers(responses, baseline_responses)

@totals.all
def test_totals(responses, baseline_responses):
    assert_same_answers(responses, baseline_responses)

@quiz.all
def test_quiz_choices(responses, baseline_responses):
    assert_same_answers(responses, baseline_responses)
"""


def interpreter(name):
    """That of a server's own environment, which its make target makes."""
    variable = f"LLMVAL_{name.upper()}_PYTHON"
    path = Path(os.environ.get(variable, ROOT / ".venv" / name / "bin" / "python"))
    assert path.exists(), f"there is no {path}: make .venv/{name}/ready, or name an interpreter in {variable}"
    return path


@pytest.fixture
def run(pytester, monkeypatch):
    """A function that runs files against a version of the example suites, with v1 as the baseline."""
    monkeypatch.delenv("PYTEST_XDIST_WORKER", raising=False)
    monkeypatch.setenv("PATH", f"{BIN}{os.pathsep}{os.environ['PATH']}")

    def run_(version, *files, baseline="v1", more="", environment=""):
        config = (SUITES / "llmval.toml").read_text(encoding="utf-8") + more
        config = re.sub(r'"((?:models|serving)/)', rf'"{SUITES}/\1', config)
        if environment:
            config = config.replace(f"../.venv/{environment}/bin/python", str(interpreter(environment)))
        pytester.path.joinpath("llmval.toml").write_text(config, encoding="utf-8")
        pytester.makepyfile(test_same=SAME)
        named = (f"--model-version={version}", f"--baseline-version={baseline}", f"--rootdir={pytester.path}")
        return pytester.runpytest_subprocess(*QUIET, *named, "--llmval-config=llmval.toml", *files, timeout=1500)

    return run_


FILES = (SUITES / "test_quiz.py", SUITES / "test_faq.py", "test_same.py")
CONTRACT = ("--pyargs", "pytest_llmval.contracts.test_server")
IN_THE_FILES, IN_THE_CONTRACT = 2 + 23 + 3, 10


@pytest.mark.servers
def test_triton(run):
    """Every suite passes, every greedy answer and choice is the engine's, and the contract holds."""
    result = run("v1-triton", *FILES, *CONTRACT, environment="triton")

    result.assert_outcomes(passed=IN_THE_FILES + IN_THE_CONTRACT)
    result.stdout.fnmatch_lines(["*test_faq_texts same_answers * same", "*test_totals same_answers * same"])
    result.stdout.fnmatch_lines(["*test_quiz_choices same_answers * same"])


@pytest.mark.servers
def test_transformers_serve(run):
    """Every greedy answer is the engine's; what needs logprobs skips and says that they were asked for in vain."""
    result = run("v1-serve", *FILES)

    result.assert_outcomes(passed=IN_THE_FILES - 4, skipped=4)
    result.stdout.fnmatch_lines(["*test_faq_texts same_answers * same", "*test_totals same_answers * same"])
    result.stdout.fnmatch_lines(["*lacks the capability 'loglikelihood': asked for the logprobs*none came back*"])


@pytest.mark.vllm
def test_vllm(run):
    """Every suite passes, every greedy answer and choice is the engine's, and the contract holds."""
    others = tuple(SUITES / f"test_{name}.py" for name in ("extraction", "orders", "refusals", "sampling"))

    result = run("v1-vllm", *FILES, *others, *CONTRACT, environment="vllm")

    result.stdout.fnmatch_lines(["*test_faq_texts same_answers * same", "*test_totals same_answers * same"])
    result.stdout.fnmatch_lines(["*test_quiz_choices same_answers * same"])
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] >= IN_THE_FILES + IN_THE_CONTRACT


@pytest.mark.vllm
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_an_adapter_on_vllm(run, pytester):
    """The answers are those of the engine with the same LoRA adapter, and not those of the model without it."""
    make_adapter(pytester.path / "adapter", rank=24)
    lines = 'model = "models/v1"\nadapter = "adapter"\n'
    vllm = 'server = "vllm"\npython = "../.venv/vllm/bin/python"\nenv = { VLLM_CPU_KVCACHE_SPACE = "1" }\n'
    more = f'[models.tuned]\n{lines}[models.tuned-vllm]\n{lines}{vllm}args = ["--enforce-eager"]\n'

    same = run("tuned-vllm", "test_same.py", "-k=faq", baseline="tuned", more=more, environment="vllm")
    other = run("tuned", "test_same.py", "-k=faq", baseline="v1", more=more)

    same.assert_outcomes(passed=1, deselected=2)
    other.assert_outcomes(failed=1, deselected=2)


def make_adapter(folder, rank):
    """A LoRA adapter of v1 that changes its answers, its weights random."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(SUITES / "models" / "v1"), config)
    for name, weights in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weights, std=0.1)
    model.save_pretrained(folder)
