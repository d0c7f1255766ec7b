"""Loss does not depend on how rows are batched; each known way to get it wrong is found."""

from __future__ import annotations

import math
from typing import Any

import pytest

from pytest_llmval import InvalidComparison, ModelRegression
from pytest_llmval.scoring.tensors.losses import (
    assert_loss_partition_invariant,
    compare_loss_partitions,
    summed_loss,
)
from pytest_llmval.scoring.tensors.rows import arguments_of, arranged, packed, together

torch = pytest.importorskip("torch")
ROWS = [[1, 5, 7, 9, 11], [1, 3, 4], [1, 20, 21, 22, 23, 24, 25, 26, 30]]


@pytest.fixture(scope="module")
def model() -> Any:
    """A random Llama in float32."""
    from transformers import AutoModelForCausalLM, LlamaConfig

    torch.manual_seed(0)
    config = LlamaConfig(
        vocab_size=50,
        hidden_size=32,
        intermediate_size=64,
        num_hidden_layers=2,
        num_attention_heads=4,
        num_key_value_heads=2,
        max_position_embeddings=64,
        initializer_range=0.2,
        attn_implementation="sdpa",
    )
    return AutoModelForCausalLM.from_config(config).eval()


def read(model: Any, batch: dict[str, Any]) -> Any:
    """Logits and shifted labels of a batch."""
    logits = model(**{name: value for name, value in batch.items() if name != "labels"}, use_cache=False).logits
    return logits[:, :-1], batch["labels"][:, 1:]


def losses(model: Any, batch: dict[str, Any]) -> tuple[Any, Any]:
    """Loss of each token `[rows, columns − 1]`, and which count."""
    logits, labels = read(model, batch)
    scored = labels != -100
    found = torch.nn.functional.cross_entropy(logits.transpose(1, 2), labels, reduction="none", ignore_index=-100)
    return found, scored


def token_mean(model: Any) -> Any:
    """What a training loop should do: one sum over all micro-batches, divided by all their tokens."""

    def loss_of(batches: Any) -> Any:
        parts = [losses(model, batch) for batch in batches]
        return sum(loss.sum() for loss, _ in parts) / sum(scored.sum() for _, scored in parts)

    return loss_of


def mean_of_means(model: Any) -> Any:
    """The fault of transformers#34191: each micro-batch by its own tokens."""

    def loss_of(batches: Any) -> Any:
        return sum(loss.sum() / scored.sum() for loss, scored in (losses(model, each) for each in batches)) / len(
            batches
        )

    return loss_of


def counts_padding(model: Any) -> Any:
    """Padding has a loss of 0 but counts as a token."""

    def loss_of(batches: Any) -> Any:
        parts = [losses(model, batch) for batch in batches]
        return sum(loss.sum() for loss, _ in parts) / sum(loss.numel() for loss, _ in parts)

    return loss_of


def ignores_the_mask(model: Any) -> Any:
    """Padding at the left is read as text."""

    def loss_of(batches: Any) -> Any:
        return summed_loss(model)([{name: each[name] for name in ("input_ids", "labels")} for each in batches])

    return loss_of


def drops_the_last_batch(model: Any) -> Any:
    """A short batch at the end is lost, as by a data loader's `drop_last`."""

    def loss_of(batches: Any) -> Any:
        return summed_loss(model)(batches[:-1] if len(batches) > 1 else batches)

    return loss_of


def test_a_model_passes(model: Any) -> None:
    """Loss and gradient, one by one, cut unevenly, reversed, padded at either side and packed."""
    comparison = assert_loss_partition_invariant(model, ROWS, parameters=model.parameters(), packing=True)

    assert comparison.passed
    assert {each.path for each in comparison.tensors} == {
        f"{name}.{part}"
        for part in ("loss", "gradient")
        for name in (
            "one row a batch",
            "first row apart",
            "last row apart",
            "rows reversed",
            "1 more columns at the right",
            "7 more columns at the right",
            "padded at the left, 1 more columns",
            "padded at the left, 7 more columns",
            "packed into one row",
        )
    }


def test_a_sound_training_loop_passes(model: Any) -> None:
    """A mean over tokens is as invariant as a sum; with accumulated gradients."""
    assert assert_loss_partition_invariant(token_mean(model), ROWS, parameters=model.parameters()).passed


