"""Every table that aeos writes: its columns in order. One row a measurement, one column a variable, append-only."""

from __future__ import annotations

from aeos.results.beside import AVERAGES, COORDINATES, DISTANCES, GAPS, MOMENTS, PATHS, PREDICTIONS, REST, SMOOTHED
from aeos.results.column import Column, key

METRICS = (
    key("step", int, "optimizer steps taken"),
    key("process", str, "which process: the optimizer itself, or one of its models"),
    Column("lr", float, "learning rate of the step that leaves here, schedule included"),
    Column("train_loss", float, "loss on the full training set"),
    Column("train_accuracy", float, "fraction right on the full training set; empty where the problem has no classes"),
    Column("test_loss", float, "loss on the held-out set"),
    Column("test_accuracy", float, "fraction right on the held-out set"),
    Column(
        "grad_norm", float, "‖g‖₂ of the gradient that the step leaving here uses (its minibatch, or the full batch)"
    ),
    Column("max_update", float, "‖u‖∞ of the step that led here, θ' = (1−ηλ)θ − ηu; empty at step 0"),
    Column("param_norm", float, "‖θ‖₂"),
    Column("wall_time", float, "seconds of run time so far, restarts added up", clock=True),
)

SHARPNESS = (
    key("step", int, "optimizer steps taken"),
    key("process", str, "which process"),
    Column("train_loss", float, "full-batch loss where it was measured: at the iterate, or at the midpoint"),
    Column("sharpness", float, "λ₁ of the Hessian of the full-batch loss"),
    Column(
        "preconditioned_sharpness", float, "λ₁(P^{-½}(H + ρI)P^{-½}), P of the step that leaves here; ρ: L2 penalty"
    ),
    Column("threshold", float, "the largest preconditioned sharpness at which the optimizer is stable"),
    Column("ratio", float, "preconditioned_sharpness/threshold: the edge of stability is at 1"),
    Column("displacement", float, "vᵀP^{½}(θ_k − midpoint), v the top eigenvector: the oscillation of period 2"),
    Column("critical_sharpness", float, "2/η_c along P⁻¹∇L, η_c the smallest step at which the loss rises"),
    Column("passes", int, "losses evaluated to find it"),
    Column("batch_sharpness", float, "mean over minibatches of gᵀHg/‖g‖², g and H the minibatch's"),
    Column("batch_sharpness_error", float, "its standard error"),
    Column("residual", float, "‖Ay − λy‖ of the pair behind preconditioned_sharpness: an eigenvalue lies so near"),
    Column("matvecs", int, "Hessian-vector products that this row took, the batch sharpness' own aside"),
)

EIGENVALUES = (
    key("step", int, "optimizer steps taken"),
    key("process", str, "which process"),
    key("operator", str, "hessian, or preconditioned"),
    key("index", int, "1 for the largest"),
    Column("value", float, "the eigenvalue"),
    Column("residual", float, "‖Ay − λy‖"),
)

POINT = (
    key("beta", float, "second-moment rate"),
    key("gamma", float, "first-moment rate"),
    key("seed", int, "of initialization, minibatches and gradient noise"),
)

POINTS = (
    *POINT,
    Column("coefficient", float, "C(β,γ) = 2(1−γ)/γ − (1−β)/β: the continuous-time model is unstable below 0"),
    Column("discrete_coefficient", float, "log(β/γ²): the optimizer itself is unstable below 0"),
    Column("status", str, "finished, or diverged: the loss is no number any more"),
    Column("diverged_at", int, "at which step; empty where it did not"),
    Column("slope", float, "least-squares slope of log ‖u_n‖∞ against n in the fit window; empty where there is none"),
    Column("slope_error", float, "its standard error"),
    Column("fit_from", int, "the first step n of the fit window, n = 0, 1, …"),
    Column("fit_to", int, "the last"),
    Column("largest_update", float, "the largest ‖u_n‖∞ of all steps"),
    Column("bound_ratio", float, "the largest ‖u_n‖∞/(discrete max-update bound); empty for rules without that bound"),
    Column("train_loss", float, "at the end, or where it diverged"),
    Column("train_accuracy", float, "at the end"),
    Column("test_loss", float, "at the end"),
    Column("test_accuracy", float, "at the end"),
    Column("best_test_loss", float, "the lowest that was observed"),
    Column("best_test_loss_step", int, "where"),
    Column("wall_time", float, "seconds of its block, restarts added up, divided by the points in it", clock=True),
)

