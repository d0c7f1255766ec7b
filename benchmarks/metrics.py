"""What the text metrics cost: 100,000 answers in one call, beside a bare loop over the library's own function.

Each row is measured in a process of its own, since memory that was taken once stays taken. CPU seconds are compared: on
a shared machine wall time measures the neighbours as well. Memory is the growth of the process beyond the answers.
"""

from __future__ import annotations

import argparse
import json
import multiprocessing
import random
import resource
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from jsonschema import Draft202012Validator
from rapidfuzz.distance import Levenshtein
from rouge_score.rouge_scorer import RougeScorer
from sacrebleu.metrics import BLEU, CHRF

from pytest_llmval.case_sets.case import Case, CaseSet
from pytest_llmval.case_sets.decoding import Decoding
from pytest_llmval.records.response_set import ResponseSet, conditions_of
from pytest_llmval.scoring.consistency.self_consistency import self_consistency
from pytest_llmval.scoring.consistency.selfcheck import selfcheck
from pytest_llmval.scoring.consistency.violations import violations
from pytest_llmval.scoring.grounding.citations import citations_exist
from pytest_llmval.scoring.grounding.groundedness import groundedness
from pytest_llmval.scoring.grounding.overlap import by_overlap
from pytest_llmval.scoring.text.classification import classification_report
from pytest_llmval.scoring.text.corpus import corpus_bleu, corpus_chrf
from pytest_llmval.scoring.text.edits import edit_distance
from pytest_llmval.scoring.text.embedding import embedding_similarity
from pytest_llmval.scoring.text.exact import contains, exact_match
from pytest_llmval.scoring.text.json_answers import json_valid
from pytest_llmval.scoring.text.json_fields import json_field_scores, json_fields
from pytest_llmval.scoring.text.json_schema import json_matches
from pytest_llmval.scoring.text.letters import letter_accuracy
from pytest_llmval.scoring.text.numeric import numeric_answer
from pytest_llmval.scoring.text.overlap import token_f1
from pytest_llmval.scoring.text.patterns import regex_match
from pytest_llmval.scoring.text.rouge import rouge_1, rouge_2, rouge_l, rouge_lsum
from pytest_llmval.scoring.text.translation import bleu, chrf
from pytest_llmval.servers.exchange import Response

if TYPE_CHECKING:
    from collections.abc import Callable

SEED = 0
VOCABULARY = 5000
SHORTEST, LONGEST = 5, 30  # words of an answer
FEW = 1000
TRIALS, PERTURBED = 5, 3
ENCODER = Path(__file__).parents[1] / "example_suites" / "models" / "v1"
SAME = 0.7  # probability that a word of the answer is the reference's
LETTERS = "ABCDE"
SCHEMA = {
    "type": "object",
    "properties": {"city": {"type": "string"}, "count": {"type": "integer"}},
    "required": ["city", "count"],
}

Pairs = list[tuple[str, str]]


@dataclass(frozen=True, slots=True)
class Row:
    """One metric: what is asked of it, and the library's own loop where there is one."""

    name: str
    kind: str
    """Which answers: `text`, `number`, `letter`, `json`, `few` different ones, `trials` or `changed` questions."""
    metric: Callable[[ResponseSet], Any]
    bare: Callable[[Pairs], Any] | None = None


@dataclass(frozen=True, slots=True)
class Cost:
    """Of one call."""

    seconds: float
    megabytes: float
    """Growth of the process at its largest, MiB."""


def rouge_loop(kind: str) -> Callable[[Pairs], Any]:
    scorer = RougeScorer([kind])
    return lambda pairs: [scorer.score(reference, answer) for answer, reference in pairs]


def sentence_loop(metric: Any) -> Callable[[Pairs], Any]:
    return lambda pairs: [metric.sentence_score(answer, [reference]) for answer, reference in pairs]


def corpus_call(metric: Any) -> Callable[[Pairs], Any]:
    return lambda pairs: metric.corpus_score([answer for answer, _ in pairs], [[reference for _, reference in pairs]])


def schema_loop(pairs: Pairs) -> Any:
    validator = Draft202012Validator(SCHEMA)
    return [validator.is_valid(json.loads(answer)) for answer, _ in pairs]


