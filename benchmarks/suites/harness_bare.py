"""The bare loops over the documents of a workload: what the requests cost at least, without tests, records and checks.

Each reads what several requests share once: the context with all its options as one tree (choice), the start that all
prompts share (letters); rows that are done leave the batch (generation); the last layer sees what is scored only.
"""

import json
import sys
import time
from pathlib import Path

import torch
from transformers import AutoModelForCausalLM, AutoTokenizer, DynamicCache
from transformers.utils import logging

TREES, SUFFIXES, PROMPTS, PREFILL, WINDOWS = 8, 32, 64, 8, 8  # rows a batch
MOST = 64  # tokens generated


class Bare:
    """A model, its tokenizer and the loops."""

    def __init__(self, folder):
        self.tokenizer = AutoTokenizer.from_pretrained(folder)
        self.model = AutoModelForCausalLM.from_pretrained(folder).eval()
        self.context = self.model.config.max_position_embeddings

    def ids(self, text):
        """Token ids of a text; no special tokens."""
        return self.tokenizer(text, verbose=False)["input_ids"]

    def choice(self, rows):
        """Log-likelihoods of the options of each row, one tree a row."""
        trees = [(self.ids(row["prompt"]), [self.ids(option) for option in row["choices"]]) for row in rows]
        order = sorted(range(len(rows)), key=lambda at: -tree_width(trees[at]))
        found = [[] for _ in rows]
        for batch in cut(order, TREES):
            scores = iter(self.score_trees([trees[at] for at in batch]))
            for at in batch:
                found[at] = [float(sum(next(scores) for _ in option)) for option in trees[at][1]]
        return found

    def score_trees(self, trees):
        """Logprobs of all tokens of all options, in order."""
        width = max(map(tree_width, trees))
        ids, places = torch.zeros(len(trees), width, dtype=torch.long), torch.zeros(len(trees), width, dtype=torch.long)
        seen = torch.eye(width, dtype=torch.bool).repeat(len(trees), 1, 1)
        rows, columns, targets = [], [], []
        for row, (context, options) in enumerate(trees):
            start = len(context)
            ids[row, :start], places[row, :start] = torch.tensor(context), torch.arange(start)
            seen[row, :start, :start] = torch.ones(start, start, dtype=torch.bool).tril()
            for option in options:
                end, read = start + len(option) - 1, len(option) - 1
                ids[row, start:end] = torch.tensor(option[:-1], dtype=torch.long)
                places[row, start:end] = torch.arange(len(context), len(context) + read)
                seen[row, start:end, : len(context)] = True
                seen[row, start:end, start:end] = torch.ones(read, read, dtype=torch.bool).tril()
                rows += [row] * len(option)
                columns += [len(context) - 1, *range(start, end)]
                targets += option
                start = end
        states = self.model.model(ids, attention_mask=seen[:, None], position_ids=places).last_hidden_state
        return self.score(states[rows, columns], targets)

    def score(self, states, targets):
        """Logprobs of the tokens that follow hidden states."""
        logits = self.model.lm_head(states)
        chosen = logits.gather(-1, torch.tensor(targets)[:, None])[:, 0]
        return (chosen - logits.logsumexp(-1)).tolist()

    def letters(self, rows):
        """Log-likelihoods of options of one token; the start of all prompts is read once."""
        prompts = [self.ids(row["prompt"]) for row in rows]
        options = [[self.ids(option)[0] for option in row["choices"]] for row in rows]
        shared = common_start(prompts)
        start = DynamicCache(config=self.model.config)
        self.model.model(torch.tensor([prompts[0][:shared]]), past_key_values=start)
        found = [[] for _ in rows]
        for batch in cut(sorted(range(len(rows)), key=lambda at: -len(prompts[at])), SUFFIXES):
            rests = [prompts[at][shared:] for at in batch]
            cache = DynamicCache(
                [
                    (keys.expand(len(batch), -1, -1, -1), values.expand(len(batch), -1, -1, -1))
                    for keys, values, *_ in start
                ]
            )
            states = self.model.model(padded(rests), past_key_values=cache).last_hidden_state
            last = states[range(len(batch)), [len(rest) - 1 for rest in rests]]
            logprobs = self.model.lm_head(last).log_softmax(-1)
            for at, row in zip(batch, logprobs, strict=True):
                found[at] = row[options[at]].tolist()
        return found

    def generation(self, rows):
        """Greedy texts up to the line break."""
        prompts = [self.ids(row["prompt"]) for row in rows]
        ends = {self.ids("\n")[0], self.tokenizer.eos_token_id}
        found = [[] for _ in rows]
        for batch in cut(sorted(range(len(rows)), key=lambda at: -len(prompts[at])), PROMPTS):
            self.continue_rows([prompts[at] for at in batch], [found[at] for at in batch], ends)
        return [self.tokenizer.decode([token for token in tokens if token not in ends]) for tokens in found]

    def continue_rows(self, prompts, texts, ends):
        """Append the tokens of a batch to its texts."""
        longest = max(map(len, prompts))
        read = [self.read(part, longest) for part in cut(prompts, PREFILL)]
        tokens = [token for firsts, _ in read for token in firsts]
        layers = zip(*(cached for _, cached in read), strict=True)
        cache = DynamicCache([[torch.cat(parts) for parts in zip(*layer, strict=True)] for layer in layers])
        mask = left_padded([[1] * len(prompt) for prompt in prompts], longest)
        while True:
            for text, token in zip(texts, tokens, strict=True):
                text.append(token)
            going = [at for at, text in enumerate(texts) if text[-1] not in ends and len(text) < MOST]
            if not going:
                return
            if len(going) < len(texts):
                cache.batch_select_indices(torch.tensor(going))
                texts, mask = [texts[at] for at in going], mask[going]
            mask = torch.cat([mask, torch.ones(len(texts), 1, dtype=mask.dtype)], dim=1)
            tokens = self.next_tokens(torch.tensor([text[-1:] for text in texts]), mask, cache)

    def read(self, prompts, longest):
        """First tokens after prompts of about one length, and keys and values of each layer, `longest` columns wide."""
        width, cache = max(map(len, prompts)), DynamicCache(config=self.model.config)
        mask = left_padded([[1] * len(prompt) for prompt in prompts], width)
        tokens = self.next_tokens(left_padded(prompts, width), mask, cache)
        gap = (0, 0, longest - width, 0)
        return tokens, [[torch.nn.functional.pad(states, gap) for states in layer[:2]] for layer in cache]

    def next_tokens(self, ids, mask, cache):
        """The most probable token after each row."""
        places = (mask.cumsum(-1) - 1).clamp(min=0)[:, -ids.shape[1] :]
        read = self.model.model(ids, attention_mask=mask, position_ids=places, past_key_values=cache)
        return self.model.lm_head(read.last_hidden_state[:, -1]).argmax(-1).tolist()

    def rolling(self, rows):
        """The log-likelihood of each text, its windows sorted with all others."""
        windows = []
        for at, row in enumerate(rows):
            ids = [self.tokenizer.bos_token_id, *self.ids(row["prompt"])]
            ends = [*range(self.context + 1, len(ids), self.context), len(ids)]
            starts = [1, *ends[:-1]]
            windows += [(at, ids[max(0, e - self.context - 1) : e], e - s) for s, e in zip(starts, ends, strict=True)]
        windows.sort(key=lambda window: -len(window[1]))
        found = [[0.0] for _ in rows]
        for batch in cut(windows, WINDOWS):
            states = self.model.model(padded([ids[:-1] for _, ids, _ in batch])).last_hidden_state
            for row, (at, ids, scored) in enumerate(batch):
                last = len(ids) - 1
                found[at][0] += sum(self.score(states[row, last - scored : last], ids[-scored:]))
        return found


