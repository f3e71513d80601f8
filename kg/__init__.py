"""The medical knowledge graph: read, store, look up, link text to it, check statements against it."""
