"""How far experts agree and can be relied on, and which prompts they dispute."""
