"""Personal data found and replaced: what identifies a person, by kind, and the step `deidentify`."""