def test_a_loop_that_calls_backward_itself(model: Any) -> None:
    """Micro-batch by micro-batch, each divided by all tokens: the accumulated gradient is that of the whole."""

    def loss_of(batches: Any) -> float:
        tokens = sum(int((each["labels"] != -100).sum()) for each in batches)
        total = 0.0
        for batch in batches:
            loss = losses(model, batch)[0].sum() / tokens
            loss.backward()
            total += float(loss.detach())
        return total

    assert assert_loss_partition_invariant(loss_of, ROWS, parameters=model.parameters()).passed
    assert all(parameter.grad is None for parameter in model.parameters())


@pytest.mark.parametrize(
    ("fault", "arrangement"),
    [
        (mean_of_means, "one row a batch"),
        (counts_padding, "7 more columns at the right"),
        (ignores_the_mask, "padded at the left, 7 more columns"),
        (drops_the_last_batch, "last row apart"),
    ],
)
def test_known_faults_are_found(model: Any, fault: Any, arrangement: str) -> None:
    """The arrangement that shows it is named."""
    with pytest.raises(ModelRegression, match=f"{arrangement}.loss"):
        assert_loss_partition_invariant(fault(model), ROWS)


def test_a_mean_of_means_is_called_by_its_name(model: Any) -> None:
    """The message says what to do."""
    comparison = compare_loss_partitions(mean_of_means(model), ROWS)

    assert comparison["one row a batch.loss"].notes[-1] == (
        "it is the mean of its batches' losses: divide the sum over all batches by the number of all scored tokens"
    )
    assert comparison["7 more columns at the right.loss"].passed


def test_gradients_are_looked_at(model: Any) -> None:
    """The loss is right, but gradients are kept from the last micro-batch only."""

    def loss_of(batches: Any) -> float:
        total = 0.0
        for batch in batches:
            model.zero_grad()
            loss = losses(model, batch)[0].sum()
            loss.backward()
            total += float(loss.detach())
        return total

    comparison = compare_loss_partitions(loss_of, ROWS, parameters=model.parameters())

    assert comparison["one row a batch.loss"].passed
    assert not comparison["one row a batch.gradient"].passed


def test_packing_that_leaks_is_found(model: Any) -> None:
    """Without positions that start again, a row reads the rows before it."""

    def loss_of(batches: Any) -> Any:
        return summed_loss(model)(
            [{name: value for name, value in each.items() if name != "position_ids"} for each in batches]
        )

    with pytest.raises(ModelRegression, match=r"'packed into one row\.loss'"):
        assert_loss_partition_invariant(loss_of, ROWS, packing=True, pads=())


def test_dropout_decides_nothing(model: Any) -> None:
    """The same batch must have the same loss."""

    def loss_of(batches: Any) -> Any:
        return summed_loss(model)(batches) * torch.rand(())

    with pytest.raises(InvalidComparison, match=r"^the same batch has the loss .* and then .*; expected no dropout"):
        assert_loss_partition_invariant(loss_of, ROWS)


def test_a_dead_loss_decides_nothing() -> None:
    """A constant is invariant to everything."""
    with pytest.raises(InvalidComparison, match=r"^the loss is 1 whatever the rows are; expected one that depends on"):
        assert_loss_partition_invariant(lambda _: 1.0, ROWS)


def test_rows_of_equal_difficulty_decide_nothing() -> None:
    """A mean over tokens of one value is a mean of means, too."""

    class Uniform(torch.nn.Module):
        def forward(self, input_ids: Any) -> Any:
            return torch.zeros(*input_ids.shape, 50) + 1e-7 * input_ids.sum()

    def loss_of(batches: Any) -> Any:
        counts = [int((each["labels"] != -100).sum()) for each in batches]
        nudge = 1e-7 * len(batches[0]["input_ids"])
        return summed_loss(Uniform())(batches) / sum(counts) + nudge

    with pytest.raises(InvalidComparison, match="so a mean of means would not be seen"):
        assert_loss_partition_invariant(loss_of, ROWS)


def test_a_loss_without_a_gradient_decides_nothing(model: Any) -> None:
    """Nothing was accumulated."""
    with pytest.raises(InvalidComparison, match=r"^no parameter has a gradient; expected a loss that backward\(\) can"):
        assert_loss_partition_invariant(
            lambda batches: summed_loss(model)(batches).detach(), ROWS, parameters=model.parameters()
        )


