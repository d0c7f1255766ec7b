"""The model as this engine uses it: token ids and a mask in, logits out."""

from __future__ import annotations

import functools
import inspect
import math
from typing import TYPE_CHECKING, Any

import torch
from transformers import DynamicCache
from transformers.cache_utils import DynamicLayer, DynamicSlidingWindowLayer

from pytest_llmval.errors import SettingsError

if TYPE_CHECKING:
    from collections.abc import Sequence

CONTEXT_NAMES = ("max_position_embeddings", "n_positions", "max_seq_len", "seq_length")
"""What configurations call the context length; most map their own name to the first."""
MASKED_ATTENTION = frozenset({"eager", "sdpa"})
"""Attention kernels that take any mask; flash attention takes causal ones only."""
PROBE = 8
"""Tokens of each branch of the row that shows whether a model follows a 4-D mask."""


class Network:
    """A causal language model, and what its architecture allows us to skip."""

    context_length: int | None
    """Most positions the model was built for; None when it does not say."""
    vocabulary: int
    """Logits a position."""
    hidden: int
    """Width of the hidden state."""
    resumable: bool
    """Whether several tokens at once may follow a filled cache (not so for recurrent states)."""
    gap_room: float
    """Columns up to which padding may stand between a shared prefix and the rest of a row."""

    def __init__(self, model: Any) -> None:
        """Look at the model's forward signature and cache, once.

        Raises:
            SettingsError: If the model keeps no key-value cache.
        """
        self.model = model
        self.device: torch.device = model.device
        accepted = inspect.signature(model.forward).parameters
        if "past_key_values" not in accepted:
            msg = (
                f"{type(model).__name__} has no key-value cache; the transformers server supports models that have one"
            )
            raise SettingsError(msg)
        self._read_last: tuple[tuple[int, ...], Any] = ((), None)
        self._takes_positions = "position_ids" in accepted
        self._takes_keep = "logits_to_keep" in accepted
        config = model.config.get_text_config(decoder=True)
        self.context_length = next(filter(None, (getattr(config, name, None) for name in CONTEXT_NAMES)), None)
        self.vocabulary, self.hidden = config.vocab_size, config.hidden_size
        self._learn_cache()

    def _learn_cache(self) -> None:
        layers = self.new_cache().layers
        windows = [layer.sliding_window for layer in layers if type(layer) is DynamicSlidingWindowLayer]
        # GPT-Neo masks with a window that its cache does not know.
        windows += filter(None, [getattr(self.model.config, "window_size", None)])
        self.resumable = all(type(layer) in {DynamicLayer, DynamicSlidingWindowLayer} for layer in layers)
        # Windows and ALiBi count columns, so a gap would put tokens too far apart; rotary and learned
        # positions are told where a token stands.
        sound = self.resumable and self._takes_positions
        self.gap_room = min(windows, default=math.inf) if sound else 0

    def new_cache(self) -> Any:
        """An empty key-value cache of the kind this model needs."""
        return DynamicCache(config=self.model.config)

    def read_prefix(self, ids: Sequence[int]) -> Any:
        """The cache of one row after these tokens, which others may fork but not grow.

        The last one is kept: the batches of a few-shot suite begin alike, whichever call they belong to.
        """
        if self._read_last[0] != tuple(ids):
            cache = self.new_cache()
            columns, mask = self.padded([ids], "right")
            self._read_last = ((), None)
            self.logits(columns, mask, cache, keep=1)
            self._read_last = (tuple(ids), cache)
        return self._read_last[1]

    def logits(self, ids: torch.Tensor, mask: torch.Tensor, cache: Any = None, keep: int = 0) -> torch.Tensor:
        """Logits of the last `keep` columns, of all when 0, in the model's dtype.

        Args:
            ids: Token ids, `[rows, columns]`.
            mask: 1 where there is a token, 0 for padding, `[rows, cached + columns]`.
            cache: Filled cache that these columns follow and are added to.
            keep: Columns that get a language-model head.

        Returns:
            `[rows, keep, vocabulary]`.
        """
        options: dict[str, Any] = {"logits_to_keep": keep} if self._takes_keep else {}
        if self._takes_positions:
            options["position_ids"] = _positions(mask)[:, -ids.shape[1] :]
        output = self.model(
            input_ids=ids, attention_mask=mask, past_key_values=cache, use_cache=cache is not None, **options
        )
        return output.logits[:, -keep:]  # type: ignore[no-any-return]

    def logits_at(
        self, ids: torch.Tensor, positions: torch.Tensor, seen: torch.Tensor, kept: Sequence[int], cache: Any = None
    ) -> torch.Tensor:
        """Logits of some columns under a mask of one's own, in the model's dtype; needs `takes_masks`.

        Args:
            ids: Token ids, `[rows, columns]`.
            positions: Place of each token in its text, `[rows, columns]`.
            seen: Which columns each column sees, boolean, `[rows, columns, cached + columns]`.
            kept: Columns that get a language-model head.
            cache: Filled cache that these columns follow.

        Returns:
            `[rows, kept, vocabulary]`.
        """
        columns = torch.tensor(kept, device=self.device)
        options: dict[str, Any] = {"logits_to_keep": columns} if self._takes_keep else {}
        mask = torch.zeros(seen.shape, dtype=self.model.dtype).masked_fill(~seen, torch.finfo(self.model.dtype).min)
        output = self.model(
            input_ids=ids.to(self.device),
            attention_mask=mask.unsqueeze(1).to(self.device),
            position_ids=positions.to(self.device),
            past_key_values=cache,
            use_cache=cache is not None,
            **options,
        )
        return output.logits if self._takes_keep else output.logits[:, columns]  # type: ignore[no-any-return]

    @functools.cached_property
    def mask_refusal(self) -> str:
        """Why a row cannot hold several texts side by side under a 4-D mask; empty when it can."""
        attention = getattr(self.model.config.get_text_config(decoder=True), "_attn_implementation", None)
        if not self.gap_room:
            return "the model takes no positions, or keeps a recurrent state"
        if attention not in MASKED_ATTENTION:
            return f"attention {attention!r} takes no 4-D mask"
        return "" if self._follows_masks() else "the model gives other logits under a 4-D mask"

    def _follows_masks(self) -> bool:
        """Whether a text after a stem and another text in the same row gets the logits it has alone."""
        tokens = torch.arange(3 * PROBE).mul(self.vocabulary // (3 * PROBE))
        stem, right = tokens[:PROBE], tokens[2 * PROBE :]
        steps = torch.arange(2 * PROBE)
        positions = torch.cat([steps, steps[PROBE:]])[None]
        seen = torch.ones(1, 3 * PROBE, 3 * PROBE, dtype=torch.bool).tril()
        seen[:, 2 * PROBE :, PROBE : 2 * PROBE] = False
        plain = torch.cat([stem, right])[None].to(self.device)
        expected = self.logits(plain, torch.ones_like(plain), keep=1)[0, -1].float()
        try:
            found = self.logits_at(tokens[None], positions, seen, [3 * PROBE - 1])[0, -1].float()
        except torch.OutOfMemoryError:  # says nothing about the model
            raise
        except (RuntimeError, TypeError, ValueError, IndexError, AttributeError, NotImplementedError):
            return False
        return _agree(found, expected, self.model.dtype)

    def padded(self, rows: Sequence[Sequence[int]], side: str) -> tuple[torch.Tensor, torch.Tensor]:
        """Token ids and mask of rows brought to one width, each `[rows, longest]`; padding on `side`."""
        longest = max(len(row) for row in rows)
        gaps = [[0] * (longest - len(row)) for row in rows]
        ones = [[1] * len(row) for row in rows]
        # The id under padding is never attended to, so 0 serves for models without a padding token.
        if side == "left":
            ids = [gap + list(row) for gap, row in zip(gaps, rows, strict=True)]
            mask = [gap + one for gap, one in zip(gaps, ones, strict=True)]
        else:
            ids = [list(row) + gap for gap, row in zip(gaps, rows, strict=True)]
            mask = [one + gap for gap, one in zip(gaps, ones, strict=True)]
        return torch.tensor(ids, device=self.device), torch.tensor(mask, device=self.device)


def _positions(mask: torch.Tensor) -> torch.Tensor:
    """Position of each token among the tokens of its row; padding is not counted."""
    return (mask.cumsum(-1) - 1).clamp(min=0)


def _agree(found: torch.Tensor, expected: torch.Tensor, dtype: torch.dtype) -> bool:
    """Whether logits differ by no more than rounding in this dtype does; a token too many changes far more.

    Logits that are not numbers agree: they are reported where they are scored.
    """
    allowed = max(8 * torch.finfo(dtype).eps, 1e-4) * expected.abs().max().item()
    return torch.allclose(found, expected, atol=allowed, rtol=0, equal_nan=True)
