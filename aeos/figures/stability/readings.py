"""What figures of a stability sweep read off its tables: points, trajectories, and what they say together."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np
import pandas as pd

from aeos.errors import BadInput
from aeos.figures.claims import Claim
from aeos.results.read import Run

POINT = ["beta", "gamma", "seed"]
ROUNDING = 1e-9  # of an update over its bound

Key = tuple[float, float, int]
Paths = dict[Key, pd.DataFrame]


def swept(runs: Sequence[Run]) -> pd.DataFrame:
    """points.csv of all runs, smallest C first, and `published`, `exact`: −C/2 and log(γ²/β)/2, signs included.

    Raises BadInput while no point is finished.
    """
    table = pd.concat([run.table("points") for run in runs], ignore_index=True)
    if table.empty:
        raise BadInput(f"{', '.join(run.name for run in runs)}: no point is finished yet; wait for the first")
    table = table.assign(published=-table["coefficient"] / 2, exact=-table["discrete_coefficient"] / 2)
    return table.sort_values(["coefficient", "seed"], kind="stable", ignore_index=True)


def followed(runs: Sequence[Run]) -> Paths:
    """The rows of trajectories.csv of each point."""
    table = pd.concat([run.table("trajectories") for run in runs], ignore_index=True)
    return {keys(rows.head(1))[0]: rows for _, rows in table.groupby(POINT)}


def keys(table: pd.DataFrame) -> list[Key]:
    """(β, γ, seed) of each point, as `followed` has them."""
    return [(float(beta), float(gamma), int(seed)) for beta, gamma, seed in table[POINT].itertuples(index=False)]


def fitted(table: pd.DataFrame, low: float = -np.inf, high: float = np.inf) -> pd.DataFrame:
    """The points that have a slope, with C between these two."""
    return table[table["slope"].notna() & (table["coefficient"] > low) & (table["coefficient"] < high)]


def chosen(table: pd.DataFrame, count: int) -> pd.DataFrame:
    """At most so many points of one seed, evenly from the smallest C to the largest."""
    table = table[table["seed"] == table["seed"].min()]
    return table.iloc[np.unique(np.linspace(0, len(table) - 1, count).round().astype(int))]


def best_within(table: pd.DataFrame, paths: Paths, steps: float = np.inf) -> np.ndarray:
    """(points,): the lowest test loss observed in so many steps. Raises BadInput where there is none."""
    best = [rows["test_loss"][rows["step"] <= steps].min() for rows in map(paths.__getitem__, keys(table))]
    if not np.isfinite(best).all():
        raise BadInput("points without a test loss: choose data with a test set, data.test=…")
    return np.array(best)


def rank_correlation(x: pd.Series, y: pd.Series) -> float:
    """Spearman's."""
    return float(x.rank().corr(y.rank()))


def misses(points: pd.DataFrame, rate: str) -> float:
    """Mean of |slope/rate − 1|, or NaN where there is no point; `rate` is a column."""
    return float((points["slope"] / points[rate] - 1).abs().mean())


def within_bound(table: pd.DataFrame) -> list[Claim]:
    """No update was larger than the exact bound, whatever the gradients were; nothing for rules without one."""
    ratio = table["bound_ratio"].dropna()
    text = "largest max-update over its exact bound"
    return [Claim(text, 1.0, float(ratio.max()), ROUNDING, "at_most", "derived")] if len(ratio) else []
