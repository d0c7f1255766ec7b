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


@main.command("lock", context_settings={"ignore_unknown_options": True})
@click.argument("tests", nargs=-1, type=click.UNPROCESSED)
def lock_data(tests: tuple[str, ...]) -> None:
    """Pin the data that the case sets of TESTS ask, in llmval.lock; by default those of the whole suite.

    From then on a run stops, before any model is asked, when a dataset is not as it was locked; this command accepts
    the change. Nothing is run for it. Options of pytest are given on.

    With TESTS, data sets that these do not ask stay locked as they were; without, what no test asks is dropped.
    In CI (CI or BUILD_NUMBER is set) nothing is locked: a person accepts a change.
    """
    from pytest_llmval.cli.lock import lock

    sys.exit(lock(tests))


@main.command("bless")
@click.argument("run")
@click.option("--as", "name", required=True, metavar="NAME", help="Name of the baseline; a name is given once.")
@click.option("--into", metavar="FOLDER", help="Where it gets its folder [default: baselines beside llmval.toml].")
@click.option("--in-store", is_flag=True, help="Put it into the record store, not into the repository.")
@click.option("--version", metavar="VERSION", help="Whose answers are taken [default: those of the run's candidate].")
@click.option("--store", metavar="DIR", help="Record store [default: the one of llmval.toml, or LLMVAL_STORE].")
def bless_run(run: str, *, name: str, into: str | None, in_store: bool, version: str | None, store: str | None) -> None:
    """Keep the answers of RUN as a baseline that later versions are compared with, without the model.

    RUN is the id of a run, the beginning of one, or `latest`. Compare with `pytest --baseline-version NAME`. A recorded
    baseline never changes: bless the next one under another name.
    """
    from pytest_llmval.cli.bless import bless, blessed_lines

    if into is not None and in_store:
        msg = "--into and --in-store name two places: give one of them"
        raise click.UsageError(msg)
    for line in blessed_lines(bless(run, name, into=into, in_store=in_store, version=version, store=store)):
        click.echo(line)


@main.command("compare")
@click.argument("run_a")
@click.argument("run_b")
@click.option("--vary", default="", metavar="AXES", help="What may differ besides the model, with commas: prompt, …")
@click.option(
    "--margin",
    type=float,
    default=0.05,
    show_default=True,
    help="Largest loss that is tolerated, where a gate has no margin of its own.",
)
@click.option("--store", metavar="DIR", help="Record store [default: the one of llmval.toml, or LLMVAL_STORE].")
def compare_runs(run_a: str, run_b: str, *, vary: str, margin: float, store: str | None) -> None:
    """Compare what the candidates of two runs scored, gate by gate: RUN_A is the baseline of RUN_B.

    Each is the id of a run, the beginning of one, or `latest`. The exit status is 1 when a gate regressed or is
    invalid, 5 when there was nothing to compare.
    """
    from pytest_llmval.cli.compare import compare, comparison_lines

    comparison = compare(run_a, run_b, vary=vary, margin=margin, store=store)
    for line in comparison_lines(comparison):
        click.echo(line)
    sys.exit(comparison.status)


@main.command("cost")
@click.argument("run", default="latest")
@click.option(
    "--qps", type=click.FloatRange(min=0, min_open=True), required=True, help="Requests a second, on average."
)
@click.option("--input-price", type=click.FloatRange(min=0), metavar="USD", help="A million tokens in.")
@click.option("--output-price", type=click.FloatRange(min=0), metavar="USD", help="A million tokens out.")
@click.option("--store", metavar="DIR", help="Record store [default: the one of llmval.toml, or LLMVAL_STORE].")
def project_cost(
    run: str, *, qps: float, input_price: float | None, output_price: float | None, store: str | None
) -> None:
    """What a month of production would cost, from the tokens that RUN measured for each version.

    RUN is the id of a run, the beginning of one, or `latest`. Prices are those of the command line, of llmval.toml or
    of litellm's price map. The interval speaks of requests like the cases of the run.
    """
    from pytest_llmval.cli.cost import cost_lines

    for line in cost_lines(run, qps, input_price=input_price, output_price=output_price, store=store):
        click.echo(line)


@main.command("aa", context_settings={"ignore_unknown_options": True})
@click.argument("tests", nargs=-1, type=click.UNPROCESSED)
@click.option("--model-version", required=True, metavar="NAME", help="Version that is compared with itself.")
@click.option("--trials", default=8, show_default=True, help="Asks a case, where the case set does not say.")
@click.option("--splits", default=400, show_default=True, help="Deals of the trials to two sides.")
@click.option("--seed", default=0, show_default=True, help="Of the dealing.")
def check_gates(tests: tuple[str, ...], model_version: str, *, trials: int, splits: int, seed: int) -> None:
    """Measure the gates of TESTS on a version that is compared with itself; options of pytest are given on.

    For each gate: how often it raises an alarm when nothing changed, the noise floor, the smallest loss it notices in
    80 % of simulated runs, and whether it can fire at all. The trials of each case are dealt to two sides; the 95 %
    interval covers the dealing, not the sampling of the trials. A gate is measured at half the trials a side:
    --trials 2 measures a suite that asks each case once.

    The exit status is 1 when a gate raises too many alarms or cannot fire, 5 when none compares, else 0: also when a
    gate seldom passes, being inconclusive in more than half of the splits. It stops nobody, but is not called sound.
    """
    from pytest_llmval.cli.aa import aa

    sys.exit(aa(tests, model_version, tell=click.echo, trials=trials, splits=splits, seed=seed))
