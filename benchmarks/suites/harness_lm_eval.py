"""lm-evaluation-harness on the documents of a workload, in its own environment: its Python API, sixteen rows a batch.

It is given its tasks as it would read them from files, and spared the search through its own 14,000.
"""

import json
import sys
import time
from functools import partial
from pathlib import Path

import torch
from datasets import Dataset
from lm_eval import simple_evaluate
from lm_eval.models.huggingface import HFLM
from lm_eval.tasks import TaskManager

BATCH = 16
MULTIPLE_CHOICE = {
    "output_type": "multiple_choice",
    "doc_to_choice": "choices",
    "doc_to_target": "answer",
    "metric_list": [{"metric": "acc"}, {"metric": "acc_norm"}],
}
GENERATION = {
    "output_type": "generate_until",
    "doc_to_target": "id",
    "generation_kwargs": {"until": ["\n"], "max_gen_toks": 64, "do_sample": False},
    "metric_list": [{"metric": "exact_match"}],
}
ROLLING = {
    "output_type": "loglikelihood_rolling",
    "doc_to_text": "",
    "doc_to_target": "{{prompt}}",
    "metric_list": [{"metric": "bits_per_byte"}],
}
TASKS = {"choice": MULTIPLE_CHOICE, "letters": MULTIPLE_CHOICE, "generation": GENERATION, "rolling": ROLLING}
CALLS = {"generation": "generate_until", "rolling": "loglikelihood_rolling"}


def documents(path, **_):
    """The documents; the blank before an option is the task's delimiter."""
    rows = [json.loads(line) for line in path.read_text().splitlines()]
    for row in rows:
        if "choices" in row:
            row["choices"] = [option.removeprefix(" ") for option in row["choices"]]
    return {"test": Dataset.from_list(rows)}


def task(folder, workload):
    """The task of a workload, as a YAML file would describe it."""
    return {
        "task": workload,
        "custom_dataset": partial(documents, folder / f"{workload}.jsonl"),
        "test_split": "test",
        "doc_to_text": "{{prompt}}",
        **TASKS[workload],
    }


class Clock:
    """A method of the model, timed, with what it was asked and what it returned."""

    def __init__(self, method):
        self.method, self.seconds, self.asked, self.found = method, 0.0, [], []

    def __call__(self, requests, **options):
        """What the method returns; called again when the harness asks for another group of requests."""
        start = time.process_time()
        found = self.method(requests, **options)
        self.seconds += time.process_time() - start
        self.asked += requests
        self.found += found
        return found

    def by_document(self):
        """What was found for each document, by its id: log-likelihoods or a text."""
        found = {}
        for request, result in zip(self.asked, self.found, strict=True):
            if isinstance(result, tuple):
                found.setdefault(request.doc["id"], []).append(result[0])
            else:
                found[request.doc["id"]] = [result] if isinstance(result, float) else result
        return found


def main(folder, workload, threads, out):
    torch.set_num_threads(threads)
    model = HFLM(pretrained=str(folder / "model"), dtype="float32", device="cpu", batch_size=BATCH)
    name = CALLS.get(workload, "loglikelihood")
    clock = Clock(getattr(model, name))
    setattr(model, name, clock)
    evaluated = simple_evaluate(
        model,
        tasks=[task(folder, workload)],
        task_manager=TaskManager(include_defaults=False),
        bootstrap_iters=0,
        log_samples=False,
    )
    metrics = {metric.partition(",")[0]: value for metric, value in evaluated["results"][workload].items()}
    report = {"seconds": clock.seconds, "found": clock.by_document(), "metrics": metrics}
    out.write_text(json.dumps(report, default=str))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
