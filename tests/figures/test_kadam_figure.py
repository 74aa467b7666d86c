"""Would catch: a learning rate chosen by the test loss it is judged by, and seeds of a k that are averaged wrongly."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest

from aeos.errors import BadInput
from aeos.figures.registry import each_run, figure
from aeos.figures.stability import kadam
from aeos.results.read import Run
from aeos.theory.kadam import STRATEGIES


def run(
    k: int, lr: float, train: float | None, test: float | None, strategy: str = "uniform", seed: int = 0, **model: Any
) -> Run:
    config = {
        "model": {"name": "cnn"} | model,
        "optimizer": {"name": "kadam", "k": k, "strategy": strategy, "lr": lr, "weight_decay": 0.0},
        "seed": seed,
        "steps": 100,
    }
    summary = {"status": "finished", "train_loss": train, "best_test_loss": test}
    return Run(Path(f"{k}-{strategy}-{lr}-{seed}-{model}"), config, {"job": "train"}, summary)


def study(nets: int = 1) -> list[Run]:
    """Adam reaches 1, uniform k-Adam 1 + k/10, naive 1 + k, at lr = 2 of 1, 2, 3; seeds are 0.1 apart."""
    slopes = {"uniform": 0.1, "naive": 1.0}
    runs = []
    for net in ("cnn", "transformer")[:nets]:
        for seed in (0, 1, 2):
            for lr in (1.0, 2.0, 3.0):
                loss = 1 + 0.1 * seed + abs(lr - 2)
                runs.append(run(1, lr, loss, loss, seed=seed, name=net))
                runs += [
                    run(k, lr, loss, loss + slope * k, strategy, seed, name=net)
                    for k in (2, 4)
                    for strategy, slope in slopes.items()
                ]
    return runs


def test_the_learning_rate_is_chosen_on_the_training_set() -> None:
    found = kadam.tuned([run(2, 0.1, 0.5, 0.9), run(2, 0.2, 0.4, 1.0), run(2, 0.4, 0.6, 0.8)])
    ((k, best),) = found["cnn"]["uniform"].items()
    assert (k, best.lr, best.losses, best.inside, best.error) == (2, 0.2, (1.0,), True, 0.0)


def test_it_is_chosen_by_the_mean_over_seeds_and_never_where_one_diverged() -> None:
    runs = [run(2, 0.1, 0.5, 1.0), run(2, 0.1, 0.7, 2.0, seed=1), run(2, 0.1, 0.9, 6.0, seed=2)]
    runs += [
        run(2, 0.2, 0.1, 0.0),
        run(2, 0.2, None, 0.0, seed=1),
        run(2, 0.4, 0.1, 0.0),
        run(2, 0.4, 2.0, 0.0, seed=1),
    ]
    best = kadam.tuned(runs)["cnn"]["uniform"][2]
    assert (best.lr, best.losses, best.inside) == (0.1, (1.0, 2.0, 6.0), False)
    assert best.mean == 3.0
    assert best.error == pytest.approx((14 / 2 / 3) ** 0.5)  # squares of −2, −1 and 3 over n − 1, then over n


def test_one_normalization_is_adam_in_every_strategy_and_nets_stay_apart() -> None:
    found = kadam.tuned([
        run(1, 0.1, 0.5, 1.0, "exp"),
        run(2, 0.1, 0.5, 2.0, "exp"),
        run(2, 0.1, 0.5, 3.0, "naive"),
        run(2, 0.1, 0.5, 4.0, name="transformer", qk_norm=True),
        run(2, 0.1, 0.5, 5.0, name="transformer", qk_norm=False),
    ])  # fmt: skip
    assert {net: sorted(lines) for net, lines in found.items()} == {
        "cnn": ["Adam", "exp", "naive"],
        "transformer, qk-norm": ["uniform"],
        "transformer": ["uniform"],
    }


def test_lines_bands_and_learning_rates_are_drawn_for_each_net() -> None:
    panels = kadam.draw(study(nets=2), []).axes
    assert [panel.get_title("center") for panel in panels] == ["cnn", "transformer", "", ""]
    loss, rate = panels[0], panels[2]
    (naive, uniform, adam) = [line.get_xydata() for line in loss.lines]
    assert naive[:, 0].tolist() == uniform[:, 0].tolist() == [1, 2, 4]
    assert naive[:, 1] == pytest.approx([1.1, 3.1, 5.1])
    assert uniform[:, 1] == pytest.approx([1.1, 1.3, 1.5])
    assert adam[:, 1] == pytest.approx([1.1, 1.1])
    low, high = (loss.collections[1].get_paths()[0].get_extents().get_points()[:, 1]).tolist()
    assert (low, high) == pytest.approx((1.1 - 0.1 / 3**0.5, 1.5 + 0.1 / 3**0.5))
    assert loss.get_ylim()[1] == pytest.approx(1.1 + 3 * (1.5 - 1.1))
    assert [text.get_text() for text in loss.texts] == ["naive: up to 5.1"]
    assert {float(y) for line in rate.lines for y in line.get_ydata()} == {2.0}


def test_claims_tell_stages_runs_and_the_ratio_to_adam() -> None:
    runs = study()
    stages, ended, *ratios = kadam.claims(runs)
    assert stages.measured == pytest.approx(2 / 9 - 1 / 999)
    assert (ended.predicted, ended.measured) == (len(runs), len(runs))
    assert [one.measured for one in ratios] == pytest.approx([3.1 / 1.1, 1.3 / 1.1])
    unfinished = Run(Path("u"), runs[0].config, {}, None)
    assert kadam.claims([*runs, unfinished])[1].verdict == "FAIL"
    assert len(kadam.claims(study()[1:2])) == 2


def test_on_a_scale_invariant_net_with_weight_decay_adam_has_a_second_stage() -> None:
    there = run(1, 0.01, 1.0, 1.0, qk_norm=True)
    assert len(kadam.claims([there])) == 2
    there.config["optimizer"]["weight_decay"] = 2.0
    assert kadam.claims([there])[2].measured == pytest.approx(1 / (2 * 0.01 * 2.0))
    there.config["model"]["qk_norm"] = False
    assert len(kadam.claims([there])) == 2


def test_runs_of_another_optimizer_show_nothing() -> None:
    sgd = Run(Path("g"), {"optimizer": {"name": "gd"}}, {}, {"best_test_loss": 1.0})
    with pytest.raises(BadInput, match="no finished run of optimizer=kadam"):
        kadam.tuned([sgd, Run(Path("u"), run(2, 0.1, 1.0, 1.0).config, {}, None), run(2, 0.1, 1.0, None)])


def test_the_study_tries_every_strategy_at_the_same_k_over_several_learning_rates_and_seeds() -> None:
    settings = [
        dict(word.split("=", 1) for word in one)
        for words in figure("kadam_strategies").overrides
        for one in each_run(words)
    ]
    assert len({tuple(sorted(one.items())) for one in settings}) == len(settings)
    tried: dict[tuple[str, ...], set[str]] = {}
    for one in settings:
        net = one["model"] + one.get("model.qk_norm", "")
        place = (net, one.get("optimizer.strategy", ""), one["optimizer.k"], one["seed"])
        tried.setdefault(place, set()).add(one["optimizer.lr"])
    assert min(map(len, tried.values())) == 4
    nets, seeds = {place[0] for place in tried}, {place[3] for place in tried}
    ks = {place[2] for place in tried} - {"1"}
    wanted = {(net, name, k, seed) for net in nets for name in STRATEGIES for k in ks for seed in seeds}
    assert set(tried) == wanted | {(net, "", "1", seed) for net in nets for seed in seeds}
    assert (len(nets), len(seeds)) == (3, 3)
