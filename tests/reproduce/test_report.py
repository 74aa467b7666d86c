"""Would catch: a report that needs the network, mixes up its figures, forgets others, or hides that a claim failed."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path

import pytest

from aeos.figures import style
from aeos.figures.claims import Claim, write
from aeos.reproduce import report
from aeos.reproduce.command import line
from aeos.reproduce.entry import Entry
from tests.conftest import Said

HOLDS = Claim("a < b & c", 1.0, 1.05, 0.1, "relative", "derived", True)
FAILS = Claim("never", 1.0, 2.0, 0.0, "at_most")
ABOUT = {"command": "aeos reproduce all", "seconds": 12.0}
FIRST = Entry("talk_adam", "First <one>", "talk", None, "caption & <b>", "quick", "2026-01-01T00:00:00+00:00",
              ["aeos train 'x=[1]'"], runs=["train/r"], seconds=3.0, common={"steps": 3, "a": None},
              varying={"seed": [0, 1]}, claims=[HOLDS])  # fmt: skip
SECOND = replace(FIRST, name="weak_order", title="Second", paper="2411.15958", claims=[HOLDS, FAILS])
THIRD = replace(FIRST, name="sharpness", title="Third", paper="own", claims=[], error="cifar10: not there")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A report's folder with the drawings of two figures."""
    for name, title in (("talk_adam", "α one"), ("weak_order", r"$\beta_2$ two")):
        with style.style():
            figure = style.new(1.0)
            axes = figure.subplots()
            axes.plot([0, 1], [0, 1], clip_on=True)
            axes.set_title(title)
            style.save(figure, tmp_path / "figures" / name)
    return tmp_path


class Reader(HTMLParser):
    """What a browser would fetch, the ids there are, and which tags stay open."""

    def __init__(self, text: str) -> None:
        super().__init__()
        self.fetched: list[str] = []
        self.ids: list[str] = []
        self.links: list[str] = []
        self.open: list[str] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attributes: list[tuple[str, str | None]]) -> None:
        found = dict(attributes)
        self.ids += [str(found["id"])] if "id" in found else []
        self.links += [str(found["href"])] if tag == "a" else []
        if tag not in ("a", "use"):
            self.fetched += [str(found[key]) for key in ("src", "href", "xlink:href") if key in found]
        if tag not in ("meta", "br", "link", "img"):
            self.open.append(tag)

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_the_page_is_whole_and_needs_nothing_else(folder: Path) -> None:
    report.write(folder, [THIRD, FIRST, SECOND], ABOUT)
    text = (folder / "index.html").read_text()
    read = Reader(text)
    assert read.open == []
    assert read.fetched == []
    assert not re.findall(r"(?:@import|url\()(?!data:|#| ?'?data:)[^)]*", text), "styles from elsewhere"
    assert len(set(read.ids)) == len(read.ids)
    local = [link[1:] for link in read.links if link.startswith("#")]
    assert {"talk_adam", "weak_order", "sharpness"} <= {*local} <= {*read.ids}
    assert [link for link in read.links if not link.startswith("#")] == ["https://arxiv.org/abs/2411.15958"]
    assert {*re.findall(r'(?:url\(#|xlink:href="#)([^)"]+)', text)} <= {*read.ids}
    assert text.count("<svg ") == 2
    assert "First &lt;one&gt;" in text
    assert "caption &amp; &lt;b&gt;" in text
    assert "<b>" not in text
    articles = [name for name in read.ids if name in local]
    assert articles == ["weak_order", "talk_adam", "sharpness"], "in the order of the papers"


