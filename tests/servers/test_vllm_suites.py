"""The example suites, the contract and an adapter against vLLM."""

import pytest

CONTRACT = ("--pyargs", "pytest_llmval.contracts.test_server")
IN_THE_FILES, IN_THE_CONTRACT = 2 + 23 + 3, 10


@pytest.mark.vllm
def test_vllm(run, suites):
    """Every suite passes, every greedy answer and choice is the engine's, and the contract holds."""
    files = (suites / "test_quiz.py", suites / "test_faq.py", "test_same.py")
    others = tuple(suites / f"test_{name}.py" for name in ("extraction", "orders", "refusals", "sampling"))

    result = run("v1-vllm", *files, *others, *CONTRACT, environment="vllm")

    result.stdout.fnmatch_lines(["*test_faq_texts same_answers * same", "*test_totals same_answers * same"])
    result.stdout.fnmatch_lines(["*test_quiz_choices same_answers * same"])
    assert result.ret == 0
    assert result.parseoutcomes()["passed"] >= IN_THE_FILES + IN_THE_CONTRACT


@pytest.mark.vllm
@pytest.mark.filterwarnings("ignore:`is_gradient_checkpointing` is deprecated:FutureWarning")
def test_an_adapter_on_vllm(run, suites, pytester):
    """The answers are those of the engine with the same LoRA adapter, and not those of the model without it."""
    make_adapter(suites / "models" / "v1", pytester.path / "adapter", rank=24)
    lines = 'model = "models/v1"\nadapter = "adapter"\n'
    vllm = 'server = "vllm"\npython = "../.venv/vllm/bin/python"\nenv = { VLLM_CPU_KVCACHE_SPACE = "1" }\n'
    more = f'[models.tuned]\n{lines}[models.tuned-vllm]\n{lines}{vllm}args = ["--enforce-eager"]\n'

    same = run("tuned-vllm", "test_same.py", "-k=faq", baseline="tuned", more=more, environment="vllm")
    other = run("tuned", "test_same.py", "-k=faq", baseline="v1", more=more)

    same.assert_outcomes(passed=1, deselected=2)
    other.assert_outcomes(failed=1, deselected=2)


def make_adapter(model_folder, folder, rank):
    """A LoRA adapter of a model that changes its answers, its weights random."""
    import torch
    from peft import LoraConfig, get_peft_model
    from transformers import AutoModelForCausalLM

    torch.manual_seed(3)
    config = LoraConfig(r=rank, lora_alpha=2 * rank, target_modules=["q_proj", "v_proj"], task_type="CAUSAL_LM")
    model = get_peft_model(AutoModelForCausalLM.from_pretrained(model_folder), config)
    for name, weights in model.named_parameters():
        if "lora_" in name:
            torch.nn.init.normal_(weights, std=0.1)
    model.save_pretrained(folder)
