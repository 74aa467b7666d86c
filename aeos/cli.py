"""The command line: one thin command a job; every word after a job's name is Hydra's."""

from __future__ import annotations

import sys
from pathlib import Path
from typing import Annotated

import typer

app = typer.Typer(
    name="aeos",
    help="A laboratory for the dynamics of adaptive optimizers at the edge of stability.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode="rich",
)

HYDRA = {"ignore_unknown_options": True}
INTERRUPTED = 130


def complete(context: typer.Context, incomplete: str) -> list[str]:
    """`opt<TAB>` → optimizer=adam, …; reads file names only.

    bash splits words at `=`: there `optimizer=k` arrives as earlier words […, "optimizer", "="] and incomplete "k",
    and the answer must be bare names. zsh and fish pass the word whole.
    """
    from aeos.paths import groups

    words = [f"{group}={name}" for group, names in groups().items() for name in names]
    before = [word for word in context.params.get("overrides") or () if word != "="]
    prefix = f"{before[-1]}=" if before and before[-1] in groups() else ""
    return [word.removeprefix(prefix) for word in words if word.startswith(prefix + incomplete)]


Overrides = Annotated[
    list[str] | None,
    typer.Argument(
        metavar="[GROUP=NAME | KEY=VALUE | -m | --cfg job]...", help="Hydra's words.", autocompletion=complete
    ),
]
Out = Annotated[Path, typer.Option("--out", help="The folder that runs are kept in.")]


def _help(job: str, *examples: str) -> str:
    """Examples and config groups for a job's --help, read off the file system."""
    from aeos.paths import groups

    lines = [f"[bold]{group}[/]: {', '.join(names)}" for group, names in groups(job).items()]
    return "\n\n".join([_examples(*examples), "[bold]Config groups[/] (GROUP=NAME)", *lines])


def _examples(*examples: str) -> str:
    return "\n\n".join(["[bold]Examples[/]", *examples])


@app.command(
    context_settings=HYDRA,
    epilog=_help(
        "train",
        "aeos train model=cnn data=mnist5k batch_size=64 optimizer.lr=3e-3",
        "aeos train -m optimizer=adam,kadam,signsgd seed=0,1",
        "aeos train problem=quadratic problem.spectrum=[1,10] optimizer=gd optimizer.lr=0.19 --cfg job",
    ),
)
def train(overrides: Overrides = None) -> None:
    """Train one optimizer on one problem: metrics.csv, resumable, done once."""
    from aeos.launch import launch

    launch("train", overrides or [])


@app.command(
    context_settings=HYDRA,
    epilog=_help(
        "sharpness",
        "aeos sharpness optimizer=adam optimizer.lr=0.01",
        "aeos sharpness sharpness.top=4 sharpness.at=midpoints every=5",
        "aeos sharpness optimizer=rmsprop optimizer.freeze=200 steps=800",
        "aeos sharpness batch_size=64 sharpness.batches=8 sharpness.critical=true",
    ),
)
def sharpness(overrides: Overrides = None) -> None:
    """Train and measure the (preconditioned) sharpness against its stability threshold: sharpness.csv, a verdict."""
    from aeos.launch import launch

    launch("sharpness", overrides or [])


@app.command(
    "sweep-stability",
    context_settings=HYDRA,
    epilog=_help(
        "sweep_stability",
        "aeos sweep-stability curve.points=16 data.n=200",
        "aeos sweep-stability curve=normal seeds=3 batch_size=32 optimizer.lr=3e-3",
        "aeos sweep-stability curve=grid curve.betas=[0.9,0.99] curve.gammas=[0.5,0.9,0.98]",
        "aeos sweep-stability curve=points curve.at=[[0.999,0.9],[0.9,0.99]] steps=300",
    ),
)
def sweep_stability(overrides: Overrides = None) -> None:
    """Train at every point of a curve in the (β, γ) plane: max-updates, their growth, losses; points.csv."""
    from aeos.launch import launch

    launch("sweep_stability", overrides or [])


@app.command(
    "flow-compare",
    context_settings=HYDRA,
    epilog=_help(
        "flow_compare",
        "aeos flow-compare steps=300",
        "aeos flow-compare problem=teacher optimizer=adamw flows=[adam_corrected] substeps=8",
        "aeos flow-compare problem=edge optimizer.lr=1e-3 every=5 coordinates=0",
        "aeos flow-compare problem=edge optimizer=gd optimizer.lr=0.4 steps=300 every=5",
    ),
)
def flow_compare(overrides: Overrides = None) -> None:
    """Run an optimizer beside its continuous-time models on one clock: distances.csv, coordinates.csv."""
    from aeos.launch import launch

    launch("flow_compare", overrides or [])


