"""Requests a second through the plugin beside those of a raw client loop, against real servers.

Both send the same prompts to the same server process, 16 tokens an answer, at concurrency 1, 8 and 32, in turn. The raw
loop posts with httpx from as many threads and keeps the text; the plugin also paces, times, checks and records each
answer on disk. A server whose environment is not there is left out and named.
"""

from __future__ import annotations

import argparse
import os
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path

import httpx

from pytest_llmval import cases
from pytest_llmval.asking import ask_all
from pytest_llmval.run import Run
from pytest_llmval.servers.opening import Servers, Terms
from pytest_llmval.settings import Config, ModelSettings, Settings

ROOT = Path(__file__).parents[1]
MODEL = str(ROOT / "example_suites" / "models" / "v1")
TRITON = Path(os.environ.get("LLMVAL_TRITON_PYTHON", ROOT / ".venv" / "triton" / "bin" / "python"))
VLLM = Path(os.environ.get("LLMVAL_VLLM_PYTHON", ROOT / ".venv" / "vllm" / "bin" / "python"))
REPOSITORY = ROOT / "example_suites" / "serving" / "triton"
TOKENS = 16
CONCURRENCIES = (1, 8, 32)
ONE_THREAD = (("OMP_NUM_THREADS", "1"), ("HF_HUB_OFFLINE", "1"))

Body = Callable[[str], dict]
"""What the raw loop posts for a prompt."""


@dataclass(frozen=True)
class Contender:
    """A server that is measured."""

    name: str
    model: ModelSettings
    path: str
    """Where a prompt is posted, below the base URL."""
    body: Body
    requests: int
    """How many are sent at concurrency 8 and 32; an eighth of them one by one."""
    interpreter: Path = Path(sys.executable)


def contenders() -> list[Contender]:
    """All that are known."""
    instant = ("uvicorn", "--app-dir", str(Path(__file__).parent), "--log-level", "critical", "--port", "{port}")
    serve = ("transformers", "serve", MODEL, "--host", "127.0.0.1", "--port", "{port}", "--device", "cpu")
    return [
        _openai(
            "a server that answers at once", "instant", (_program("uvicorn"), *instant[1:], "instant_server:app"), 640
        ),
        _openai("transformers serve", MODEL, (_program("transformers"), *serve[1:]), 128),
        Contender(
            "Triton, example model",
            ModelSettings(
                name="triton",
                server="triton",
                model="assistant",
                model_repository=str(REPOSITORY),
                python=str(TRITON),
                env=(*ONE_THREAD, ("MODEL_FOLDER", MODEL)),
            ),
            "v2/models/assistant/generate",
            lambda prompt: {"text_input": prompt, "max_tokens": TOKENS, "temperature": 0.0},
            128,
            TRITON,
        ),
        Contender(
            "vLLM",
            ModelSettings(
                name="vllm",
                server="vllm",
                model=MODEL,
                python=str(VLLM),
                args=("--max-model-len", "512", "--enforce-eager"),
                env=(*ONE_THREAD, ("VLLM_CPU_KVCACHE_SPACE", "1")),
            ),
            "completions",
            _body("vllm"),
            256,
            VLLM,
        ),
    ]


def _program(name: str) -> str:
    return str(Path(sys.executable).parent / name)


def _openai(name: str, model: str, command: tuple[str, ...], requests: int) -> Contender:
    settings = ModelSettings(name="served", server="openai", model=model, command=command, env=ONE_THREAD)
    return Contender(name, settings, "completions", _body(model), requests)


def _body(model: str) -> Body:
    return lambda prompt: {"model": model, "prompt": prompt, "max_tokens": TOKENS, "temperature": 0}


def prompts(count: int, mark: object) -> list[str]:
    """So many prompts that nobody was asked before."""
    return [f"Question {mark}/{number}: when does the museum open? Answer:" for number in range(count)]


def raw_loop(contender: Contender, url: str, count: int, concurrency: int, mark: object) -> float:
    """Requests a second of a loop that does nothing but ask."""
    limits = httpx.Limits(max_connections=concurrency, max_keepalive_connections=concurrency)
    with httpx.Client(timeout=300, limits=limits) as client, ThreadPoolExecutor(concurrency) as pool:

        def post(prompt: str) -> str:
            answer = client.post(f"{url}/{contender.path}", json=contender.body(prompt))
            answer.raise_for_status()
            return answer.text

        asked = prompts(count, mark)
        start = time.perf_counter()
        texts = list(pool.map(post, asked))
        return len(texts) / (time.perf_counter() - start)


def through_plugin(model: ModelSettings, count: int, concurrency: int, mark: object) -> float:
    """Requests a second of a case set that is asked and recorded."""
    asked = [{"id": str(at), "text": text} for at, text in enumerate(prompts(count, mark))]
    case_set = cases(asked, prompt="{text}", max_tokens=TOKENS)
    with tempfile.TemporaryDirectory() as folder:
        version = replace(model, concurrency=concurrency)
        settings = Settings(Config(), version, None, Path(folder, "store"), Path(folder, "out"), "bench")
        run = Run(settings, lambda *_: None)
        start = time.perf_counter()
        responses = ask_all(run, case_set, version)
        seconds = time.perf_counter() - start
        run.close()
    failed = [response.error for response in responses if response.error]
    if failed:
        raise RuntimeError(failed[0])
    return len(responses) / seconds


def compare(contender: Contender, rounds: int) -> None:
    """Print both figures and their ratio for each concurrency."""
    with tempfile.TemporaryDirectory() as logs:
        servers = Servers(Terms(batch_size=32, logs=logs))
        try:
            url = servers.of(contender.model).location().url
            standing = replace(contender.model, url=url, command=(), model_repository=None)
            if contender.model.server == "vllm":
                standing = replace(standing, server="openai", model="vllm")
            raw_loop(contender, url, 16, 8, "warm-up")
            for concurrency in CONCURRENCIES:
                _print_row(contender, standing, url, concurrency, rounds)
        finally:
            servers.close()


def _print_row(contender: Contender, standing: ModelSettings, url: str, concurrency: int, rounds: int) -> None:
    count = contender.requests if concurrency > 1 else contender.requests // 8
    raw, ours = [], []
    for number in range(rounds):
        raw.append(raw_loop(contender, url, count, concurrency, f"raw {concurrency} {number}"))
        ours.append(through_plugin(standing, count, concurrency, f"plugin {concurrency} {number}"))
    ratio = statistics.median(one / other for one, other in zip(ours, raw, strict=True))
    shown = f"{statistics.median(raw):9.1f}  {statistics.median(ours):9.1f}  {ratio:5.2f}"
    print(f"{contender.name:32}  {concurrency:11}  {shown}", flush=True)


def main() -> None:
    """Measure all servers that are there."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--only", default="", help="part of the names of servers that are measured")
    options = parser.parse_args()
    print(f"{'server':32}  {'concurrency':>11}  {'raw req/s':>9}  {'ours req/s':>9}  ratio (median of rounds)")
    for contender in contenders():
        if options.only not in contender.name:
            continue
        if contender.interpreter.exists():
            compare(contender, options.rounds)
        else:
            print(f"{contender.name}: left out, there is no {contender.interpreter}")


if __name__ == "__main__":
    main()
