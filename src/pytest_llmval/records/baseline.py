"""Recorded baseline: the answers of one version under a name, kept in files that never change.

<name>/manifest.json   whose answers these are, and how each case set was asked
<name>/*.jsonl         one file a case set, one line a case and trial, in the order of the cases
"""

from __future__ import annotations

import hashlib
import json
import re
import secrets
import shutil
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from pytest_llmval.case_sets.case import content_hash
from pytest_llmval.errors import SettingsError, StoreError
from pytest_llmval.records.files import json_line, make_folder
from pytest_llmval.records.fingerprint import Fingerprint
from pytest_llmval.records.response_set import Conditions
from pytest_llmval.servers.exchange import Response
from pytest_llmval.servers.wire import response_from_json

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from pytest_llmval.servers.exchange import Message
    from pytest_llmval.settings import ModelSettings

MANIFEST = "manifest.json"
"""File that makes a folder a recorded baseline."""
SCHEMA = 1
HASH_DIGITS = 16
_KEPT = ("text", "token_ids", "finish_reason", "usage")
_KEPT_IF_GIVEN = ("choice", "logprobs")
_REST = {name: getattr(Response(), name) for name in ("error", "samples", *_KEPT_IF_GIVEN)}


@dataclass(frozen=True, slots=True)
class Answer:
    """One recorded answer."""

    case_id: str
    trial: int
    asked: str
    """Short hash of the prompt and the options it answers."""
    response: Response


@dataclass(frozen=True, slots=True)
class Origin:
    """Whose answers they are."""

    name: str
    """Name of the baseline."""
    run_id: str
    """Run that was blessed."""
    version: str
    """Model version that gave the answers."""
    parts: Mapping[str, Any]
    """The fingerprint of the version."""
    seed: int
    libraries: Mapping[str, str | None]
    blessed_at: str
    """ISO 8601, UTC."""

    @property
    def text(self) -> str:
        """When they were accepted and where they come from: `recorded 2026-10-31 from run 20261030T101500-3f2a9c`."""
        return f"recorded {self.blessed_at[:10]} from run {self.run_id}"

    @property
    def fingerprint(self) -> Fingerprint:
        """What gave the answers."""
        return Fingerprint(dict(self.parts), is_local=False)


@dataclass(frozen=True, slots=True)
class AnsweredSet:
    """The answers to one case set."""

    conditions: Conditions
    cases: int
    """Cases that were in the set."""
    answers: tuple[Answer, ...]
    """In the order of the cases, then of their trials."""
    left_out: tuple[str, ...] = ()
    """Cases whose answer failed."""

    @property
    def file(self) -> str:
        """Name of the file: data set, variant of the prompt, and a short hash of the conditions."""
        variant = self.conditions.prompt.rpartition(" ")[0]
        words = filter(None, (self.conditions.dataset.rpartition("@")[0], variant))
        name = re.sub(r"[^\w.]+", "-", "-".join(words)).strip("-.")
        return f"{name or 'cases'}-{content_hash(asdict(self.conditions))[:8]}.jsonl"


@dataclass(frozen=True, slots=True)
class RecordedFile:
    """What the manifest says of the answers to one case set."""

    file: str
    sha256: str
    """Of the file, so that a changed one is noticed."""
    conditions: Conditions
    cases: int
    """Cases that were in the set."""
    answers: int
    left_out: tuple[str, ...]
    """Cases whose answer failed."""


@dataclass(frozen=True, slots=True)
class Baseline:
    """The manifest of a recorded baseline."""

    folder: Path
    origin: Origin
    files: tuple[RecordedFile, ...]


def asked_hash(prompt: str | Sequence[Message], choices: Sequence[str]) -> str:
    """Short hash of what was asked.

    >>> asked_hash("Open?", ("yes", "no")) == asked_hash("Open?", ())
    False
    """
    plain = prompt if isinstance(prompt, str) else [asdict(message) for message in prompt]
    return content_hash([plain, list(choices)])[:HASH_DIGITS]


def origin_text(model: ModelSettings | None) -> str:
    """Where the answers of a recorded baseline come from; empty for a model that can be asked.

    Raises:
        SettingsError: If the baseline cannot be read.
    """
    return read_baseline(Path(model.model)).origin.text if model and model.is_recorded else ""


