"""The questions that every way answers: those of three example files, as many as the environment asks for."""

import json
import os
from pathlib import Path

EXAMPLES = Path(__file__).parents[2] / "example_suites"
FILES = ("faq", "faq_wild", "orders")
MAX_TOKENS = 80


def read_questions() -> list[str]:
    """Questions in file order."""
    paths = [EXAMPLES / "data" / f"{name}.jsonl" for name in FILES]
    lines = [line for path in paths for line in path.read_text(encoding="utf-8").splitlines()]
    return [json.loads(line)["question"] for line in lines][: int(os.environ["QUESTIONS"])]
