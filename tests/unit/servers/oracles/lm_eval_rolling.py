"""Writes lm_eval_rolling.json: lm-eval's rolling log-likelihood of example texts under the example model v1.

Run it in an environment of its own, for lm-eval is no dependency of this package::

    python -m venv oracle-env && oracle-env/bin/pip install torch==2.13.0
    oracle-env/bin/pip install lm_eval==0.4.13 transformers==5.23.0 accelerate
    oracle-env/bin/python tests/unit/servers/oracles/lm_eval_rolling.py
"""

from __future__ import annotations

import json
from importlib.metadata import version
from pathlib import Path

from lm_eval.api.instance import Instance
from lm_eval.api.metrics import bits_per_byte, weighted_perplexity
from lm_eval.models.huggingface import HFLM
from lm_eval.utils import get_rolling_token_windows

HERE = Path(__file__).parent
EXAMPLES = HERE.parents[3] / "example_suites"
LONG = 24
"""Shop documents in the long text: several windows of 512 tokens, the last one short."""
PREFIX = 1000


def main() -> None:
    """Texts, their log-likelihoods and the corpus figures made of them; and the windows of token lists."""
    rows = (EXAMPLES / "data" / "documents.jsonl").read_text(encoding="utf-8").splitlines()
    documents = [json.loads(row)["text"] for row in rows]
    texts = ["\n".join(documents[:LONG]), *documents[LONG : LONG + 3]]
    model = HFLM(
        pretrained=str(EXAMPLES / "models" / "v1"), dtype="float32", device="cpu", batch_size=1, add_bos_token=False
    )
    found = model.loglikelihood_rolling([_request(text, at) for at, text in enumerate(texts)])
    sizes = [len(text.encode("utf-8")) for text in texts]
    tokens = [len(model.tok_encode(text)) for text in texts]
    figures = {
        "source": f"lm_eval {version('lm_eval')}, HFLM.loglikelihood_rolling, torch {version('torch')}",
        "prefix_token": model.prefix_token_id,
        "max_length": model.max_length,
        "documents": [
            {"text": text, "loglikelihood": value, "tokens": count}
            for text, value, count in zip(texts, found, tokens, strict=True)
        ],
        "token_perplexity": weighted_perplexity(list(zip(found, tokens, strict=True))),
        "bits_per_byte": bits_per_byte(list(zip(found, sizes, strict=True))),
        "windows": [_windows(length, context) for length in (1, 5, 6, 13, 20) for context in (1, 2, 4, 5)],
    }
    (HERE / "lm_eval_rolling.json").write_text(json.dumps(figures, indent=1) + "\n", encoding="utf-8")


def _request(text: str, at: int) -> Instance:
    return Instance(request_type="loglikelihood_rolling", doc={}, arguments=(text,), idx=at)


def _windows(length: int, context: int) -> dict[str, object]:
    """Windows of five positions over so many tokens, numbered from 0."""
    cut = get_rolling_token_windows(list(range(length)), PREFIX, max_seq_len=5, context_len=context)
    return {"length": length, "context": context, "windows": [list(pair) for pair in cut]}


if __name__ == "__main__":
    main()
