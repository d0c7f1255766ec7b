"""Environment: what counts as another one, and which golden is nearest."""

from __future__ import annotations

import subprocess
import sys

import numpy as np
import torch

from pytest_llmval.scoring.tensors.golden.environment import changes_between, digest_of, facts_of, nearest


def test_the_facts_of_a_plain_process_name_no_switch():
    """Device class, machine and torch; whether torch is imported makes no difference."""
    program = (
        "from pytest_llmval.scoring.tensors.golden.environment import facts_of\n"
        "import sys; assert 'torch' not in sys.modules; print(sorted(facts_of({'cpu'}).items()))"
    )

    apart = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True)

    assert apart.stdout.strip() == str(sorted(facts_of({"cpu"}).items()))
    assert set(facts_of({"cpu", "cpu:0"})) == {"device", "machine", "torch"}
    assert facts_of({"cpu", "cpu:0"})["device"] == "cpu"


def test_a_switch_of_torch_that_changes_numbers_is_a_fact(monkeypatch):
    """Deterministic algorithms, TF32 and reduced precision, by the name that torch gives them."""
    monkeypatch.setattr(torch.backends.cudnn, "benchmark", True)
    before = torch.get_float32_matmul_precision()
    try:
        torch.set_float32_matmul_precision("high")
        torch.use_deterministic_algorithms(mode=True)
        facts = facts_of({"cpu"})
    finally:
        torch.use_deterministic_algorithms(mode=False)
        torch.set_float32_matmul_precision(before)

    changes = {change.name: change.new for change in changes_between(facts_of({"cpu"}), facts)}
    assert changes["are_deterministic_algorithms_enabled"] == "true"
    assert changes["backends.cuda.matmul.fp32_precision"] == "tf32"


def test_facts_of_the_suite_count(here):
    """The attention implementation is known to the suite only."""
    facts = here | {"attention": "eager"}

    assert digest_of(facts) != digest_of(here)
    assert digest_of(dict(reversed(facts.items()))) == digest_of(facts)
    assert [str(change) for change in changes_between(here, facts)] == ["attention unknown -> eager"]


def test_the_nearest_golden_differs_in_the_fewest_facts_then_is_the_newest(here, golden_of):
    """No silent choice: the same one on every machine."""
    value = np.ones(2)
    far = golden_of(value, facts={"torch": "1", "device": "cuda"}, written_at="2026-09-01")
    old = golden_of(value, facts=here | {"torch": "1"}, written_at="2026-01-01")
    new = golden_of(value, facts=here | {"torch": "2"}, written_at="2026-02-01")

    assert nearest([far, old, new], here) is new
    assert nearest([new, old, far], here) is new
    assert nearest([], here) is None
