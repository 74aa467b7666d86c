"""One thin command a job; every word after its name is Hydra's."""

from __future__ import annotations

from aeos.cli.app import app
from aeos.cli.words import HYDRA, Overrides, explained


@app.command(
    context_settings=HYDRA,
    epilog=explained(
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
    epilog=explained(
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
    epilog=explained(
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
    epilog=explained(
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
    epilog=explained(
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
