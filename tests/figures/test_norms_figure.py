"""Would catch: claims on norms, directions and assumptions that a run against the theory would pass too."""

from __future__ import annotations

from typing import Any

import numpy as np
import pandas as pd
import pytest
from figure_runs import Make, decay

from aeos.errors import BadInput
from aeos.figures.claims import Claim
from aeos.figures.labels import labels
from aeos.figures.stability import assumptions, direction, norms
from aeos.figures.stability.matrices import by_matrix, measured, settings, share
from aeos.results.read import Run, load
from aeos.results.schema import ALIGNMENTS, SCALE_INVARIANCE
from aeos.theory.scale_invariance import equilibrium_rotation, gradient_cosine, squared_norm

LR, GAMMA, STEPS, NAMES = 1e-3, 0.9, 2000, ("q[0]", "q[1]", "k[0]")
SIZE = 64  # width²/heads below


def norm_run(make: Make, weight_decay: float, true: str = "corrected", start: float = 5.0, **settings: Any) -> Run:
    """A run whose true norm is that of one law, its updates constant; `settings` replace columns of either table."""
    step, tables = np.arange(0, STEPS + 1, 10), []
    for index, name in enumerate(NAMES):
        laws = {
            law: squared_norm(start + index, np.full(STEPS, 5.0), LR, weight_decay, gamma)[step]
            for law, gamma in (("published", None), ("corrected", GAMMA))
        }
        turned = float(equilibrium_rotation(LR, weight_decay, GAMMA))
        made: dict[str, Any] = {"step": step, "process": "adam", "matrix": name, "squared_norm": laws[true], **laws}
        made |= {"squared_update": np.where(step, 5.0, np.nan), "inner": -9 * LR * 5.0, "normalization_cosine": 0.95}
        made |= {"angle": step / STEPS, "rotation": turned, "corrected_rotation": turned}
        made |= {"angle_error_true": 1e-3, "angle_error_published": 0.5, "angle_error_corrected": 1e-2}
        made |= {"implied_rotation": turned * 19**0.5} | settings.get("columns", {})
        tables.append(pd.DataFrame(made).reindex(columns=[column.name for column in SCALE_INVARIANCE]))
    config = {"optimizer": {"name": "adam", "lr": LR, "weight_decay": weight_decay, "beta1": GAMMA}, "dtype": "float64"}
    config |= {"steps": STEPS, "model": {"width": 16, "heads": 4}, "batch_size": 8} | settings.get("config", {})
    run = make(settings.get("name", "a"), decay(), **config)
    table = pd.concat(tables)
    table.to_csv(run.path / "scale_invariance.csv", index=False)
    pairs = table[["step", "matrix", "process"]].merge(pd.DataFrame({"lag": [0, 1, 10]}), how="cross")
    norm = np.sqrt(pairs.merge(table, on=["step", "matrix"])["squared_norm"])
    scale = settings.get("alignment", 1.0)
    pairs["cosine"] = scale * gradient_cosine(pairs["lag"], SIZE, norm, LR, GAMMA) + settings.get("off", 0.0)
    pairs[[column.name for column in ALIGNMENTS]].to_csv(run.path / "alignments.csv", index=False)
    return load(run.path)


def verdicts(claims: list[Claim]) -> str:
    return "".join(claim.verdict[0] for claim in claims)


def test_matrices_stand_in_the_order_of_their_first_norm(make_run: Make) -> None:
    rows = measured(norm_run(make_run, 0.1))
    assert list(by_matrix(rows.iloc[::-1], "squared_norm")) == ["q[0]", "q[1]", "k[0]"]


@pytest.mark.parametrize(("law", "expected"), [("published", 1 / 19), ("corrected", 1.0)])
def test_the_share_of_the_growth_is_the_factor(make_run: Make, law: str, expected: float) -> None:
    run = norm_run(make_run, 0.1)
    assert share(measured(run), law, settings(run)) == pytest.approx(expected, rel=1e-9)


@pytest.mark.parametrize(
    ("weight_decay", "true", "start", "expected"),
    [
        (0.1, "corrected", 5.0, "PPPPPPP"),
        (0.1, "published", 5.0, "PPPPPFF"),  # near at either law; the shares tell them apart
        (0.1, "corrected", 1.0, "FPPPPPP"),  # a norm that grows by more than the published law can be off
        (5.0, "corrected", 5.0, "PPPPPP"),
        (5.0, "published", 5.0, "FFFPFF"),
    ],
)
def test_claims_on_norms(make_run: Make, weight_decay: float, true: str, start: float, expected: str) -> None:
    assert verdicts(norms.claims([norm_run(make_run, weight_decay, true, start)])) == expected


