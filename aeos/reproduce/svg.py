"""Figures as parts of one page: ids of their own, sizes left to the page, and of their fonts the letters they use."""

from __future__ import annotations

import base64
import io
import re
from collections.abc import Iterable
from pathlib import Path

from matplotlib import font_manager, get_data_path


def inline(text: str, name: str, title: str) -> str:
    """An <svg> element of what Matplotlib wrote, as wide as its place; its ids begin with `name`."""
    text = text[text.index("<svg") :]
    text = re.sub(r"<metadata>.*?</metadata>", "", text, flags=re.S)
    text = re.sub(r'(?<=\bid=")', f"{name}-", text)
    text = re.sub(r'(?<=url\(#)|(?<=href="#)', f"{name}-", text)
    head, rest = text.split(">", 1)
    box = re.search(r'viewBox="[^"]*"', head)
    return f'<svg {box[0] if box else ""} role="img" aria-label="{title}" xmlns:xlink="http://www.w3.org/1999/xlink">{rest}'


def font_faces(figures: Iterable[str]) -> str:
    """@font-face rules that hold every letter of these SVGs, in every family of Matplotlib's own that they name."""
    text = "".join(figures)
    letters = "".join(sorted(set(re.sub(r"<[^>]*>", "", text))))
    families = sorted(set(re.findall(r"font-family: '([^']+)'", text)))
    return "\n".join(_face(Path(font.fname), font.name, font.style, letters) for font in _fonts(families))


def _fonts(families: Iterable[str]) -> list[font_manager.FontEntry]:
    own = [font for font in font_manager.fontManager.ttflist if font.fname.startswith(get_data_path())]
    regular = [font for font in own if font.name in families and font.weight in (400, "normal", "regular")]
    return list({(font.name, font.style): font for font in regular}.values())


def _face(file: Path, family: str, style: str, letters: str) -> str:
    from fontTools import subset

    options = subset.Options(flavor="woff", notdef_outline=True, drop_tables=["FFTM"])
    font = subset.load_font(str(file), options)
    subsetter = subset.Subsetter(options)
    subsetter.populate(text=letters)
    subsetter.subset(font)
    small = io.BytesIO()
    subset.save_font(font, small, options)
    data = base64.b64encode(small.getvalue()).decode()
    return f"@font-face {{ font-family: '{family}'; font-style: {style}; src: url(data:font/woff;base64,{data}); }}"