@app.command(
    "sde-compare",
    context_settings=HYDRA,
    epilog=_help(
        "sde_compare",
        "aeos sde-compare optimizer=signsgd paths=2000 dtype=float64",
        "aeos sde-compare problem=saddle optimizer=rmsprop optimizer.bias_correction=false steps=3000",
        "aeos sde-compare problem=deep noise=0.01 paths=8 start=zero steps=400",
        r"aeos sde-compare sdes=\[new,lagged,noisy] burn_in=50 substeps=4 optimizer.weight_decay=4",
        "aeos sde-compare -m optimizer=adamw optimizer.weight_decay=4 kappa=1,2 kappa_decay=true,false",
    ),
)
def sde_compare(overrides: Overrides = None) -> None:
    """Run many seeds of an optimizer beside its stochastic differential equations: moments.csv, gaps.csv, a verdict."""
    from aeos.launch import launch

    launch("sde_compare", overrides or [])


@app.command(
    epilog=_examples(
        "aeos reproduce all",
        "aeos reproduce 2411.15958 scale=full workers=2",
        "aeos reproduce adam_step_sizes talk_distances",
        "aeos reproduce all scale=paper device=cuda data.data_dir=data data.download=true --dry-run",
    )
)
def reproduce(
    words: Annotated[
        list[str] | None,
        typer.Argument(metavar="[FIGURE | PAPER | all | scale=quick|full|paper | KEY=VALUE]...", help="What, and how."),
    ] = None,
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Print the commands and their cost, run nothing.")] = False,
) -> int:
    """Run what figures need, draw them, judge their claims: outputs/report/index.html. Exit code 1 if a claim fails."""
    from aeos.reproduce import reproduce as again

    return again(words or [], dry_run)


@app.command()
def plot(
    runs: Annotated[
        list[str] | None, typer.Argument(metavar="[RUN | FIGURE]...", help="Run folders, or a figure.")
    ] = None,
    out: Out = Path("outputs"),
    to: Annotated[Path | None, typer.Option("--to", help="Draw into this folder.")] = None,
    list_figures: Annotated[bool, typer.Option("--list", help="Name the figures there are.")] = False,
    show: Annotated[bool, typer.Option("--show", help="Open the picture.")] = False,
) -> None:
    """Draw runs as a figure: PDF, SVG and PNG. Several runs are overlaid."""
    from aeos.listing import figure_lines

    if list_figures:
        print("\n".join(figure_lines()))
        return
    from aeos.errors import BadInput
    from aeos.figures.plot import plot as draw

    files = draw(runs or [], to, out)
    for file in files:
        print(file)
    picture = next(file for file in files if file.suffix == ".png")
    if show and typer.launch(str(picture)):
        raise BadInput(f"--show: no program here opens pictures; look at {picture}")


@app.command("list")
def list_everything(
    part: Annotated[str | None, typer.Argument(metavar="[jobs | groups | figures | runs]", help="One part.")] = None,
    out: Out = Path("outputs"),
) -> None:
    """Name jobs, config groups and their choices, figures, and the runs there are.

    `figures` alone says what each costs and how its claims stand.
    """
    from aeos.listing import overview

    overview(out, part)


def _version(wanted: bool) -> None:
    if wanted:
        from importlib.metadata import version

        print(f"aeos {version('aeos')}")
        raise typer.Exit


@app.callback()
def options(
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Print it and stop.")
    ] = False,
) -> None:
    pass


def main() -> None:
    """Entry point. Exit codes: 0 done, 2 the user's mistake, 1 any other fault, 130 interrupted."""
    try:
        code = app(prog_name="aeos", standalone_mode=False) or 0
    except KeyboardInterrupt:
        code = INTERRUPTED
    except Exception as error:
        code = _report(error)
    if code == INTERRUPTED:  # which is also what Typer makes of Ctrl-C
        print("aeos: interrupted; the same command continues", file=sys.stderr)
    sys.exit(code)


def _report(error: Exception) -> int:
    from aeos.errors import BadInput, report

    if hasattr(error, "format_message"):  # Typer's own complaint about words it does not know
        text = error.format_message().rstrip(".")
        if not text:  # it has printed the help instead
            return 2
        error = BadInput(f"{text}; `aeos --help` explains")
    return report(error)
