"""Sampling: each row draws from its own stream, within the kept tokens, in the right proportions."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from pytest_llmval.servers.engine.sampling import Sampler, draw, pick_tokens
from pytest_llmval.servers.exchange import Decoding, Request


def sampler(seed: int = 0, **decoding: Any) -> Sampler:
    """The sampler of a request with this decoding."""
    return Sampler.of(Request("", decoding=Decoding(**{"temperature": 1.0} | decoding), seed=seed))


def test_neighbours(engine: Any) -> None:
    """A row's text depends on its seed and not on who else is in the batch."""
    decoding = Decoding(max_tokens=12, temperature=1.0)
    mine = Request("The library", decoding=decoding, seed=5)
    others = [
        Request(f"return {at}", decoding=Decoding(max_tokens=3 + at, temperature=0.7), seed=at) for at in range(6)
    ]

    (alone,) = engine.answer([mine])
    accompanied = engine.answer([*others, mine, Request("greedy")])[6]

    assert accompanied.text == alone.text


def test_seeds(engine: Any) -> None:
    """The same seed gives the same text, another seed another one."""
    decoding = Decoding(max_tokens=12, temperature=1.0)

    texts = [each.text for each in engine.answer([Request("The", decoding=decoding, seed=seed) for seed in (1, 2, 1)])]

    assert texts[0] == texts[2] != texts[1]


def test_global_stream_is_left_alone(engine: Any) -> None:
    """Sampling neither reads nor advances torch's global random stream."""
    torch.manual_seed(1)
    expected = torch.rand(1)
    torch.manual_seed(1)

    engine.answer([Request("The", decoding=Decoding(max_tokens=4, temperature=1.0))])

    assert torch.equal(torch.rand(1), expected)


def test_proportions() -> None:
    """Over many seeds tokens come up in proportion to their probability.

    Four standard errors of a rate of 4000 draws are at most 4 * sqrt(0.25 / 4000) = 0.032.
    """
    probabilities = torch.tensor([0.1, 0.6, 0.3])

    drawn = draw(probabilities.log().expand(4000, 3), [sampler(seed) for seed in range(4000)])

    assert (drawn.bincount(minlength=3) / 4000).tolist() == pytest.approx(probabilities.tolist(), abs=0.032)


@pytest.mark.parametrize(
    ("decoding", "kept"),
    [
        ({"top_k": 1}, {1}),
        ({"top_k": 2}, {1, 2}),
        ({"top_p": 0.6}, {1}),
        ({"top_p": 0.61}, {1, 2}),
        ({"top_p": 0.95}, {0, 1, 2}),
        # After top-k the kept two are 2/3 and 1/3, so that 0.66 is reached by the first alone.
        ({"top_k": 2, "top_p": 0.66}, {1}),
        ({"temperature": 0.01}, {1}),
        ({"top_p": 1e-9}, {1}),
    ],
)
def test_kept_tokens(decoding: dict[str, Any], kept: set[int]) -> None:
    """Temperature, then top-k, then top-p decide which tokens can be drawn."""
    logits = torch.tensor([0.1, 0.6, 0.3]).log().expand(300, 3)

    drawn = draw(logits, [sampler(seed, **decoding) for seed in range(300)])

    assert set(drawn.tolist()) == kept


def test_one_number_a_token() -> None:
    """Each draw takes exactly one number of the stream, whatever the parameters."""
    narrow, wide = sampler(4, top_k=1), sampler(4)

    draw(torch.zeros(2, 5), [narrow, wide])

    assert narrow.uniform() == wide.uniform()


def test_nan_logits() -> None:
    """NaN logits pick nothing, for greedy and for sampled rows."""
    logits = torch.tensor([[0.0, torch.nan], [0.0, torch.nan], [0.0, 1.0]])

    picked = pick_tokens(logits, [sampler(temperature=0.0), sampler(), sampler(temperature=0.0)])

    assert picked == [-1, -1, 1]


@pytest.mark.parametrize("width", [1.0, 4.0], ids=["flat", "peaked"])
@pytest.mark.parametrize("dtype", [torch.float32, torch.bfloat16])
def test_few_tokens_decide(monkeypatch: pytest.MonkeyPatch, width: float, dtype: torch.dtype) -> None:
    """Looking at the most probable tokens first draws what the sorted vocabulary gives, ties included."""
    logits = torch.randn(60, 1000, generator=torch.Generator().manual_seed(1)).mul(width).to(dtype)
    cuts = [{"top_k": k, "top_p": p} for k in (0, 1, 40, 255, 256, 257) for p in (1.0, 0.9, 0.3)]
    ways = [{"temperature": 0.3 + at % 4 / 2} | cuts[at % len(cuts)] for at in range(60)]

    drawn = draw(logits, [sampler(at, **way) for at, way in enumerate(ways)])
    monkeypatch.setattr("pytest_llmval.servers.engine.sampling.HEAD", 1000)
    expected = draw(logits, [sampler(at, **way) for at, way in enumerate(ways)])

    assert drawn.tolist() == expected.tolist()


def test_vocabulary_is_rarely_sorted(monkeypatch: pytest.MonkeyPatch) -> None:
    """With top-k, or when few tokens hold the probability, no vocabulary is sorted."""
    widths: list[int] = []
    sort = torch.Tensor.sort

    def watching(self: torch.Tensor, *args: Any, **options: Any) -> Any:
        widths.append(self.shape[-1])
        return sort(self, *args, **options)

    monkeypatch.setattr(torch.Tensor, "sort", watching)
    logits = torch.randn(3, 5000, generator=torch.Generator().manual_seed(1)).mul(10)

    draw(logits, [sampler(1, top_k=50), sampler(2, top_p=0.9), sampler(3)])

    assert max(widths) == 256
