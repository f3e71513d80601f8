"""Rankings made with other tools: their files read, matched with a campaign, and submitted as if made here."""
