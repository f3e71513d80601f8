"""Corpus recipes that a job may build: YAML files in `recipes/` of the data folder, by name."""

from __future__ import annotations

from pathlib import Path

from annotation.errors import NotFoundError

FOLDER = "recipes"


def recipe_names(data: Path) -> list[str]:
    """The recipes there are."""
    folder = data / FOLDER
    return sorted(path.name for path in folder.glob("*.y*ml") if path.is_file()) if folder.is_dir() else []


def recipe_path(data: Path, name: str) -> Path:
    """The file of a recipe; a name that is not one of `recipe_names` does not exist, whatever path it spells."""
    if name not in recipe_names(data):
        raise NotFoundError("no_recipe", "there is no such recipe", hint=f"put it into {FOLDER}/ of the data folder")
    return data / FOLDER / name
