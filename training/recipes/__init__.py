"""Recipes: one YAML file says everything about one run.

A relative path in a recipe starts at the recipe's own folder, so that a recipe and its data move together.
In a recipe made in Python a path means what it means anywhere in Python. Beside these modules lie the recipes that
are shipped, by model and stage.
"""

from foundation.recipes import read_recipe
from training.recipes.generation import REFERENCE, Answerer, GenerateRecipe
from training.recipes.options import (
    Count,
    Lora,
    Model,
    Natural,
    NotNegative,
    OpenShare,
    Options,
    Positive,
    Precision,
    RunOptions,
    Share,
    Tiny,
    flat,
    parameters,
)
from training.recipes.ppo import PPORecipe, Server
from training.recipes.reward import RewardRecipe
from training.recipes.tuning import DPORecipe, LanguageRecipe, PretrainRecipe, RLOORecipe, SFTRecipe, Tuning

__all__ = [
    "REFERENCE",
    "Answerer",
    "Count",
    "DPORecipe",
    "GenerateRecipe",
    "LanguageRecipe",
    "Lora",
    "Model",
    "Natural",
    "NotNegative",
    "OpenShare",
    "Options",
    "PPORecipe",
    "Positive",
    "Precision",
    "PretrainRecipe",
    "RLOORecipe",
    "RewardRecipe",
    "RunOptions",
    "SFTRecipe",
    "Server",
    "Share",
    "Tiny",
    "Tuning",
    "flat",
    "parameters",
    "read_recipe",
]