def rows() -> list[Row]:
    return [
        Row("exact_match", "text", exact_match, lambda pairs: [a.strip() == b.strip() for a, b in pairs]),
        Row("exact_match, squad", "text", lambda responses: exact_match(responses, normalise="squad")),
        Row("contains", "text", contains, lambda pairs: [b in a for a, b in pairs]),
        Row("regex_match", "text", lambda responses: regex_match(responses, r"w1\d* w2")),
        Row("token_f1", "text", token_f1),
        Row("rouge_1", "text", rouge_1, rouge_loop("rouge1")),
        Row("rouge_2", "text", rouge_2, rouge_loop("rouge2")),
        Row("rouge_l", "text", rouge_l, rouge_loop("rougeL")),
        Row("rouge_lsum", "text", rouge_lsum, rouge_loop("rougeLsum")),
        Row("bleu", "text", bleu, sentence_loop(BLEU(effective_order=True))),
        Row("chrf", "text", chrf, sentence_loop(CHRF())),
        Row("corpus_bleu", "text", corpus_bleu, corpus_call(BLEU())),
        Row("corpus_chrf", "text", corpus_chrf, corpus_call(CHRF())),
        Row(
            "edit_distance, characters",
            "text",
            edit_distance,
            lambda pairs: [Levenshtein.normalized_distance(a, b) for a, b in pairs],
        ),
        Row(
            "edit_distance, words",
            "text",
            lambda responses: edit_distance(responses, of="words"),
            lambda pairs: [Levenshtein.normalized_distance(a.split(), b.split()) for a, b in pairs],
        ),
        Row("numeric_answer", "number", numeric_answer),
        Row("letter_accuracy", "letter", letter_accuracy),
        Row("classification_report", "letter", classification_report),
        Row("json_valid", "json", json_valid, lambda pairs: [json.loads(a) for a, _ in pairs]),
        Row("json_matches", "json", lambda responses: json_matches(responses, SCHEMA), schema_loop),
        Row("json_fields", "json", json_fields),
        Row("json_field_scores, 2 fields", "json", json_field_scores),
        Row("embedding_similarity, 1,000 texts", "few", lambda responses: embedding_similarity(responses, ENCODER)),
        Row("groundedness, by overlap", "text", lambda responses: groundedness(responses, by_overlap(), context=told)),
        Row("citations_exist", "text", lambda responses: citations_exist(responses, lambda case: [told(case)])),
        Row("self_consistency, 5 trials", "trials", self_consistency),
        Row("selfcheck, 5 trials", "trials", selfcheck),
        Row("violations, 4 of a case", "changed", violations),
    ]


def told(case: Case) -> str:
    """What a case was to be answered from."""
    return case.reference


def some_words(source: random.Random) -> list[str]:
    return [f"w{source.randrange(VOCABULARY)}" for _ in range(source.randint(SHORTEST, LONGEST))]


def pair(kind: str, source: random.Random) -> tuple[str, str]:
    """An answer and its reference."""
    reference = some_words(source)
    answer = " ".join(word if source.random() < SAME else some_words(source)[0] for word in reference)
    if kind in ("text", "trials", "changed"):
        return answer, " ".join(reference)
    if kind == "number":
        return f"{answer} so it is {source.randrange(9):,}.", str(source.randrange(9))
    if kind == "letter":
        return f"{answer}. The answer is {source.choice(LETTERS)}.", source.choice(LETTERS)
    return tuple(json.dumps({"city": each, "count": source.randrange(9)}) for each in (answer, " ".join(reference)))


def pairs_of(kind: str, count: int) -> Pairs:
    """Answers with their references."""
    source = random.Random(SEED)  # noqa: S311 - data, not secrets
    if kind != "few":
        return [pair(kind, source) for _ in range(count)]
    texts = [pair("text", source)[0] for _ in range(FEW)]
    return [(source.choice(texts), source.choice(texts)) for _ in range(count)]


def responses_of(kind: str, pairs: Pairs) -> ResponseSet:
    """The answers as a test gets them: one a case, or several trials of one, or of a case and its perturbations."""
    trials, others = (TRIALS, 1) if kind == "trials" else (1, PERTURBED + 1) if kind == "changed" else (1, 1)
    cases = tuple(
        Case(f"c{place}", {}, "Q", reference=reference, origin=f"c{place - place % others}" if place % others else None)
        for place, (_, reference) in enumerate(pairs[::trials])
    )
    case_set = CaseSet("pairs", cases, prompt_hash="0123456789abcdef", decoding=Decoding(temperature=0.7))
    answers = []
    for place, case in enumerate(cases):
        own = tuple(Response(answer, case=case) for answer, _ in pairs[place * trials : (place + 1) * trials])
        answers.append(own[0].with_case(case, own if trials > 1 else ()))
    return ResponseSet(case_set, tuple(answers), "v1", conditions_of(case_set, "blocks of 32"))


def measured(call: Callable[[Any], Any], given: Any) -> Cost:
    """CPU seconds and growth of one call in a child process."""
    context = multiprocessing.get_context("fork")
    here, there = context.Pipe()

    def child() -> None:
        before, start = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss, time.process_time()
        kept = call(given)
        seconds = time.process_time() - start
        there.send((seconds, (resource.getrusage(resource.RUSAGE_SELF).ru_maxrss - before) / 1024))
        del kept

    process = context.Process(target=child)
    process.start()
    process.join()
    return Cost(*here.recv())


def main() -> None:
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--pairs", type=int, default=100_000)
    parser.add_argument("--only", default="", help="metrics whose name contains this")
    arguments = parser.parse_args()
    count = arguments.pairs
    print(f"{count} pairs of {SHORTEST} to {LONGEST} words in one call, one thread, CPU time, seed {SEED}\n")
    print("| metric | s | peak extra, MiB | the library's bare loop, s | ratio |")
    print("|---|--:|--:|--:|--:|")
    data: dict[str, tuple[Pairs, ResponseSet]] = {}
    for row in (each for each in rows() if arguments.only in each.name):
        if row.kind not in data:
            pairs = pairs_of(row.kind, count)
            data[row.kind] = pairs, responses_of(row.kind, pairs)
        pairs, responses = data[row.kind]
        ours = measured(row.metric, responses)
        bare = measured(row.bare, pairs) if row.bare else None
        beside = f"{bare.seconds:.2f} | {ours.seconds / bare.seconds:.2f}" if bare else "- | -"
        print(f"| {row.name} | {ours.seconds:.2f} | {ours.megabytes:.0f} | {beside} |", flush=True)


if __name__ == "__main__":
    main()
