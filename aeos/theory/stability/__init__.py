"""Where in the (β, γ) plane Adam's updates stay bounded: Gould & Tanaka, arXiv 2411.05746, and beyond it."""

from aeos.theory.stability.bounds import (
    attaining_gradients,
    largest_bound,
    log_max_update_bound,
    max_update_bound,
    parameter_bound,
)
from aeos.theory.stability.coefficients import (
    discrete_stability_coefficient,
    growth_rate,
    is_stable,
    level_curve_beta,
    level_curve_gamma,
    sliver_width,
    stability_coefficient,
    stable_gamma,
)
from aeos.theory.stability.curves import level_curve, normal_curve, normal_curve_invariant
from aeos.theory.stability.realised import eps_saturation, noise_update_rms, realised_growth_rate

__all__ = [
    "attaining_gradients",
    "discrete_stability_coefficient",
    "eps_saturation",
    "growth_rate",
    "is_stable",
    "largest_bound",
    "level_curve",
    "level_curve_beta",
    "level_curve_gamma",
    "log_max_update_bound",
    "max_update_bound",
    "noise_update_rms",
    "normal_curve",
    "normal_curve_invariant",
    "parameter_bound",
    "realised_growth_rate",
    "sliver_width",
    "stability_coefficient",
    "stable_gamma",
]
