"""From the words after `aeos plot` to files: which runs, which figures of them, where to."""

from __future__ import annotations

import hashlib
from collections.abc import Sequence
from pathlib import Path

from aeos.errors import BadInput, suggest
from aeos.figures import claims
from aeos.figures.labels import labels
from aeos.figures.match import select
from aeos.figures.registry import FigureConfig, figures, load_draw
from aeos.results.read import Run, find, load


def plot(words: Sequence[str], out: Path | None, root: Path) -> list[Path]:
    """Draw what the words name; returns the files written: a PDF, an SVG, a PNG, and a table of any claims.

    A word is a figure, a run's folder, a run's name under `root`, or a folder of runs. Figures alone are drawn from the
    finished runs under `root` that they ask for; runs alone appear together in every figure that their tables allow;
    with both, those figures show those runs. A figure of theory needs no runs, and shows none. Files go to `out`, else
    to the run's own `figures/`, else, for several runs or for none, to `root/figures/`. Raises BadInput when a word is
    neither, runs are missing or empty, or the folder cannot be written.
    """
    if not words:
        raise BadInput("plot what? Give run folders, or figures by name: `aeos list` shows both")
    known = figures()
    chosen = [known[word] for word in dict.fromkeys(words) if word in known]
    found = [run for word in words if word not in known for run in _runs(word, root, known)]
    runs = list({run.path.resolve(): run for run in found}.values())
    if not runs:
        here = [run for run in find(root) if run.finished] if any(figure.job for figure in chosen) else []
        jobs = [(figure, _asked(figure, here, root)) for figure in chosen]
    elif chosen:
        jobs = [(figure, runs if figure.job else []) for figure in chosen]
    else:
        jobs = _allowed(known, runs)
    return [file for figure, shown in jobs for file in write(figure, shown, _stem(figure, shown, out, root))[0]]


def _runs(word: str, root: Path, known: dict[str, FigureConfig]) -> list[Run]:
    """The runs that a word stands for."""
    for path in (Path(word), root / word):
        if (path / "env.json").is_file():
            return [load(path)]
        if inside := sorted({*path.glob("*/env.json"), *path.glob("*/*/env.json")}):
            return [load(file.parent) for file in inside]
    named = {file.parent.name: file.parent for file in root.glob("*/*/env.json")}
    if word in named:
        return [load(named[word])]
    if Path(word).exists():
        raise BadInput(f"{word}: no run folder, and no folder of runs")
    hint = suggest(word, [*known, *named], most=3)
    raise BadInput(f"{word}: neither a figure nor a run under {root} (`aeos list` shows both){hint}")


def _asked(figure: FigureConfig, here: Sequence[Run], root: Path) -> list[Run]:
    runs, missing = select(figure, here)
    if missing:
        raise BadInput(f"figure {figure.name} needs runs that are not under {root}; make them: {' && '.join(missing)}")
    return runs


def _allowed(known: dict[str, FigureConfig], runs: Sequence[Run]) -> list[tuple[FigureConfig, list[Run]]]:
    """Every figure with those runs that it can show: the ones it asks for, or all if it asks for none."""
    allowed = []
    for figure in (figure for figure in known.values() if figure.job):
        tables = set(load_draw(figure.name).TABLES)
        able = [run for run in runs if tables <= set(run.tables)]
        shown, missing = select(figure, able) if any(figure.overrides) else (able, [])
        if shown and not missing:
            allowed.append((figure, shown))
    if not allowed:
        names = ", ".join(run.name for run in runs)
        raise BadInput(f"{names}: no table there that a figure shows; wait for the first rows")
    return allowed


def _stem(figure: FigureConfig, runs: Sequence[Run], out: Path | None, root: Path) -> Path:
    if not runs:
        return (out or root / "figures") / figure.name
    if len(runs) == 1:
        return (out or runs[0].path / "figures") / figure.name
    names = "\n".join(f"{run.job}/{run.name}" for run in runs)
    return (out or root / "figures") / f"{figure.name}-{hashlib.sha256(names.encode()).hexdigest()[:8]}"


def write(figure: FigureConfig, runs: Sequence[Run], stem: Path) -> tuple[list[Path], list[claims.Claim]]:
    """Draw one figure of these runs: the files, stem.pdf, .svg, .png and .claims.csv where it has any, and its claims.

    Raises BadInput when they cannot be written, or as the figure does.
    """
    from aeos.figures.style import save

    drawing = load_draw(figure.name)
    drawn, claimed = drawing.draw(runs, labels(runs)), drawing.claims(runs)
    table = stem.with_name(f"{stem.name}.claims.csv")
    try:
        files = save(drawn, stem)
        if claimed:
            claims.write(claimed, table)
        else:
            table.unlink(missing_ok=True)  # one that an older version wrote would not belong to this figure
    except OSError as error:
        raise BadInput(
            f"{stem.parent}: cannot write figures there ({error.strerror}); give another with --to"
        ) from error
    return [*files, table] if claimed else files, claimed
