"""Tolerances refuse at once what nobody could mean."""

from __future__ import annotations

import pytest

from pytest_llmval.scoring.golden.tolerances import EmbeddingClose, JsonLike, RougeL, SameText, UpToTie, tolerance_from


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: RougeL(at_least=2), r"at_least=2; expected a share in \(0, 1\]"),
        (lambda: RougeL(at_least=0), r"at_least=0; expected a share in \(0, 1\]"),
        (lambda: RougeL(at_least=True), r"at_least=True; expected a share"),
        (lambda: RougeL(at_least=float("nan")), r"at_least=nan; expected a share"),
        (lambda: EmbeddingClose(at_least=-1, encoder="x"), r"at_least=-1; expected a cosine in \(-1, 1\]"),
        (EmbeddingClose, r"encoder=''; expected the folder of a model, for example encoder='models/encoder'"),
        (lambda: UpToTie(nats=-1), r"nats=-1; expected 0 or more, for example nats=0.05"),
        (lambda: UpToTie(nats=float("inf")), r"nats=inf; expected 0 or more"),
        (lambda: SameText(normalise=5), r"normalise=5; expected a name such as 'whitespace', a tuple of names, or a"),
        (lambda: JsonLike(ignore="$.id"), r"ignore='\$\.id'; expected several paths, for example ignore=\('\$\.id',\)"),
        (lambda: JsonLike(ignore=("id",)), r"ignore='id': no path; expected one like"),
        (lambda: JsonLike(structure_only=1), r"structure_only=1; expected True or False"),
        (lambda: tolerance_from("exact"), r"tolerance='exact'; expected SameTokens\(\), .*, or None for the very same"),
        (lambda: tolerance_from(0.9), r"tolerance=0\.9; expected SameTokens\(\)"),
    ],
)
def test_a_wrong_argument_is_named_with_what_would_be_right(make, message):
    """Where it is written, and not when an answer first differs."""
    with pytest.raises((TypeError, ValueError), match=message):
        make()
