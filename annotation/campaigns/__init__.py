"""From prompts and answers to tasks in experts' queues: gold, repeats, the written rule, adaptive overlap."""
