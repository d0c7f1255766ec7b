"""What README and docs show of `llmval.toml` is valid."""

import re
from pathlib import Path

import pytest

from pytest_llmval.settings import read_config
from pytest_llmval.settings.model_tables import KEYS

ROOT = Path(__file__).parents[3]
PAGES = (ROOT / "README.md", ROOT / "docs" / "servers.md")
BLOCKS = [block for page in PAGES for block in re.findall(r"```toml\n(.*?)```", page.read_text("utf-8"), re.DOTALL)]
PAGE = PAGES[1].read_text("utf-8")


@pytest.mark.parametrize("block", [block for block in BLOCKS if "server =" in block])
def test_a_block_is_read(block, tmp_path):
    """Every key is known and belongs to its server."""
    path = tmp_path / "llmval.toml"
    path.write_text(block, encoding="utf-8")

    assert read_config(path).models


def test_every_server_has_its_row():
    """In the table of the page on servers."""
    assert re.findall(r"^\| `(\w+)` \|", PAGE, re.MULTILINE) == list(KEYS)


@pytest.mark.parametrize(
    "key", sorted(set().union(*KEYS.values()) - {"same_weights_as", "threads", "device", "timeout"})
)
def test_every_key_is_told_of(key):
    """On one of the pages."""
    assert re.search(rf"\b{key}\b", PAGE + PAGES[0].read_text("utf-8"))
