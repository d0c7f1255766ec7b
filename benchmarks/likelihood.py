"""What likelihoods cost: one source tree beside another, and beside the schedule of a harness, in CPU seconds.

Each way scores the same texts in a process of its own, in turn, several times over; loading is not counted. The
harness's schedule, written down here, is that of lm-evaluation-harness 0.4.13: all requests sorted by length, sixteen
rows a batch, one row for equal contexts with single-token choices, a log-softmax over all positions. Blocks of 32
cases are asked one after the other, as a case set asks them.
"""

from __future__ import annotations

import argparse
import json
import os
import random
import resource
import statistics
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

ROOT = Path(__file__).parents[1]
TRAINED = ROOT / "example_suites" / "models" / "v1"
BLOCK = 32
HARNESS = "harness"
TEXT = "You can return any unused item within thirty days of purchase and the refund is paid in a week by card"
WORDS = TEXT.split()


def sentence(draw: random.Random, words: int) -> str:
    """Random words."""
    return " ".join(draw.choice(WORDS) for _ in range(words))


def choice(draw: random.Random, cases: int) -> list[tuple[str, tuple[str, ...]]]:
    """Contexts of about 100 tokens with four options of a few words."""
    return [
        (sentence(draw, draw.randrange(45, 95)), tuple(" " + sentence(draw, draw.randrange(3, 12)) for _ in range(4)))
        for _ in range(cases)
    ]


def letters(draw: random.Random, cases: int) -> list[tuple[str, tuple[str, ...]]]:
    """Three fixed shots of about 360 tokens, a question of its own, and single letters to choose from."""
    shots = "\n".join(f"Q: {sentence(draw, 78)}\nA: A" for _ in range(3))
    return [(f"{shots}\nQ: {sentence(draw, draw.randrange(20, 60))}\nA:", ("A", "B", "C", "D")) for _ in range(cases)]


def documents(draw: random.Random, cases: int) -> list[str]:
    """Texts of very different lengths, some longer than the context."""
    return [sentence(draw, int(draw.lognormvariate(4.8, 0.7)) + 5) for _ in range(cases)]


TASKS = {"choice": (choice, 300), "letters": (letters, 300), "perplexity": (documents, 120)}


def random_model(folder: Path) -> Path:
    """A random Llama of hidden 256 in 6 layers over 8192 tokens, with the tokenizer of the trained model."""
    import torch
    from transformers import AutoModelForCausalLM, AutoTokenizer, LlamaConfig

    torch.manual_seed(0)
    sizes = {"hidden_size": 256, "intermediate_size": 768, "num_hidden_layers": 6, "num_attention_heads": 8}
    config = LlamaConfig(
        **sizes, num_key_value_heads=4, vocab_size=8192, max_position_embeddings=512, initializer_range=1 / 16
    )
    AutoModelForCausalLM.from_config(config).save_pretrained(folder)
    AutoTokenizer.from_pretrained(TRAINED).save_pretrained(folder)
    return folder


def open_engine(model: str) -> Any:
    """The engine of whatever source tree is on the path."""
    from pytest_llmval.servers.engine import TransformersEngine
    from pytest_llmval.settings import ModelSettings

    engine = TransformersEngine(ModelSettings(name="model", model=model), batch_size=BLOCK)
    engine.network  # noqa: B018 - loaded here, so that it is not counted
    return engine


def by_engine(engine: Any, task: str, asked: list[Any]) -> list[float]:
    """Log-likelihoods by the engine, a block at a time."""
    from pytest_llmval.servers.exchange import Request

    if task == "perplexity":
        return [each.logprob for each in engine.document_likelihood(asked)]
    found: list[float] = []
    for block in (asked[at : at + BLOCK] for at in range(0, len(asked), BLOCK)):
        responses = engine.answer([Request(prompt, choices=options) for prompt, options in block])
        found += [logprob for response in responses for logprob in response.choice.logprobs]
    return found


def by_harness(engine: Any, task: str, asked: list[Any]) -> list[float]:
    """Log-likelihoods by a harness's schedule on the same model."""
    import torch

    from pytest_llmval.servers.engine.documents import cut_windows, encode_document
    from pytest_llmval.servers.engine.likelihood import prepare_pair

    network, tokenizer = engine.network, engine.tokenizer
    if task == "perplexity":
        cut = [cut_windows(encode_document(tokenizer, text), network.context_length) for text in asked]
        # Rolling windows are not sorted across documents.
        found = iter(_rows(network, [(tail.ids, tail.scored) for tails in cut for tail in tails], in_order=True))
        return [sum(next(found) for _ in tails) for tails in cut]
    pairs = [prepare_pair(network, tokenizer, prompt, option) for prompt, options in asked for option in options]
    with torch.inference_mode():
        return _rows(network, [(pair.context + pair.continuation, len(pair.continuation)) for pair in pairs])


