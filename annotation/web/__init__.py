"""The pages: login, the queue, the ranking page, status, jobs."""
