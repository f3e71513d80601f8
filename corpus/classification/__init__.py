"""What dialogues are about and how they go: vocabulary, evidence, trained classifier, and the step `classify`."""
