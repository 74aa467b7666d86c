"""SDE models of SignSGD, RMSprop(W) and Adam(W): Monzio Compagnoni et al., arXiv 2411.15958, and beyond it.

f is the objective, η the learning rate, θ the weight decay, s the noise's scale in a coordinate, of a gradient ∇f + sZ;
step k of the optimizer is at t = kη. form="paper" is what is published, form="corrected" what is true beyond it.
"""

from aeos.theory.sde.bounds import asymptotic_loss_bound, loss_bound, phase1_ends, sgd_loss_bound
from aeos.theory.sde.density import fokker_planck_variance, stationary_density
from aeos.theory.sde.lattice import lattice_expectation, lattice_law, lattice_variance
from aeos.theory.sde.linear import adam_covariance, adam_variance
from aeos.theory.sde.moments import (
    scheduled_level,
    scheduled_moments,
    scheduler_condition,
    signsgd_moments,
    signsgd_variance,
)
from aeos.theory.sde.phases import (
    PHASE,
    phase,
    phase1_drift,
    phase2_band,
    phase2_fluctuation,
    phase3_coefficients,
)
from aeos.theory.sde.scaling import not_rescaled_loss, rescale, validity
from aeos.theory.sde.signsgd import initial_slope, sign_covariance, signsgd_coefficients, xi
from aeos.theory.sde.stationary import cauchy_scale, faithful_drift, stationary_loss, stationary_variance
from aeos.theory.sde.weak import euler_expectation, observed_order, sde_expectation, weak_errors

__all__ = [
    "PHASE",
    "adam_covariance",
    "adam_variance",
    "asymptotic_loss_bound",
    "cauchy_scale",
    "euler_expectation",
    "faithful_drift",
    "fokker_planck_variance",
    "initial_slope",
    "lattice_expectation",
    "lattice_law",
    "lattice_variance",
    "loss_bound",
    "not_rescaled_loss",
    "observed_order",
    "phase",
    "phase1_drift",
    "phase1_ends",
    "phase2_band",
    "phase2_fluctuation",
    "phase3_coefficients",
    "rescale",
    "scheduled_level",
    "scheduled_moments",
    "scheduler_condition",
    "sde_expectation",
    "sgd_loss_bound",
    "sign_covariance",
    "signsgd_coefficients",
    "signsgd_moments",
    "signsgd_variance",
    "stationary_density",
    "stationary_loss",
    "stationary_variance",
    "validity",
    "weak_errors",
    "xi",
]
