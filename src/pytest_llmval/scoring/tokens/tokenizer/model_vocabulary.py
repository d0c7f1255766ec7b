"""Tokenizer and model: the embedding has a row for every id, and both mean the same special tokens."""

from __future__ import annotations

from dataclasses import dataclass
from itertools import combinations
from typing import Any

from pytest_llmval.errors import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tokens.tokenizer.asking import refuse_unusable

_ROLES = ("bos", "eos", "pad")


@dataclass(frozen=True, slots=True)
class VocabReport:
    """How a tokenizer fits a model."""

    tokens: int
    """Size of the vocabulary, added tokens included."""
    rows: int
    """Rows of the smaller of input and output embedding."""
    problems: tuple[str, ...]
    agreeing: tuple[str, ...]
    """Roles whose ids were found in two places or more, and agree."""

    @property
    def passed(self) -> bool:
        """Whether nothing is wrong."""
        return not self.problems

    def __str__(self) -> str:
        if self.passed:
            roles = ", ".join(self.agreeing) or "no special ids"
            return f"{self.tokens} tokens fit {self.rows} embedding rows; {roles} agree"
        return "\n".join(["tokenizer and model do not fit", *(f"  {each}" for each in self.problems)])


def compare_vocab(model_or_config: Any, tokenizer: Any) -> VocabReport:
    """Sizes and special ids on both sides; see `assert_vocab_compatible`."""
    __tracebackhide__ = True
    refuse_unusable(tokenizer)
    config = getattr(model_or_config, "config", model_or_config)
    rows = _rows(model_or_config, config)
    if rows is None:
        kind = type(model_or_config).__name__
        msg = f"{kind!r} has neither get_input_embeddings() nor vocab_size; expected a model or its config"
        raise InvalidComparison(msg)
    generation = getattr(model_or_config, "generation_config", None)
    sides = {"tokenizer": tokenizer, "config": config, "generation config": generation}
    stated = {role: {name: _stated(role, side) for name, side in sides.items()} for role in _ROLES}
    problems = [*_sizes(tokenizer, rows)]
    for role, ids in stated.items():
        problems += [*_outside(role, ids, rows), *_disagreeing(role, ids)]
    agreeing = [
        role for role, ids in stated.items() if sum(map(bool, ids.values())) > 1 and not _disagreeing(role, ids)
    ]
    return VocabReport(len(tokenizer), rows, tuple(problems), tuple(agreeing))


def assert_vocab_compatible(model_or_config: Any, tokenizer: Any) -> VocabReport:
    """The model has an embedding row for every id, and special ids mean the same to both.

    Args:
        model_or_config: A model of transformers, or its config; the generation config is read from a model.
        tokenizer: That is used with it.

    Raises:
        ModelRegression: If an id has no row, or eos, bos or pad ids differ between tokenizer, config and generation
            config. Where one of them states no id nothing is compared; of several eos ids one must agree.
        InvalidComparison: If the model does not say how many rows it has.
    """
    __tracebackhide__ = True
    report = compare_vocab(model_or_config, tokenizer)
    if not report.passed:
        raise ModelRegression(str(report))
    return report


def _rows(model: Any, config: Any) -> int | None:
    """Rows of the input embedding, or of the output embedding where that has fewer."""
    asked = [getattr(model, name, None) for name in ("get_input_embeddings", "get_output_embeddings")]
    embeddings = [ask() for ask in asked if ask is not None]
    sizes = [int(each.weight.shape[0]) for each in embeddings if each is not None]
    if sizes:
        return min(sizes)
    config = config.get_text_config() if hasattr(config, "get_text_config") else config
    rows = getattr(config, "vocab_size", None)
    return None if rows is None else int(rows)


def _sizes(tokenizer: Any, rows: int) -> list[str]:
    """The ids that have no row."""
    token, largest = max(tokenizer.get_vocab().items(), key=lambda item: item[1])
    if max(len(tokenizer) - 1, largest) < rows:
        return []
    cure = f"resize_token_embeddings({largest + 1}), or take the model's own tokenizer"
    size = f"the tokenizer has {len(tokenizer)} tokens, the embedding {rows} rows"
    return [f"{size}; ids from {rows} on, such as {largest} ({token!r}), have none: {cure}"]


def _stated(role: str, side: Any) -> tuple[int, ...]:
    """The ids that one side gives a role: none, one or, of ends of sequence, several."""
    value = getattr(side, f"{role}_token_id", None)
    if value is None:
        return ()
    return tuple(map(int, value)) if isinstance(value, list | tuple) else (int(value),)


def _outside(role: str, sides: dict[str, tuple[int, ...]], rows: int) -> list[str]:
    return [
        f"{role}_token_id {number} of the {name} is no id from 0 to {rows - 1}"
        for name, ids in sides.items()
        for number in ids
        if not 0 <= number < rows
    ]


def _disagreeing(role: str, sides: dict[str, tuple[int, ...]]) -> list[str]:
    """Pairs of sides that both state ids, and none in common."""
    return [
        f"{role}_token_id: {one} {', '.join(map(str, sides[one]))}, {other} {', '.join(map(str, sides[other]))}"
        for one, other in combinations(sides, 2)
        if sides[one] and sides[other] and not set(sides[one]) & set(sides[other])
    ]
