"""Raw files of every circulating format to dialogues: found by content, never by name."""
