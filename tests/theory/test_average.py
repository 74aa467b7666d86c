"""Would catch: an average that invents values beyond the ends or in gaps, or that is off its center."""

from __future__ import annotations

import numpy as np

from aeos.theory.average import gaussian_average


def test_it_is_the_weighted_mean_of_what_is_there() -> None:
    values = np.random.default_rng(0).standard_normal(40)
    values[[7, 8, 20]] = np.nan
    found, known, i = gaussian_average(values, 3.0), np.isfinite(values), np.arange(40)
    for k in i:
        near = known & (abs(i - k) <= 12)
        wanted = np.average(values[near], weights=np.exp(-0.5 * ((i[near] - k) / 3) ** 2)) if known[k] else np.nan
        np.testing.assert_allclose(found[k], wanted, rtol=1e-12)


def test_a_constant_stays_and_period_two_cancels() -> None:
    np.testing.assert_allclose(gaussian_average([2.0] * 9, 5.0), 2.0, rtol=1e-15)
    swing = gaussian_average((-1.0) ** np.arange(100), 4.0)
    assert abs(swing[20:80]).max() < 1e-4  # e^(−π²σ²/2) but for the cut at 4σ
