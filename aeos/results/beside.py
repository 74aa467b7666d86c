"""Tables of processes beside their optimizer: flows and other models of it, stochastic differential equations."""

from __future__ import annotations

from aeos.results.column import Column, key

DISTANCES = (
    key("step", int, "optimizer steps of time"),
    key("process", str, "which model of the optimizer"),
    key("reference", str, "from which process: the optimizer, or its midpoint"),
    Column("distance", float, "rms over coordinates of θ_process − θ_reference"),
    Column("displacement", float, "rms over coordinates of θ_reference − where it began"),
    Column("relative", float, "distance/displacement; empty where it began"),
)

COORDINATES = (
    key("step", int, "optimizer steps of time"),
    key("process", str, "which process"),
    key("index", int, "which entry of θ"),
    Column("value", float, "θ[index]"),
    Column("squared_gradient", float, "g[index]², of the gradient that the step leaving here uses"),
    Column("second_moment", float, "v[index], as it is remembered; the one v of scalar RMSprop"),
    Column("predicted_squared_gradient", float, "of a central flow: the average g[index]² of the optimizer"),
)

FLOW_QUANTITY = key(
    "quantity",
    str,
    "train_loss; squared_gradient, of the norm; variance of the oscillation, in units of P: in all critical "
    "directions, and [i] along the i-th",
)

PREDICTIONS = (
    key("step", int, "optimizer steps of time"),
    key("process", str, "which central flow"),
    FLOW_QUANTITY,
    Column("predicted", float, "its average over the oscillation, by the flow"),
    Column("measured", float, "what it is at the optimizer's iterate; of a variance: the square of its displacement"),
)

SMOOTHED = (
    *PREDICTIONS[:3],
    Column("smoothed", float, "average of the measured numbers, with the weights of a Gaussian around the step"),
)

QUANTITY = key(
    "quantity",
    str,
    "train_loss and other scores; theta[i], theta[i]^2, v[i]: a parameter, its square, its second moment",
)

MOMENTS = (
    key("step", int, "optimizer steps of time"),
    key("process", str, "the optimizer, or one of its SDEs"),
    QUANTITY,
    Column("mean", float, "over paths"),
    Column("error", float, "standard error of the mean"),
    Column("variance", float, "over paths"),
    Column("variance_error", float, "its standard error"),
)

GAPS = (
    key("step", int, "optimizer steps of time"),
    key("process", str, "which SDE"),
    QUANTITY,
    Column("gap", float, "mean of the SDE − mean of the optimizer"),
    Column("error", float, "its standard error: the two are independent"),
    Column("z", float, "gap/error; empty where the error is 0"),
    Column("relative", float, "gap/|mean of the optimizer|; empty where that is 0"),
)

AVERAGES = (
    key("process", str, "the optimizer, or one of its SDEs"),
    QUANTITY,
    Column("mean", float, "over paths and over the observed steps from `from` on"),
    Column("error", float, "its standard error, from one time average a path"),
    Column("from", int, "the first step"),
    Column("to", int, "the last"),
)

PATHS = (
    key("step", int, "optimizer steps of time"),
    key("process", str, "the optimizer, or one of its SDEs"),
    key("path", int, "which: 0, 1, …; some at every observation, all at the last"),
    QUANTITY,
    Column("value", float, "of that path"),
)

REST = (
    key("step", int, "optimizer steps of time"),
    key("process", str, "the midpoints of RMSprop, or one of its flows"),
    Column("cosine", float, "cos(√ν, √ν̄), both bias-corrected, ν̄ where ν would come to rest if θ stood still"),
    Column("ratio", float, "‖√ν‖/‖√ν̄‖"),
    Column("critical", int, "how many directions oscillate at rest"),
    Column("residual", float, "‖ν̄ − g² − diag(HΣH)‖/‖ν̄‖, of the computation"),
    Column("matvecs", int, "Hessian-vector products that it took"),
)