def tree_width(tree):
    return len(tree[0]) + sum(len(option) - 1 for option in tree[1])


def common_start(prompts):
    """How many tokens all prompts begin with."""
    columns = enumerate(zip(*prompts, strict=False))
    return next((at for at, tokens in columns if len(set(tokens)) > 1), min(map(len, prompts)) - 1)


def cut(members, size):
    return [members[at : at + size] for at in range(0, len(members), size)]


def left_padded(rows, width):
    return torch.tensor([[0] * (width - len(row)) + row for row in rows])


def padded(rows):
    longest = max(map(len, rows))
    return torch.tensor([row + [0] * (longest - len(row)) for row in rows])


@torch.inference_mode()
def main(folder, workload, threads, out):
    torch.set_num_threads(threads)
    logging.disable_progress_bar()
    bare = Bare(folder / "model")
    rows = [json.loads(line) for line in (folder / f"{workload}.jsonl").read_text().splitlines()]
    start = time.process_time()
    found = getattr(bare, workload)(rows)
    seconds = time.process_time() - start
    by_document = {row["id"]: result for row, result in zip(rows, found, strict=True)}
    out.write_text(json.dumps({"seconds": seconds, "found": by_document}))


if __name__ == "__main__":
    main(Path(sys.argv[1]), sys.argv[2], int(sys.argv[3]), Path(sys.argv[4]))
