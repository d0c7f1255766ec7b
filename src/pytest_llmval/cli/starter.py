"""A first suite for a user's own model."""

from __future__ import annotations

import json
import os
from pathlib import Path

from pytest_llmval.errors import SettingsError

QUESTIONS = (
    ("capital", "What is the capital of France?", "Paris"),
    ("sum", "What is 17 plus 25?", "42"),
    ("colour", "What colour is a clear sky by day?", "blue"),
    ("opposite", "What is the opposite of cold?", "hot"),
    ("season", "Which season comes after winter?", "spring"),
    ("animal", "Which animal barks?", "dog"),
    ("day", "Which day comes after Friday?", "Saturday"),
    ("planet", "Which planet do we live on?", "Earth"),
    ("translate", "Translate 'good morning' into German.", "Guten Morgen"),
    ("json", 'Give a JSON object with the key "ok" set to true.', '"ok"'),
)

CONFIG = """\
# Both versions start as the same model: the first run must find no difference.
# Then point `candidate` at the version that is to replace it.

[models.baseline]
server = "transformers"
model = {model}
dtype = "float32"

[models.candidate]
server = "transformers"
model = {model}
dtype = "float32"
"""

SUITE = '''\
"""A first suite: ten questions, one check of each answer, one gate against the baseline."""

from pytest_llmval import assert_no_regression, cases, scored

questions = cases("questions.jsonl", {ask}="{{question}}", reference="{{answer}}", max_tokens=32)


def names_the_answer(case, response):
    return case.reference.lower() in response.text.lower()


# Replace questions and metric by what matters in your answers; exact_match, rouge_l and others are ready-made.
right = scored("right", names_the_answer, kind="binary")


@questions.each
def test_answer_has_no_replacement_characters(case, response):
    assert "\\ufffd" not in response.text


@questions.all
def test_no_fewer_answers_are_right(responses, baseline_responses):
    # Ten cases can only show large losses; with 200 cases use margin=0.05.
    assert_no_regression(right(responses), right(baseline_responses), margin=0.25)
'''


def write_starter(model: str, folder: Path, *, force: bool = False) -> list[Path]:
    """Write the files of a first suite.

    Args:
        model: Folder with a Hugging Face model, or a hub id.
        folder: Where the suite goes.
        force: Overwrite existing files.

    Raises:
        SettingsError: If the model is no model folder, a file is there already, or the folder cannot be written.
    """
    _check_model(model)
    files = {
        folder / "llmval.toml": CONFIG.format(model=json.dumps(_relative(model, folder))),
        folder / "questions.jsonl": "".join(_case_lines()),
        folder / "test_first.py": SUITE.format(ask="chat" if _has_chat_template(Path(model)) else "prompt"),
    }
    _refuse_overwriting(files, force=force)
    try:
        folder.mkdir(parents=True, exist_ok=True)
        for path, text in files.items():
            path.write_text(text, encoding="utf-8")
    except OSError as error:
        msg = f"cannot write {error.filename}: {error.strerror}"
        raise SettingsError(msg) from error
    return list(files)


def _check_model(model: str) -> None:
    path = Path(model)
    if path.is_dir() and not (path / "config.json").is_file():
        msg = f"{model} is no Hugging Face model: it has no config.json"
        raise SettingsError(msg)
    if not path.is_dir() and (path.is_absolute() or model.startswith(".") or model.count("/") > 1 or path.exists()):
        msg = f"there is no model folder {model}"
        raise SettingsError(msg)


def _relative(model: str, folder: Path) -> str:
    """The model as `llmval.toml` names it: relative to that file, a hub id unchanged."""
    return os.path.relpath(model, folder) if Path(model).is_dir() else model


def _has_chat_template(model: Path) -> bool:
    if (model / "chat_template.jinja").is_file() or not model.is_dir():
        return True
    try:
        return "chat_template" in json.loads((model / "tokenizer_config.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return False


def _refuse_overwriting(files: dict[Path, str], *, force: bool) -> None:
    existing = [str(path) for path in files if path.exists()]
    if existing and not force:
        msg = f"{', '.join(existing)} already there; choose another --folder or overwrite with --force"
        raise SettingsError(msg)


def _case_lines() -> list[str]:
    return [json.dumps(dict(zip(("id", "question", "answer"), row, strict=True))) + "\n" for row in QUESTIONS]
