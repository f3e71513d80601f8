"""Dialogues: read, normalise, de-identify, filter, deduplicate, match to the graph, freeze, sample."""

import os

# Arrow's own pool keeps some tens of megabytes that were given back; this is read when Arrow is first imported.
os.environ.setdefault("ARROW_DEFAULT_MEMORY_POOL", "system")
