"""`llmval`: what is done outside a pytest run."""

from __future__ import annotations

import sys
from pathlib import Path

import click

from pytest_llmval.errors import LlmvalError


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(package_name="pytest-llmval", prog_name="llmval")
def main() -> None:
    """Regression testing of large language models with pytest."""


@main.command()
@click.argument("model")
@click.option("--folder", default=".", show_default=True, help="Where the suite is written; made when it is missing.")
@click.option("--force", is_flag=True, help="Overwrite files that are there already.")
def init(model: str, folder: str, *, force: bool) -> None:
    """Write a first suite for MODEL, a folder with a Hugging Face model: llmval.toml, ten cases and one gate."""
    from pytest_llmval.cli.starter import write_starter

    try:
        written = write_starter(model, Path(folder), force=force)
    except LlmvalError as error:
        click.echo(f"llmval init: {error}", err=True)
        sys.exit(2)
    for path in written:
        click.echo(f"wrote {path}")
    inside = "" if folder == "." else f"cd {folder} && "
    click.echo(f"\nrun it:\n    {inside}pytest --model-version candidate --baseline-version baseline")