def test_norms_against_either_law_and_their_quotients(make_run: Make) -> None:
    runs = [norm_run(make_run, 5.0, name=name, config={"seed": seed}) for name, seed in (("a", 1), ("b", 0))]
    panels = norms.draw(runs, labels(runs)).axes
    assert [panel.get_title() for panel in panels[:3]] == ["published", "corrected", "adam, seed 0"]
    assert panels[5].get_title() == "adam, seed 1"
    true, law = panels[0].lines[:3], panels[0].lines[3:]
    assert [float(line.get_ydata()[0]) for line in law] == [float(line.get_ydata()[0]) for line in true] == [5, 6, 7]
    assert panels[1].lines[0].get_ydata() == pytest.approx(panels[1].lines[3].get_ydata())
    ends = [float(np.asarray(line.get_ydata())[-1]) for line in panels[2].lines]
    assert ends == pytest.approx([1, 19, 1, 19], rel=1e-4)  # e^(−20) of the start is left
    assert panels[0].get_yscale() == panels[2].get_yscale() == "log"
    assert [claim.text[:13] for claim in norms.claims(runs)[::6]] == ["adam, seed 0:", "adam, seed 1:"]


@pytest.mark.parametrize(
    ("columns", "expected"),
    [
        ({}, "PPPPP"),
        ({"angle_error_true": 0.1}, "FPPPP"),
        ({"angle_error_published": 1e-3, "angle_error_corrected": 0.1}, "PFFPP"),
        ({"implied_rotation": 0.01451, "corrected_rotation": 0.0033}, "PPPFF"),
    ],
)
def test_claims_on_directions(make_run: Make, columns: dict[str, Any], expected: str) -> None:
    assert verdicts(direction.claims([norm_run(make_run, 2.0, columns=columns)])) == expected


def test_angles_are_drawn_in_degrees(make_run: Make) -> None:
    runs = [norm_run(make_run, 2.0)]
    angles, errors, turns = direction.draw(runs, labels(runs)).axes
    assert float(np.asarray(angles.lines[0].get_ydata())[-1]) == pytest.approx(180 / np.pi)
    assert [float(np.asarray(line.get_ydata())[-1]) for line in errors.lines] == pytest.approx(
        [0.0573, 28.6, 0.573], rel=1e-2
    )
    measured_turn, implied, corrected, *rest = (float(np.asarray(line.get_ydata())[-1]) for line in turns.lines)
    assert (implied, corrected) == pytest.approx((measured_turn * 19**0.5, measured_turn))
    assert rest == pytest.approx([implied, corrected])


def test_a_run_without_decay_has_no_second_stage(make_run: Make) -> None:
    with pytest.raises(BadInput, match="a: weight_decay is 0"):
        direction.claims([norm_run(make_run, 0.0)])


@pytest.mark.parametrize(
    ("change", "expected"),
    [
        ({}, "PPPP"),
        ({"off": 1e-10}, "FPPP"),
        ({"columns": {"normalization_cosine": 0.6}}, "PFPP"),
        ({"alignment": 0.5}, "PPFP"),
        ({"columns": {"inner": 0.0}}, "PPPF"),
        ({"config": {"batch_size": None}}, "PPF"),  # exactly on the corrected law: at no step the worse one
        ({"config": {"batch_size": None}, "true": "published"}, "PPP"),
    ],
)
def test_claims_on_assumptions(make_run: Make, change: dict[str, Any], expected: str) -> None:
    assert verdicts(assumptions.claims([norm_run(make_run, 0.1, **change)])) == expected


def test_assumptions_by_lag_and_their_distribution(make_run: Make) -> None:
    runs = [norm_run(make_run, 0.1)]
    mean, size, normal = assumptions.draw(runs, labels(runs)).axes
    at_zero, later, predicted = mean.lines
    assert np.asarray(at_zero.get_ydata())[0] == 0
    assert np.asarray(later.get_ydata()) == pytest.approx(np.asarray(predicted.get_ydata()))
    assert np.asarray(size.lines[1].get_ydata()) == pytest.approx(-np.asarray(later.get_ydata()))
    assert [tick.get_text() for tick in mean.get_xticklabels()] == ["0", "1", "10"]
    assert len(normal.patches) == 1


@pytest.mark.parametrize("module", [norms, direction, assumptions])
def test_tables_without_rows_are_refused(make_run: Make, module: Any) -> None:
    run = norm_run(make_run, 2.0)
    file = run.path / "scale_invariance.csv"
    file.write_text(file.read_text().split("\n")[0] + "\n")
    with pytest.raises(BadInput, match="a: no rows of scale_invariance yet"):
        module.claims([run])
