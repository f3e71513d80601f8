"""From exported files to models: generation, reward model, PPO."""
