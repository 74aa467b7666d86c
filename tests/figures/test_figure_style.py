"""Would catch: a figure that looks or saves differently from one machine, process or day to the next."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import matplotlib as mpl
import pytest
from matplotlib.colors import to_hex
from matplotlib.lines import Line2D

from aeos.figures import style
from aeos.paths import PACKAGE

DRAW = """
import sys
from pathlib import Path
from aeos.figures import style
with style.style():
    figure = style.new(2.0)
    left, right = figure.subplots(1, 2)
    left.plot([1, 2, 3], [1, 100, 1000], label="data $x^2$")
    left.set_yscale("log")
    right.plot([0, 20000], [0, 1], **style.THEORY)
    style.steps_axis(right)
    style.letters([left, right])
    style.legend_below(figure, left.lines)
for file in style.save(figure, Path(sys.argv[1])):
    print(file.name)
"""


@pytest.fixture(scope="module")
def twice(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """One figure drawn by two processes with different hash seeds and clocks that pretend to be apart."""
    folders = (tmp_path_factory.mktemp("one"), tmp_path_factory.mktemp("two"))
    for number, folder in enumerate(folders):
        (folder / "matplotlibrc").write_text("font.size: 20\nlines.linewidth: 9\n" if number else "")
        env = os.environ | {
            "PYTHONPATH": str(PACKAGE.parent),
            "PYTHONHASHSEED": str(number + 1),
            "SOURCE_DATE_EPOCH": str(10**9 * number),
            "MATPLOTLIBRC": str(folder / "matplotlibrc"),
        }
        done = subprocess.run(
            [sys.executable, "-c", DRAW, folder / "f.1"], env=env, capture_output=True, text=True, check=True
        )
        assert done.stdout.split() == ["f.1.pdf", "f.1.svg", "f.1.png"]
    return folders


@pytest.mark.parametrize("kind", ["pdf", "svg", "png"])
def test_two_processes_write_the_same_bytes(twice: tuple[Path, Path], kind: str) -> None:
    first, second = (folder / f"f.1.{kind}" for folder in twice)
    assert first.read_bytes() == second.read_bytes()
    assert first.stat().st_size > 1000


def test_saving_twice_writes_the_same_bytes(tmp_path: Path) -> None:
    with style.style():
        figure = style.new(2.0)
        figure.subplots().plot([1, 2], [3, 4])
    once = [file.read_bytes() for file in style.save(figure, tmp_path / "new" / "f")]
    assert once == [file.read_bytes() for file in style.save(figure, tmp_path / "new" / "f")]
    assert sorted(file.name for file in (tmp_path / "new").iterdir()) == ["f.pdf", "f.png", "f.svg"]


def test_pdf_embeds_truetype_and_svg_keeps_text(twice: tuple[Path, Path]) -> None:
    pdf, svg = (twice[0] / "f.1.pdf").read_bytes(), (twice[0] / "f.1.svg").read_text()
    assert b"/CIDFontType2" in pdf or b"/TrueType" in pdf
    assert b"/Type3" not in pdf
    assert b"STIXGeneral" in pdf
    assert "data" in svg
    assert "<text" in svg
    assert "STIXGeneral" in svg


def test_files_name_neither_date_nor_version(twice: tuple[Path, Path]) -> None:
    for file in ("f.1.pdf", "f.1.svg", "f.1.png"):
        content = (twice[0] / file).read_bytes()
        assert not any(
            word in content for word in (b"CreationDate", b"dc:date", b"Matplotlib v", mpl.__version__.encode())
        )


def test_size_is_the_final_size(twice: tuple[Path, Path]) -> None:
    png = (twice[0] / "f.1.png").read_bytes()
    assert int.from_bytes(png[16:20], "big") == round(style.WIDTH * 300)
    assert b"/MediaBox [ 0 0 396" in (twice[0] / "f.1.pdf").read_bytes()  # 5.5 in of 72 pt


def test_the_style_ends_with_its_block() -> None:
    before = dict(mpl.rcParams)
    with style.style():
        assert mpl.rcParams["pdf.fonttype"] == 42
    assert dict(mpl.rcParams) == before


def test_no_pyplot() -> None:
    script = "import sys; import aeos.figures.training; assert 'matplotlib.pyplot' not in sys.modules"
    subprocess.run([sys.executable, "-c", script], env=os.environ | {"PYTHONPATH": str(PACKAGE.parent)}, check=True)


def test_looks_are_distinct_and_leave_black_to_theory() -> None:
    looks = style.categorical(21)
    assert len({(look["color"], str(look["linestyle"])) for look in looks}) == 21
    assert all(look["linestyle"] == "-" for look in looks[:7])
    assert not {to_hex(look["color"]) for look in looks} & {"#000000"}


def test_sequential_follows_the_values_not_their_order() -> None:
    dark, light, middle, again = style.sequential([0.1, 10.0, 1.0, 0.1])
    assert dark == again
    assert sum(dark["color"][:3]) < sum(middle["color"][:3]) < sum(light["color"][:3])


@pytest.mark.parametrize(("count", "length"), [(1, 4), (3, 20), (13, 12), (2, 300)])
def test_the_legend_fits_and_covers_no_panel(count: int, length: int) -> None:
    with style.style():
        figure = style.new(2.0)
        panel = figure.subplots()
        panel.plot([0, 1], [0, 1])
        panel.set_xlabel("step")
        words = ("setting=0.123, " * length)[:length]
        style.legend_below(figure, [Line2D([], [], label=f"{words}{i}") for i in range(count)])
        figure.canvas.draw()
    box, inside = figure.legends[0].get_window_extent(), panel.get_tightbbox()
    assert inside is not None
    assert box.y1 <= inside.y0
    assert figure.bbox.x0 <= box.x0
    assert box.x1 <= figure.bbox.x1
    assert box.y0 >= -1
    assert panel.bbox.height > 0.55 * 2.0 * figure.dpi