@pytest.mark.parametrize(
    ("rows", "message"),
    [
        ([[1, 2, 3]], r"rows of lengths \[3\]; expected at least two rows of at least two tokens"),
        ([[1, 2, 3], [1]], r"rows of lengths \[3, 1\]; expected at least two rows of at least two tokens"),
        ([[1, 2, 3], [4, 5, 6]], r"all rows have 3 tokens, where a mean of means is the mean; expected different"),
    ],
)
def test_rows_that_show_nothing(model: Any, rows: Any, message: str) -> None:
    """Refused before anything is computed."""
    with pytest.raises(ValueError, match=message):
        assert_loss_partition_invariant(model, rows)


def test_summed_loss_against_each_token_alone(model: Any) -> None:
    """Σ −ln p by one plain pass a token, in float64."""
    expected = 0.0
    for row in ROWS:
        for at in range(1, len(row)):
            with torch.no_grad():
                logits = model(torch.tensor([row[:at]])).logits[0, -1].double()
            expected -= float(logits.log_softmax(-1)[row[at]])

    assert float(summed_loss(model)([together(ROWS)]).detach()) == pytest.approx(expected, rel=1e-5)


class Elsewhere(torch.nn.Module):
    """A model whose parameters lie on the meta device: of 50 tokens each is as likely as any other."""

    def __init__(self) -> None:
        super().__init__()
        self.weight = torch.nn.Parameter(torch.empty(1, device="meta"))
        self.given: dict[str, str] = {}

    def forward(self, input_ids: Any, attention_mask: Any, labels: Any = None) -> Any:
        """Logits of zero on the CPU, as of a model whose last layers lie on another device."""
        given = {"input_ids": input_ids, "attention_mask": attention_mask, "labels": labels}
        self.given = {name: str(tensor.device) for name, tensor in given.items() if tensor is not None}
        return torch.zeros(*input_ids.shape, 50)


def test_batches_go_where_the_model_is_and_labels_where_its_logits_are() -> None:
    """Batches are made on the CPU; of 5, 3 and 9 tokens 4 + 2 + 8 are scored, each with ln 50."""
    model = Elsewhere()

    loss = float(summed_loss(model)([together(ROWS)]))

    assert model.given == {"input_ids": "meta", "attention_mask": "meta"}
    assert loss == pytest.approx(14 * math.log(50), rel=1e-12)


def test_arguments_are_those_that_a_forward_takes() -> None:
    """Labels for a model that computes its own loss; nothing that it has no argument for."""
    arguments = arguments_of(Elsewhere(), together(ROWS))

    assert {name: str(tensor.device) for name, tensor in arguments.items()} == dict.fromkeys(
        ("input_ids", "attention_mask", "labels"), "meta"
    )


def test_arguments_of_a_model_without_parameters_stay_where_they_are() -> None:
    """It has no device to move them to."""
    model = Elsewhere()
    del model.weight

    assert {str(tensor.device) for tensor in arguments_of(model, together(ROWS)).values()} == {"cpu"}


def test_batches_are_what_they_say() -> None:
    """Ids, mask, positions and labels of padded and packed rows; first tokens and padding never count."""
    left, row = together([[7, 8, 9], [5, 6]], left=1), packed([[7, 8, 9], [5, 6]])

    assert left["input_ids"].tolist() == [[0, 7, 8, 9], [0, 0, 5, 6]]
    assert left["attention_mask"].tolist() == [[0, 1, 1, 1], [0, 0, 1, 1]]
    assert left["position_ids"].tolist() == [[0, 0, 1, 2], [0, 0, 0, 1]]
    assert left["labels"].tolist() == [[-100, -100, 8, 9], [-100, -100, -100, 6]]
    assert row["input_ids"].tolist() == [[7, 8, 9, 5, 6]]
    assert row["position_ids"].tolist() == [[0, 1, 2, 0, 1]]
    assert row["labels"].tolist() == [[-100, 8, 9, -100, 6]]
    assert "attention_mask" not in row


def test_every_arrangement_scores_the_same_tokens() -> None:
    """Nothing is lost or counted twice."""
    for batches in arranged(ROWS, packing=True, pads=(1, 7), pad_id=0).values():
        labels = [label for batch in batches for label in batch["labels"].flatten().tolist() if label != -100]
        assert sorted(labels) == sorted(token for row in ROWS for token in row[1:])