TRAJECTORIES = (
    *POINT,
    key("step", int, "optimizer steps taken"),
    Column("max_update", float, "‖u_n‖∞ of the step n = step − 1 that led here; empty at step 0"),
    Column("train_loss", float, "loss on the full training set"),
    Column("train_accuracy", float, "fraction right there"),
    Column("test_loss", float, "loss on the held-out set"),
    Column("test_accuracy", float, "fraction right there"),
)

SCALE_INVARIANCE = (
    key("step", int, "optimizer steps taken, n"),
    key("process", str, "which process"),
    key("matrix", str, "which scale-invariant matrix W: a parameter and, in brackets, which of its equal parts"),
    Column("squared_norm", float, "‖W‖²"),
    Column("published", float, "‖W‖² by the published law, from ‖W₀‖² and the updates so far"),
    Column("corrected", float, "the same with the momentum factor (1+γ)/(1−γ)"),
    Column("squared_update", float, "‖u‖² of the step that led here, W' = (1−ηλ)W − ηu; empty at step 0"),
    Column("inner", float, "⟨W, u⟩ of that step, W before it: what the laws leave out"),
    Column("normalization_cosine", float, "cos(u, m), m the first moment: 1 where one number normalizes all of W"),
    Column("angle", float, "∠(W₀, W), radians"),
    Column("angle_error_true", float, "∠ between W and the direction dynamics steered by the true ‖W‖, radians"),
    Column("angle_error_published", float, "the same with the published law's ‖W‖"),
    Column("angle_error_corrected", float, "the same with the corrected law's"),
    Column("rotation", float, "∠ between W before and after the step that led here, radians"),
    Column("implied_rotation", float, "√(2ηλ)·‖u_⊥‖/√EMA(‖u‖²), what the implied second stage says; empty for λ = 0"),
    Column("corrected_rotation", float, "the same divided by √((1+γ)/(1−γ))"),
)

ALIGNMENTS = (
    key("step", int, "optimizer steps taken, n"),
    key("process", str, "which process"),
    key("matrix", str, "which scale-invariant matrix"),
    key("lag", int, "how many steps earlier the gradient was used"),
    Column("cosine", float, "cos(W_n, g_{n−lag}): 0 at lag 0"),
)

SELF_STABILIZATION = (
    key("step", int, "optimizer steps taken, t"),
    key("process", str, "which process"),
    Column("train_loss", float, "full-batch loss at the iterate w_t"),
    Column("midpoint_loss", float, "the same at the midpoint w̄ = (w_t + w_{t+1})/2, as all that follows"),
    Column("sharpness", float, "S = λ₁ of the Hessian, of the loss with its L2 penalty where weights decay"),
    Column("threshold", float, "2/η"),
    Column("x", float, "u·d: the oscillation, u the eigenvector of S and d = (w_t − w_{t+1})/2"),
    Column("share", float, "|x|/‖d‖: 1 where the step is along u alone"),
    Column("second_sharpness", float, "λ₂"),
    Column("second_x", float, "d along its eigenvector"),
    Column("alpha", float, "−⟨∇L, ∇S^⊥⟩: progressive sharpening, ∇S^⊥ the part of ∇S at right angles to u"),
    Column("beta", float, "‖∇S^⊥‖²"),
    Column("delta", float, "√(2α/β): the |x| that keeps S where it is; nan where nothing sharpens"),
    Column("cosine", float, "cos(D, ∇S), D = ½(g_t + g_{t+1}) − ∇L(w̄): 1 by the cubic model"),
    Column("ratio", float, "⟨D, ∇S⟩/(½x²‖∇S‖²): 1 by the cubic model"),
    Column("projection", float, "w_t − w̄ along u, both kept from where S first was 2/η or more; empty before"),
)

TABLES = {
    "metrics": METRICS,
    "sharpness": SHARPNESS,
    "eigenvalues": EIGENVALUES,
    "points": POINTS,
    "trajectories": TRAJECTORIES,
    "distances": DISTANCES,
    "coordinates": COORDINATES,
    "scale_invariance": SCALE_INVARIANCE,
    "alignments": ALIGNMENTS,
    "self_stabilization": SELF_STABILIZATION,
    "predictions": PREDICTIONS,
    "smoothed": SMOOTHED,
    "rest": REST,
    "moments": MOMENTS,
    "gaps": GAPS,
    "averages": AVERAGES,
    "paths": PATHS,
}
