"""Small plots as inline SVG: shapes have classes and no colours, so that the style sheet paints them by day and by
night, and no script draws them. Each says in words what it shows."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import pairwise

from markupsafe import Markup

WIDTH, HEIGHT = 360, 200
LEFT, RIGHT, TOP, BOTTOM = 38, 10, 12, 28
ROW = 30

Point = tuple[float, float]


def bars(values: Mapping[str, float], words: str, *, marked: Iterable[str] = ()) -> Markup:
    """Upright bars from 0, their values on top; `marked` ones stand out."""
    top = max(values.values(), default=0) or 1
    step = (WIDTH - LEFT - RIGHT) / max(1, len(values))
    out, seldom = set(marked), -(-len(values) // 12)
    drawn = [_axis()]
    for place, (name, value) in enumerate(values.items()):
        height = value / top * (HEIGHT - TOP - BOTTOM - 14)
        left = LEFT + place * step
        kind = "bar out" if name in out else "bar"
        drawn.append(_rect(left + step * 0.1, HEIGHT - BOTTOM - height, step * 0.8, height, kind))
        if value:
            drawn.append(_text(left + step / 2, HEIGHT - BOTTOM - height - 4, f"{value:g}", "middle small"))
        if place % seldom == 0:
            drawn.append(_text(left + step / 2, HEIGHT - 10, name, "middle"))
    return _svg(drawn, words)


def lines(
    series: Mapping[str, Sequence[float | None]],
    names: Sequence[str],
    words: str,
    *,
    low: float = 0.0,
    high: float = 1.0,
    guides: Sequence[float] = (),
) -> Markup:
    """One line a series over evenly spaced `names`, broken where a value is missing; `guides` are dotted."""
    drawn = [_axis()]
    for value in _ticks(low, high):
        height = _height(value, low, high)
        drawn += [
            _line((LEFT, height), (WIDTH - RIGHT, height), "grid"),
            _text(LEFT - 6, height + 4, f"{value:g}", "end"),
        ]
    for value in guides:
        height = _height(value, low, high)
        drawn.append(_line((LEFT, height), (WIDTH - RIGHT, height), "guide"))
    for number, values in enumerate(series.values()):
        points = [
            None if value is None else (_across(place, len(names)), _height(value, low, high))
            for place, value in enumerate(values)
        ]
        drawn += [_line(one, other, f"line s{number}") for one, other in pairwise(points) if one and other]
        drawn += [_circle(point, 3.5, f"dot s{number}") for point in points if point]
    for place in sorted({0, len(names) - 1}) if names else ():
        drawn.append(_text(_across(place, len(names)), HEIGHT - 8, names[place], "end" if place else "start"))
    return _svg(drawn, words)


def intervals(rows: Mapping[str, tuple[float, float, float] | None], words: str, *, low: float, guide: float) -> Markup:
    """A dot with its interval for each row, from `low` to 1; a row without one stays empty. `guide` is dotted."""
    height = TOP + ROW * len(rows) + BOTTOM
    left = LEFT + 62

    def x(value: float) -> float:
        return left + (max(low, value) - low) / (1 - low) * (WIDTH - RIGHT - left)

    drawn = [_line((left, height - BOTTOM), (WIDTH - RIGHT, height - BOTTOM), "axis")]
    for value in _ticks(low, 1.0):
        drawn += [
            _line((x(value), TOP), (x(value), height - BOTTOM), "grid"),
            _text(x(value), height - 10, f"{value:g}", "middle"),
        ]
    drawn.append(_line((x(guide), TOP), (x(guide), height - BOTTOM), "guide"))
    for place, (name, found) in enumerate(rows.items()):
        middle = TOP + ROW * (place + 0.5)
        drawn.append(_text(left - 10, middle + 4, _short(name), "end"))
        if found:
            value, lower, upper = found
            drawn += [
                _line((x(lower), middle), (x(upper), middle), "whisker"),
                _circle((x(value), middle), 5, "dot s0"),
            ]
    return _svg(drawn, words, height)


def shares(parts: Mapping[str, int], words: str) -> Markup:
    """One bar cut into parts, in their order."""
    total, left, drawn = sum(parts.values()) or 1, 0.0, []
    for number, value in enumerate(parts.values()):
        width = value / total * WIDTH
        drawn.append(_rect(left, 0, width, 28, f"part p{number}"))
        left += width
    return _svg(drawn, words, 28)


def _ticks(low: float, high: float) -> list[float]:
    step = next(step for step in (0.1, 0.2, 0.5, 1, 2, 5, 10) if (high - low) / step <= 5)
    first = -(-low // step)
    return [round((first + place) * step, 6) for place in range(int((high - first * step) / step + 1e-9) + 1)]


def _across(place: int, count: int) -> float:
    inner = WIDTH - LEFT - RIGHT - 12
    return LEFT + 6 + (inner / 2 if count < 2 else inner * place / (count - 1))


def _height(value: float, low: float, high: float) -> float:
    inside = min(max(value, low), high)
    return TOP + (high - inside) / (high - low) * (HEIGHT - TOP - BOTTOM)


def _short(name: str) -> str:
    return name if len(name) <= 6 else f"{name[:5]}…"


def _axis() -> Markup:
    return _line((LEFT, HEIGHT - BOTTOM), (WIDTH - RIGHT, HEIGHT - BOTTOM), "axis")


def _rect(x: float, y: float, width: float, height: float, kind: str) -> Markup:
    size = f'x="{x:.1f}" y="{y:.1f}" width="{width:.1f}" height="{height:.1f}"'
    return Markup('<rect class="{}" rx="2" {}/>').format(kind, Markup(size))  # noqa: S704


def _line(one: Point, other: Point, kind: str) -> Markup:
    ends = f'x1="{one[0]:.1f}" y1="{one[1]:.1f}" x2="{other[0]:.1f}" y2="{other[1]:.1f}"'
    return Markup('<line class="{}" {}/>').format(kind, Markup(ends))  # noqa: S704


def _circle(centre: Point, radius: float, kind: str) -> Markup:
    place = f'cx="{centre[0]:.1f}" cy="{centre[1]:.1f}" r="{radius:g}"'
    return Markup('<circle class="{}" {}/>').format(kind, Markup(place))  # noqa: S704


def _text(x: float, y: float, words: str, kind: str) -> Markup:
    return Markup('<text class="{}" x="{}" y="{}">{}</text>').format(kind, f"{x:.1f}", f"{y:.1f}", words)


def _svg(drawn: Iterable[Markup], words: str, height: int = HEIGHT) -> Markup:
    head = Markup('<svg class="plot" viewBox="0 0 {} {}" role="img" aria-label="{}">').format(WIDTH, height, words)
    return head + Markup("").join(drawn) + Markup("</svg>")
