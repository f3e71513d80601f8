"""Plots of the report, as plotly figures in one calm style."""

from __future__ import annotations

import hashlib
import math
from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

BINS = 40
INK = "#22313f"
ACCENT = "#0f766e"
SOFT = "#94a3b8"
WARM = "#b45309"
FONT = 'system-ui, "PingFang SC", "Microsoft YaHei", "Noto Sans CJK SC", "WenQuanYi Zen Hei", sans-serif'


def bars(counts: Mapping[str, float], *, color: str = ACCENT, keep_order: bool = False) -> Any:
    """Horizontal bars, the largest on top unless `keep_order`."""
    import plotly.graph_objects as go

    items = list(counts.items()) if keep_order else sorted(counts.items(), key=lambda item: -item[1])
    names, values = [name for name, _ in items], [value for _, value in items]
    bar = go.Bar(x=values, y=names, orientation="h", marker_color=color, text=values, textposition="auto")
    figure = _figure([bar], height=90 + 30 * len(names))
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure


def histogram(values: Sequence[float] | NDArray[Any], title: str, *, color: str = ACCENT) -> Any:
    """How often each size occurs; the page holds the counts, not the values. The largest hundredth shares a bar."""
    import plotly.graph_objects as go

    sizes = np.asarray(values)
    whole = sizes.dtype.kind in "iu" or not len(sizes)
    top = np.quantile(sizes, 0.99) if len(sizes) else 1.0
    low = sizes.min(initial=top)
    step = max(1, math.ceil((top - low + 1) / BINS)) if whole else max((top - low) / BINS, 1e-9)
    edges = low + step * np.arange(math.floor((top - low) / step) + 2)
    counts, _ = np.histogram(np.minimum(sizes, edges[-1]), edges)
    centres = edges[:-1] + (0 if step == 1 else step / 2)
    figure = _figure([go.Bar(x=centres, y=counts, width=step * 0.96, marker_color=color)])
    figure.update_xaxes(title=title)
    return figure


def lines(series: Mapping[str, Sequence[float]], x_title: str, y_title: str) -> Any:
    """One line per series over steps 1, 2, 3 …"""
    import plotly.graph_objects as go

    colors = [ACCENT, WARM, INK, SOFT]
    traces = [
        go.Scatter(
            x=list(range(1, len(values) + 1)), y=list(values), name=name, mode="lines", line_color=colors[index % 4]
        )
        for index, (name, values) in enumerate(series.items())
    ]
    figure = _figure(traces)
    figure.update_xaxes(title=x_title)
    figure.update_yaxes(title=y_title)
    return figure


def path(xs: Sequence[float], ys: Sequence[float], x_title: str, y_title: str) -> Any:
    """One point a step in the plane, joined in the order of steps, later ones darker."""
    import plotly.graph_objects as go

    steps = list(range(1, len(xs) + 1))
    marker = {"size": 7, "color": steps, "colorscale": [[0, SOFT], [1, ACCENT]], "showscale": False}
    line = {"color": SOFT, "width": 1}
    text = [f"step {step}" for step in steps]
    figure = _figure([go.Scatter(x=list(xs), y=list(ys), mode="lines+markers", marker=marker, line=line, text=text)])
    figure.update_xaxes(title=x_title)
    figure.update_yaxes(title=y_title)
    return figure


def reliability(stated: Sequence[float], found: Sequence[float], weights: Sequence[int]) -> Any:
    """Stated probabilities against the share that came true, one point a bin, larger where more fell into it."""
    import plotly.graph_objects as go

    largest = max(weights, default=1)
    points = go.Scatter(
        x=list(stated),
        y=list(found),
        mode="markers+lines",
        marker={"color": ACCENT, "size": [8 + 16 * weight / largest for weight in weights]},
        line={"color": SOFT, "width": 1},
        text=[f"n = {weight}" for weight in weights],
        name="measured",
    )
    ideal = go.Scatter(x=[0.5, 1], y=[0.5, 1], mode="lines", line={"color": INK, "dash": "dot"}, name="ideal")
    figure = _figure([points, ideal])
    figure.update_xaxes(title="stated probability", range=[0.48, 1.02])
    figure.update_yaxes(title="share that was right", range=[-0.02, 1.04])
    return figure


def heat_map(names: Sequence[str], values: Sequence[Sequence[float | None]]) -> Any:
    """A square of agreement between every two, from -1 to 1."""
    import plotly.graph_objects as go

    text = [["" if value is None else f"{value:.2f}" for value in row] for row in values]
    trace = go.Heatmap(
        z=[list(row) for row in values],
        x=list(names),
        y=list(names),
        text=text,
        texttemplate="%{text}",
        colorscale="Teal",
        zmin=0,
        zmax=1,
        xgap=2,
        ygap=2,
    )
    figure = _figure([trace], height=420)
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure


