"""What models learn from: mixes of conversations, and texts to pre-train on."""
