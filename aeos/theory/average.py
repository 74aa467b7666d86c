"""Averages over time of what oscillates."""

from __future__ import annotations

import numpy as np
import scipy
from numpy.typing import ArrayLike


def gaussian_average(values: ArrayLike, sigma: float) -> np.ndarray:
    """Σ_j w_ij m_j/Σ_j w_ij,  w_ij = exp(−(i − j)²/2σ²) for |i − j| ≤ 4σ:  (n,) → (n,), σ > 0 in entries

    Only where the values reach: nothing is made up beyond the ends, nor where they are NaN, which stays NaN.
    """
    values = np.asarray(values, dtype=float)
    known = np.isfinite(values)
    total, weight = (
        scipy.ndimage.gaussian_filter1d(row, sigma, mode="constant")
        for row in (np.where(known, values, 0.0), known.astype(float))
    )
    return np.divide(total, weight, out=np.full_like(values, np.nan), where=known)
