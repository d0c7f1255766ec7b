"""`llmval`: what is done outside a pytest run."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Any

import click

from pytest_llmval.errors import LlmvalError

WRONG_INPUT = 4
"""Exit status when a name, a path or a setting is wrong: that of pytest."""


class Commands(click.Group):
    """The commands; what is wrong with the input is said in one line."""

    def invoke(self, ctx: click.Context) -> Any:
        """Run the command that was named."""
        try:
            return super().invoke(ctx)
        except LlmvalError as error:
            click.echo(f"llmval {ctx.invoked_subcommand}: {error}", err=True)
            sys.exit(WRONG_INPUT)


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
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

    for path in write_starter(model, Path(folder), force=force):
        click.echo(f"wrote {path}")
    inside = "" if folder == "." else f"cd {folder} && "
    click.echo(f"\nrun it:\n    {inside}pytest --model-version candidate --baseline-version baseline")


@main.command("check")
@click.argument("model")
@click.option("--baseline", metavar="MODEL", help="Version it is compared with: capabilities may not be lost.")
@click.option("--same-weights", is_flag=True, help="Both have the same weights: ids and layers must agree as well.")
def check_model(model: str, baseline: str | None, *, same_weights: bool) -> None:
    """Hold MODEL to what every sound one keeps: tokenizer, chat template, numbers.

    MODEL is a folder with a Hugging Face model, or a name in llmval.toml. The exit status is 0 when nothing is wrong.
    """
    from pytest_llmval.cli.check import check

    if same_weights and not baseline:
        msg = "--same-weights says that MODEL has the weights of another one: name it with --baseline MODEL"
        raise click.UsageError(msg)
    sys.exit(check(model, baseline, same_weights=same_weights))


@main.command("audit")
@click.argument("model")
@click.argument("tests", nargs=-1)
def audit_tests(model: str, tests: tuple[str, ...]) -> None:
    """Put known bugs into MODEL, one after the other, and print which TESTS notice; by default those of `check`.

    Nothing is changed on disk: the bugs are in memory alone.
    """
    from pytest_llmval.cli.check import audit

    sys.exit(audit(model, tests))