def test_the_fonts_on_the_page_hold_the_letters_of_the_figures(folder: Path) -> None:
    import base64
    import io

    from fontTools.ttLib import TTFont

    report.write(folder, [FIRST, SECOND], ABOUT)
    text = (folder / "index.html").read_text()
    faces = re.findall(r"font-family: '(\w+)'; font-style: (\w+); src: url\(data:font/woff;base64,([^)]*)\)", text)
    letters = {(name, style): TTFont(io.BytesIO(base64.b64decode(data))).getBestCmap() for name, style, data in faces}
    assert {*map(ord, "αone01.")} <= {*letters["STIXGeneral", "normal"]}
    assert ord("β") in letters["STIXGeneral", "italic"]
    assert sum(len(data) for *_, data in faces) < 60_000


def test_the_verdicts_can_be_seen(folder: Path) -> None:
    report.write(folder, [FIRST, SECOND, THIRD], ABOUT)
    text = (folder / "index.html").read_text()
    assert "<title>aeos: 2 of 3 claims hold</title>" in text
    assert re.search(r'Not reproduced:.*href="#weak_order".*1 of 2 claims hold.*href="#sharpness".*cifar10: not there',
                     text, re.S)  # fmt: skip
    assert text.count('class="verdict FAIL">FAIL') == 2, "beside the figure and beside the claim"
    (row,) = re.findall(r"<tr><td[^>]*>FAIL.*?</tr>", text, re.S)
    assert [re.sub(r"<[^>]*>", "", cell) for cell in re.findall(r"<td.*?</td>", row)] == [
        "FAIL", "never", "≤ 1", "2", "published", "set before"
    ]  # fmt: skip
    assert "set after" in text
    assert (line(SECOND), line(THIRD)) == (
        "FAIL       weak_order: 1 of 2 claims hold",
        "MISSING    sharpness: cifar10: not there",
    )


def test_a_report_keeps_what_was_not_asked_for_again(folder: Path) -> None:
    report.write(folder, [FIRST, SECOND], ABOUT)
    report.write(folder, [replace(SECOND, claims=[HOLDS], scale="full")], ABOUT | {"seconds": 5.0})
    content = json.loads((folder / "report.json").read_text())
    assert [(entry["name"], entry["scale"], entry["status"]) for entry in content["figures"]] == [
        ("weak_order", "full", "PASS"), ("talk_adam", "quick", "PASS")
    ]  # fmt: skip
    assert content["seconds"] == 5.0
    assert report.read(folder) == [replace(SECOND, claims=[HOLDS], scale="full"), FIRST]
    assert "<title>aeos: 2 of 2" in (folder / "index.html").read_text()


@pytest.mark.parametrize("content", ["", "{", "[]", '{"figures": [{"name": "x"}]}', '{"figures": 3}'])
def test_a_damaged_report_is_begun_anew(content: str, folder: Path) -> None:
    (folder / "report.json").write_text(content)
    assert report.read(folder) == []
    report.write(folder, [FIRST], ABOUT)
    assert report.read(folder) == [FIRST]


def test_the_list_of_figures_says_how_their_claims_stand(aeos: Callable[..., Said], tmp_path: Path) -> None:
    for place, claims in (("figures/weak_order", [HOLDS]), ("report/figures/weak_order", [HOLDS, FAILS]),
                          ("sharpness/r/figures/talk_adam-0a1b2c3d", [HOLDS])):  # fmt: skip
        file = tmp_path / "outputs" / f"{place}.claims.csv"
        file.parent.mkdir(parents=True, exist_ok=True)
        write(claims, file)
    said = aeos("list", "figures")
    rows = {row.split()[0]: row for row in said.out.splitlines() if row.strip()}
    assert " ".join(rows["weak_order"].split()[1:]) == "arXiv 2411.15958 no runs no runs no runs 1 of 2 claims hold"
    assert rows["talk_adam"].rstrip().endswith("1 of 1 claims hold")
    assert "arXiv 2411.05746, Fig. 2" in rows["stability_region"]
    assert aeos("list", "runs").out.startswith("Runs in outputs: none yet")
    wrong = aeos("list", "figure")
    assert (wrong.code, wrong.err.count("\n")) == (2, 1)
    assert "did you mean figures?" in wrong.err