def write_baseline(folder: Path, origin: Origin, answered: Sequence[AnsweredSet]) -> None:
    """Write a recorded baseline: the whole folder or nothing.

    Raises:
        SettingsError: If there is something of that name already, or the folder cannot be written.
    """
    texts = {each.file: _lines(each) for each in answered}
    manifest = {
        "schema": SCHEMA,
        **asdict(origin),
        "fingerprint": origin.fingerprint.digest,
        "case_sets": [_entry(each, texts[each.file]) for each in answered],
    }
    texts[MANIFEST] = json.dumps(manifest, indent=1) + "\n"
    part = folder.with_name(f".{folder.name}.{secrets.token_hex(4)}.part")
    try:
        make_folder(part)
        for name, text in texts.items():
            (part / name).write_text(text, encoding="utf-8", newline="\n")
        part.rename(folder)
    except OSError as error:
        shutil.rmtree(part, ignore_errors=True)
        msg = f"cannot write the baseline {folder}: {error.strerror or error}"
        raise SettingsError(msg) from error


def _lines(answered: AnsweredSet) -> str:
    return "".join(json_line(_to_json(answer), sort_keys=True) + "\n" for answer in answered.answers)


def _to_json(answer: Answer) -> dict[str, Any]:
    """Only what a score may depend on: the same answer is the same line, however long it took."""
    response = asdict(answer.response)
    kept = {name: response[name] for name in _KEPT}
    given = {name: response[name] for name in _KEPT_IF_GIVEN if response[name] is not None}
    return {"case": answer.case_id, "trial": answer.trial, "asked": answer.asked, **kept, **given}


def _entry(answered: AnsweredSet, text: str) -> dict[str, Any]:
    return {
        "file": answered.file,
        "sha256": _sha256(text),
        "conditions": asdict(answered.conditions),
        "cases": answered.cases,
        "answers": len(answered.answers),
        "left_out": list(answered.left_out),
    }


def _sha256(text: str) -> str:
    return hashlib.sha256(text.encode()).hexdigest()


def read_baseline(folder: Path) -> Baseline:
    """The manifest of a recorded baseline.

    Raises:
        SettingsError: If there is none, or it is none of ours.
    """
    path = folder / MANIFEST
    try:
        return _baseline(folder, json.loads(path.read_text(encoding="utf-8")))
    except (OSError, ValueError, KeyError, TypeError) as error:
        why = f"{type(error).__name__}: {error}"
        msg = f"{path}: not the manifest of a recorded baseline ({why}); `llmval bless` makes one"
        raise SettingsError(msg) from error


def _baseline(folder: Path, manifest: dict[str, Any]) -> Baseline:
    if manifest["schema"] != SCHEMA:
        msg = f"schema {manifest['schema']!r}; this version reads {SCHEMA}"
        raise ValueError(msg)
    origin = Origin(**{name: manifest[name] for name in Origin.__dataclass_fields__})
    return Baseline(folder, origin, tuple(map(_recorded_file, manifest["case_sets"])))


def _recorded_file(entry: dict[str, Any]) -> RecordedFile:
    typed = {"conditions": Conditions(**entry["conditions"]), "left_out": tuple(entry["left_out"])}
    return RecordedFile(**(entry | typed))


def read_answers(folder: Path, recorded: RecordedFile) -> tuple[Answer, ...]:
    """The answers in a file of a recorded baseline.

    Raises:
        StoreError: If the file is missing, or was changed since it was blessed.
    """
    path = folder / recorded.file
    try:
        # Version control may give other line ends back; inside of a line there are none.
        text = path.read_bytes().replace(b"\r\n", b"\n").decode()
    except (OSError, UnicodeDecodeError) as error:
        msg = f"{path}: recorded answers cannot be read: {error}; restore the file from version control"
        raise StoreError(msg) from error
    if _sha256(text) != recorded.sha256:
        msg = (
            f"{path}: changed since it was blessed, and a recorded baseline never changes; "
            "restore the file from version control, or bless a run under another name"
        )
        raise StoreError(msg)
    return tuple(_answer(json.loads(line)) for line in text.removesuffix("\n").split("\n") if line)


def _answer(line: dict[str, Any]) -> Answer:
    fields = {name: line[name] for name in (*_KEPT, *_KEPT_IF_GIVEN) if name in line}
    response = response_from_json(_REST | {"timing": {}} | fields)
    return Answer(line["case"], line["trial"], line["asked"], response)
