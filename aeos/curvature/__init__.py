"""Curvature of a plain loss(θ): products, eigenvalues, and what scales to large models."""

from aeos.curvature.critical import Critical, critical_sharpness, critical_step
from aeos.curvature.density import SpectralDensity, spectral_density
from aeos.curvature.directional import along_gradients, batch_sharpness, directional_sharpness, rayleigh
from aeos.curvature.eigenpairs import Eigenpairs, lanczos, top_eigenpairs
from aeos.curvature.estimate import Estimate
from aeos.curvature.hessian import Hessian, Operator, Preconditioned, hvp
from aeos.curvature.krylov import NotFinite
from aeos.curvature.noise import diagonal_covariance
from aeos.curvature.third import third_derivative, third_derivatives
from aeos.curvature.tracker import SharpnessTracker

__all__ = [
    "Critical",
    "Eigenpairs",
    "Estimate",
    "Hessian",
    "NotFinite",
    "Operator",
    "Preconditioned",
    "SharpnessTracker",
    "SpectralDensity",
    "along_gradients",
    "batch_sharpness",
    "critical_sharpness",
    "critical_step",
    "diagonal_covariance",
    "directional_sharpness",
    "hvp",
    "lanczos",
    "rayleigh",
    "spectral_density",
    "third_derivative",
    "third_derivatives",
    "top_eigenpairs",
]
