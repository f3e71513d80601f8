"""A self-contained HTML page of sections, each with plots and tables."""

from __future__ import annotations

from dataclasses import dataclass, field
from importlib.resources import files
from pathlib import Path
from typing import Any

from foundation.files import new_file
from foundation.manifest import code_version
from foundation.plots import as_html, plotly_script


@dataclass(frozen=True)
class Tile:
    """A figure worth a glance."""

    value: str
    name: str


@dataclass(frozen=True)
class Block:
    """A plot or a table under a heading."""

    heading: str = ""
    plot: str = ""
    heads: tuple[str, ...] = ()
    rows: list[tuple[Any, ...]] = field(default_factory=list)

    def is_number(self, column: int) -> bool:
        """Whether a column holds numbers only and is set to the right."""
        return all(isinstance(row[column], int | float) for row in self.rows)


@dataclass(frozen=True)
class Section:
    """A part of the page, headed in Chinese and English."""

    zh: str
    en: str
    intro: str
    blocks: list[Block]


def plot(figure: Any, heading: str = "") -> Block:
    """A block with one figure."""
    return Block(heading=heading, plot=as_html(figure, heading))


def table(heads: tuple[str, ...], rows: list[tuple[Any, ...]], heading: str = "") -> Block:
    """A block with one table."""
    return Block(heading=heading, heads=heads, rows=rows)


def write_page(
    path: Path, *, title: str, subtitle: str, notices: list[str], tiles: list[Tile], sections: list[Section]
) -> None:
    """Render the page into one file that needs nothing beside it."""
    from jinja2 import Environment

    source = files("foundation").joinpath("templates/report.html").read_text(encoding="utf-8")
    template = Environment(autoescape=True, trim_blocks=True).from_string(source)
    html = template.render(
        title=title,
        subtitle=subtitle,
        notices=notices,
        tiles=tiles,
        sections=sections,
        plotly=plotly_script(),
        version=code_version(),
    )
    with new_file(path) as temporary:
        temporary.write_text(html, encoding="utf-8")