def _rows(network: Any, rows: list[tuple[tuple[int, ...], int]], *, in_order: bool = False) -> list[float]:
    import torch

    reads: dict[tuple[int, ...], list[int]] = {}
    for at, (ids, scored) in enumerate(rows):
        reads.setdefault(ids[:-1] if scored == 1 else (*ids[:-1], -1 - at), []).append(at)
    groups = list(reads.values()) if in_order else sorted(reads.values(), key=lambda group: -len(rows[group[0]][0]))
    scores: dict[int, float] = {}
    with torch.inference_mode():
        for start in range(0, len(groups), 16):
            batch = groups[start : start + 16]
            ids, _ = network.padded([rows[group[0]][0][:-1] for group in batch], "right")
            logprobs = network.model(ids).logits.log_softmax(-1)
            for row, group in enumerate(batch):
                for at in group:
                    tail = torch.tensor(rows[at][0])
                    first = len(tail) - 1 - rows[at][1]
                    scores[at] = float(logprobs[row, first : len(tail) - 1].gather(-1, tail[first + 1 :, None]).sum())
    return [scores[at] for at in range(len(rows))]


def score(model: str, way: str, share: float) -> None:
    """Score a share of all tasks' cases and print CPU seconds, log-likelihoods and the most memory, as JSON."""
    engine, results = open_engine(model), {}
    for task, (make, cases) in TASKS.items():
        compute = by_harness if way == HARNESS else by_engine
        compute(engine, task, make(random.Random(1), 2))  # noqa: S311 - no secret
        asked = make(random.Random(0), int(share * cases))  # noqa: S311 - no secret
        start = time.process_time()
        found = compute(engine, task, asked)
        results[task] = {"seconds": time.process_time() - start, "found": found}
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024
    print(json.dumps({"tasks": results, "peak_mib": peak}))


def run(model: Path, way: str, source: Path, share: float) -> dict[str, Any]:
    """What one way found in a process of its own."""
    environment = os.environ | {"OMP_NUM_THREADS": "1", "PYTHONPATH": str(source)}
    command = [sys.executable, __file__, "--score", str(model), "--way", way, f"--share={share}"]
    done = subprocess.run(command, env=environment, check=True, capture_output=True, text=True)  # noqa: S603
    return dict(json.loads(done.stdout.splitlines()[-1]))


def compare(name: str, model: Path, sources: dict[str, Path], rounds: int, share: float) -> None:
    """Print a table of all ways on one model."""
    found: dict[str, list[dict[str, Any]]] = {way: [] for way in sources}
    for _ in range(rounds):
        for way, source in sources.items():
            found[way].append(run(model, way, source, share))
    last = list(sources)[-1]
    print(f"\n{name}\n\n| task | way | CPU s | ratio to {last} | largest difference |\n|---|---|--:|--:|--:|")
    for task in TASKS:
        seconds = {way: statistics.median(each["tasks"][task]["seconds"] for each in found[way]) for way in sources}
        exact = found[last][0]["tasks"][task]["found"]
        for way in sources:
            pairs = zip(found[way][0]["tasks"][task]["found"], exact, strict=True)
            worst = max(abs(one - other) for one, other in pairs)
            print(f"| {task} | {way} | {seconds[way]:.2f} | {seconds[way] / seconds[last]:.2f} | {worst:.1e} |")
    peaks = {way: statistics.median(each["peak_mib"] for each in found[way]) for way in sources}
    print("\nlargest resident set: " + ", ".join(f"{way} {peak:.0f} MiB" for way, peak in peaks.items()))


def main() -> None:
    """Measure and print tables."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=3)
    parser.add_argument("--share", type=float, default=1.0, help="of the cases, for a shorter measurement")
    parser.add_argument("--before", type=Path, help="source folder of an earlier version to measure beside this one")
    parser.add_argument("--score", help=argparse.SUPPRESS)
    parser.add_argument("--way", help=argparse.SUPPRESS)
    options = parser.parse_args()
    if options.score:
        return score(options.score, options.way, options.share)
    before = {"before": options.before} if options.before else {}
    sources = {HARNESS: ROOT / "src", **before, "engine": ROOT / "src"}
    with tempfile.TemporaryDirectory() as folder:
        compare("trained model v1", TRAINED, sources, options.rounds, options.share)
        compare(
            "random Llama, hidden 256, 6 layers", random_model(Path(folder)), sources, options.rounds, options.share
        )
    return None


if __name__ == "__main__":
    main()