def confusion(names: Sequence[str], counts: Sequence[Sequence[int]]) -> Any:
    """Counts with a row a true class and a column a decided one; the colour is the share of the row."""
    import plotly.graph_objects as go

    shares = [[count / max(1, sum(row)) for count in row] for row in counts]
    text = [[str(count) if count else "" for count in row] for row in counts]
    trace = go.Heatmap(
        z=shares, x=list(names), y=list(names), text=text, texttemplate="%{text}", colorscale="Teal", zmin=0, zmax=1
    )
    trace.update(xgap=2, ygap=2, showscale=False)
    figure = _figure([trace], height=140 + 26 * len(names))
    figure.update_yaxes(autorange="reversed", automargin=True, title="true")
    figure.update_xaxes(automargin=True, title="decided", side="top")
    return figure


def stacked(parts: Mapping[str, Mapping[str, float]]) -> Any:
    """A bar for each name, made of parts in %, in their order: the first in the accent colour, the last warm."""
    import plotly.graph_objects as go

    names = list(parts)
    labels = list(dict.fromkeys(label for shares in parts.values() for label in shares))
    colors = [ACCENT, "#cbd5e1", WARM]
    traces = [
        go.Bar(
            x=[parts[name][label] for name in names],
            y=names,
            name=label,
            orientation="h",
            marker_color=colors[place % len(colors)],
            text=[f"{parts[name][label]:g}" if parts[name][label] else "" for name in names],
            textposition="inside",
            insidetextanchor="middle",
        )
        for place, label in enumerate(labels)
    ]
    figure = _figure(traces, height=130 + 34 * len(names))
    figure.update_layout(barmode="stack", legend={"y": 1.02, "yanchor": "bottom", "traceorder": "normal"})
    figure.update_layout(margin={"t": 40})
    figure.update_xaxes(range=[0, 100], ticksuffix=" %")
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure


def intervals(rows: Mapping[str, tuple[float, float, float]], x_title: str, *, middle: float) -> Any:
    """A forest plot: for each name a point and its interval (value, low, high) about the line at `middle`; intervals
    that leave it out are in the accent colour."""
    import plotly.graph_objects as go

    names = list(rows)
    clear = [not low <= middle <= high for _, low, high in rows.values()]
    values = [value for value, _, _ in rows.values()]
    points = go.Scatter(
        x=values,
        y=names,
        mode="markers",
        marker={"size": 10, "color": [ACCENT if sure else SOFT for sure in clear]},
        error_x={
            "type": "data",
            "symmetric": False,
            "array": [high - value for value, _, high in rows.values()],
            "arrayminus": [value - low for value, low, _ in rows.values()],
            "color": INK,
            "thickness": 1.2,
            "width": 4,
        },
        text=[f"{low:.1f} – {high:.1f}" for _, low, high in rows.values()],
        showlegend=False,
    )
    figure = _figure([points], height=110 + 26 * len(names))
    figure.add_vline(x=middle, line={"color": INK, "dash": "dot", "width": 1})
    figure.update_xaxes(title=x_title)
    figure.update_yaxes(autorange="reversed", automargin=True)
    return figure


def radar(series: Mapping[str, Mapping[str, float]], ceiling: float) -> Any:
    """A closed line per series over the same names, from 0 at the centre to `ceiling`."""
    import plotly.graph_objects as go

    colors = [ACCENT, WARM, INK, SOFT, "#7c3aed", "#be123c"]
    traces = [
        go.Scatterpolar(
            r=[*values.values(), next(iter(values.values()))],
            theta=[*values, next(iter(values))],
            name=name,
            mode="lines+markers",
            line_color=colors[place % len(colors)],
        )
        for place, (name, values) in enumerate(series.items())
    ]
    figure = _figure(traces, height=440)
    figure.update_layout(polar={"radialaxis": {"range": [0, ceiling], "angle": 90, "tickangle": 90}})
    figure.update_layout(margin={"l": 50, "r": 50, "t": 40, "b": 40})
    return figure


def before_after(before: tuple[float, float], after: tuple[float, float]) -> Any:
    """Two means with the half width of their intervals."""
    import plotly.graph_objects as go

    trace = go.Bar(
        x=["before PPO", "after PPO"],
        y=[before[0], after[0]],
        error_y={"type": "data", "array": [before[1], after[1]]},
        marker_color=[SOFT, ACCENT],
        width=0.5,
    )
    figure = _figure([trace])
    figure.update_yaxes(title="mean reward on held-out prompts")
    return figure


def as_html(figure: Any, heading: str = "") -> str:
    """The figure as a piece of HTML that needs plotly.js on the page; the same figure gives the same bytes."""
    name = hashlib.sha256(f"{heading}\n{figure.to_json()}".encode()).hexdigest()[:16]
    html: str = figure.to_html(
        full_html=False,
        include_plotlyjs=False,
        div_id=f"plot-{name}",
        config={"displaylogo": False, "responsive": True},
    )
    return html


def plotly_script() -> str:
    """The text of plotly.js, to stand once on a self-contained page."""
    from plotly.offline import get_plotlyjs

    script: str = get_plotlyjs()
    return script


def _figure(traces: Sequence[Any], height: int = 320) -> Any:
    import plotly.graph_objects as go

    figure = go.Figure(list(traces))
    figure.update_layout(
        template="plotly_white",
        height=height,
        margin={"l": 20, "r": 20, "t": 16, "b": 44},
        font={"family": FONT, "color": INK, "size": 13},
        legend={"orientation": "h", "y": 1.12},
    )
    return figure
