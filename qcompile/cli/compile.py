"""`qcompile compile MODEL`: the main job."""

from __future__ import annotations

import shlex
from pathlib import Path
from typing import TYPE_CHECKING, Any

import click

from qcompile.cli.command import Command
from qcompile.cli.files import STDOUT, check_apart, check_writable
from qcompile.cli.options import (
    FILE,
    check_metric,
    custom_ops_option,
    data_options,
    input_shapes,
    is_verbose,
    json_option,
    metric_options,
    min_sqnr_option,
    quiet_option,
    regexes,
    sequence_pairs,
    threads_option,
    verbose_option,
)

if TYPE_CHECKING:
    from qcompile.pipeline import Hook


@click.command("compile", cls=Command)
@click.argument("model", type=FILE)
@click.option("--bits", type=click.Choice(["8"]), default="8", show_default=True, help="Bits of the weights.")
@click.option("--calib", metavar="DATA", help="Calibration data; see `qcompile --help`.")
@click.option("--no-calib", is_flag=True, help="Without data, and without the warning about it.")
@click.option("-o", "--output", type=FILE, metavar="OUT", help="The result.  [default: NAME.int8.onnx beside MODEL]")
@click.option("--target", default="cpu", show_default=True, metavar="NAME", help="One of `qcompile targets`.")
@click.option(
    "--format",
    "format_",
    type=click.Choice(["auto", "qoperator", "qdq"]),
    default="auto",
    show_default=True,
    envvar="QCOMPILE_FORMAT",
    show_envvar=True,
    help="What is emitted; auto is what runs fastest on the target.",
)
@click.option(
    "--effort",
    type=click.Choice(["fast", "default", "max"]),
    default="default",
    show_default=True,
    envvar="QCOMPILE_EFFORT",
    show_envvar=True,
    help="Seconds spent for speed and accuracy; fast times nothing.",
)
@click.option(
    "--io-type",
    type=click.Choice(["float", "quantized"]),
    help="Type of inputs and outputs: quantized gives 8-bit ones to devices.  [default: float, or the plan's]",
)
@click.option("--exclude", multiple=True, callback=regexes, metavar="REGEX", help="Nodes by name or op stay float.")
@click.option("--recipe", type=FILE, metavar="FILE.toml", help="Rules for nodes: see docs/recipes.md.")
@data_options
@click.option(
    "--input-shape",
    "shapes",
    multiple=True,
    callback=input_shapes,
    metavar="NAME=1,3,224,224",
    help="Shape of an input, where the model leaves it open and there are no data.",
)
@click.option(
    "--sequence",
    callback=sequence_pairs,
    metavar="OUT=IN,...",
    help="States: this output of one sample feeds that input of the next.",
)
@min_sqnr_option
@metric_options
@click.option("--no-cache", is_flag=True, help="Time everything anew, and keep nothing of it on disk.")
@click.option("--save-plan", type=FILE, metavar="FILE", help="Write what was decided.")
@click.option("--plan", "plan_file", type=FILE, metavar="FILE", help="Replay what was decided.")
@json_option
@threads_option
@custom_ops_option
@click.option("--seed", type=click.IntRange(min=0), default=0, show_default=True, help="Seed of all randomness.")
@click.option("--verify-each", is_flag=True, help="Check the model after every pass.")
@click.option("--print-after", multiple=True, metavar="PASS", help="Print the model as text after a pass.")
@click.option("--save-after", multiple=True, nargs=2, metavar="PASS DIR", help="Save the model after a pass.")
@quiet_option
@verbose_option
def compile_(
    model: Path,
    bits: str,
    calib: str | None,
    no_calib: bool,
    output: Path | None,
    target: str,
    format_: str,
    io_type: str | None,
    effort: str,
    exclude: tuple[str, ...],
    recipe: Path | None,
    max_samples: int | None,
    preprocess: str | None,
    shapes: dict[str, tuple[int, ...]],
    sequence: dict[str, str],
    min_sqnr: float | None,
    metric: str | None,
    max_loss: float | None,
    no_cache: bool,
    save_plan: Path | None,
    plan_file: Path | None,
    json_file: Path | None,
    threads: int,
    custom_ops: Path | None,
    seed: int,
    verify_each: bool,
    print_after: tuple[str, ...],
    save_after: tuple[tuple[str, str], ...],
    quiet: bool,
) -> None:
    """Compile MODEL to 8-bit integers; this is what `qcompile MODEL` does."""
    if calib and no_calib:
        raise click.UsageError("--calib and --no-calib exclude each other")
    check_metric(metric, max_loss)
    if print_after and json_file == STDOUT:
        raise click.UsageError("--print-after and --json - would both write to stdout")
    output = output or model.parent / f"{model.stem}.int8.onnx"
    if output.suffix != ".onnx":
        raise click.UsageError(f"-o {output} does not end in .onnx")
    written = {"-o": output, "--save-plan": save_plan, "--json": json_file}
    read = {"--calib": calib, "--recipe": recipe, "--plan": plan_file, "--custom-op-library": custom_ops}
    check_apart({"MODEL": model, **read}, written)
    if model.is_file():  # else that is what is said, by who reads it
        check_writable(written)

    from qcompile import api, plan
    from qcompile.cli.output import say, show, write_text
    from qcompile.cli.progress import progress
    from qcompile.errors import BudgetMissed
    from qcompile.report import data, text

    hooks = _hooks(print_after, save_after)
    with progress(quiet) as callback:
        result = api.compile(
            model,
            calib=calib,
            bits=int(bits),
            target=target,
            format=format_,
            io_type=io_type,
            effort=effort,
            cache=not no_cache,
            exclude=exclude,
            recipe=recipe,
            metric=metric,
            min_sqnr=min_sqnr,
            max_loss=max_loss,
            max_samples=max_samples,
            preprocess=preprocess,
            input_shapes=shapes,
            sequence=sequence,
            plan=plan.load(plan_file) if plan_file else None,
            threads=threads,
            custom_op_library=custom_ops,
            seed=seed,
            warn=not no_calib,
            verify_each=verify_each,
            hooks=hooks,
            progress=callback,
        )
        if save_plan and result.plan:
            write_text(save_plan, plan.dumps(result.plan))
        result.save(output)
    then = _next(model, output, calib, preprocess)
    facts = data.compile_facts(
        result, model=str(model), output=str(output), min_sqnr=min_sqnr, max_loss=max_loss, then=then
    )
    show(text.compiled(facts), data.as_json(facts), json_file, quiet=quiet)
    if is_verbose() and not quiet and json_file != STDOUT:
        say(text.passes_run(facts))
    if miss := data.budget_miss(facts):
        raise BudgetMissed(f"{miss}; {output} is written")


def _hooks(print_after: tuple[str, ...], save_after: tuple[tuple[str, str], ...]) -> list[Hook]:
    if not (print_after or save_after):
        return []
    from qcompile.cli.near import check_name
    from qcompile.pipeline import Pipeline
    from qcompile.pipeline.look import PrintAfter, SaveAfter

    names = Pipeline.default().names
    for name in (*print_after, *(name for name, _ in save_after)):
        check_name("pass", name, names)
    printing: list[Hook] = [PrintAfter(print_after, click.echo)] if print_after else []
    return [*printing, *(SaveAfter(name, Path(folder)) for name, folder in save_after)]


def _next(model: Path, output: Path, calib: str | None, preprocess: str | None) -> str:
    words: list[Any] = ["qcompile", "validate", model, output, "--data", calib or "DATA"]
    return shlex.join(map(str, [*words, "--preprocess", preprocess] if preprocess else words))
