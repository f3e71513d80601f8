"""Statements of files gathered into the folder that `kg.graph` opens."""
