"""Long work: asked for, leased, done in a process of its own."""
