"""A picture of an entity's surroundings: one HTML file that needs nothing beside it."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from foundation.files import new_file
from kg.card import card_of
from kg.graph import KnowledgeGraph

if TYPE_CHECKING:
    import networkx as nx

Places = Mapping[str, Any]

MAX_NODES = 400
_COLOURS = {
    "drug": "#2a7",
    "disease": "#c44",
    "symptom": "#e90",
    "examination": "#47c",
    "department": "#757",
    "group": "#09a",
}
_OTHER_COLOUR = "#888"


def draw(graph: KnowledgeGraph, name: str, out: Path, *, hops: int = 1) -> int:
    """Write the picture of what lies within `hops` of an entity; returns how many entities it shows.

    Of more than `MAX_NODES` entities the nearest are shown, of those as near the best connected. Raises
    ZhongjingError where the graph has no such entity.
    """
    import networkx as nx
    import plotly.graph_objects as go

    entity = card_of(graph, name).name
    whole = graph.subgraph([entity], hops)
    distance = nx.single_source_shortest_path_length(whole.to_undirected(as_view=True), entity)
    order = sorted(whole, key=lambda node: (distance.get(node, hops), -whole.degree(node), node))
    shown = whole.subgraph(order[:MAX_NODES])
    places = nx.spring_layout(
        nx.Graph(shown), seed=0, pos={entity: (0.0, 0.0)}, fixed=[entity], k=1.6 / len(shown) ** 0.5
    )
    figure = go.Figure([*_edges(shown, places), _nodes(shown, places, entity)])
    title = f"{entity}: {len(shown)} of {len(whole)} entities within {hops} hop{'s' * (hops > 1)}"
    figure.update_layout(title=title, template="plotly_white", xaxis_visible=False, yaxis_visible=False, height=900)
    with new_file(out) as temporary:
        figure.write_html(temporary, include_plotlyjs=True, div_id="graph")
    return len(shown)


def _edges(shown: nx.MultiDiGraph[str], places: Places) -> Iterator[Any]:
    import plotly.graph_objects as go

    by_relation: dict[str, list[tuple[str, str]]] = {}
    for subject, target, relation in sorted(shown.edges(keys=True)):
        by_relation.setdefault(relation, []).append((subject, target))
    for relation, pairs in by_relation.items():
        x = [value for one, other in pairs for value in (places[one][0], places[other][0], None)]
        y = [value for one, other in pairs for value in (places[one][1], places[other][1], None)]
        yield go.Scatter(x=x, y=y, mode="lines", name=relation, line_width=0.7, hoverinfo="skip")


def _nodes(shown: nx.MultiDiGraph[str], places: Places, centre: str) -> Any:
    import plotly.graph_objects as go

    nodes = sorted(shown)
    kinds = [shown.nodes[node]["type"] for node in nodes]
    return go.Scatter(
        x=[places[node][0] for node in nodes],
        y=[places[node][1] for node in nodes],
        text=nodes,
        hovertext=[f"{node} [{kind}]" for node, kind in zip(nodes, kinds, strict=True)],
        mode="markers+text",
        textposition="top center",
        marker_color=[_COLOURS.get(kind, _OTHER_COLOUR) for kind in kinds],
        marker_size=[22 if node == centre else 9 for node in nodes],
        showlegend=False,
    )
