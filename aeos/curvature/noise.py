"""The noise of a minibatch gradient, coordinate by coordinate."""

from __future__ import annotations

from torch import Tensor

from aeos.errors import BadInput


def diagonal_covariance(
    mean: Tensor,
    mean_square: Tensor,
    batch_size: int,
    size: int,
    *,
    replacement: bool = False,
    seen: int | None = None,
) -> Tensor:
    """Σᵢᵢ = (E_n[g²ₙᵢ] − ḡᵢ²)/B · (N − B)/(N − 1); with `replacement` without the last factor

    The variance of each entry of a gradient averaged over B = `batch_size` of N = `size` samples, those of one batch
    drawn uniformly. `mean` ḡ and `mean_square` (…, d) are moments over all samples; where they come from `seen` samples
    drawn without replacement, the estimate is unbiased. Where rounding leaves less than zero it is zero.
    Raises BadInput when B is not between 1 and N (≥ 1 with replacement), or `seen` not between 2 and N.
    """
    if batch_size < 1 or (batch_size > size and not replacement):
        raise BadInput(f"batch_size={batch_size}: must be between 1 and the {size} training samples")
    variance = (mean_square - mean.square()).clamp_min_(0)
    factor = 1 / batch_size
    if seen is not None:
        if not 2 <= seen <= size:
            raise BadInput(f"seen={seen}: a variance needs between 2 and the {size} training samples")
        factor *= seen / (seen - 1) * (size - 1) / size
    if not replacement:
        factor *= (size - batch_size) / max(size - 1, 1)
    return variance.mul_(factor)
