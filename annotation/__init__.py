"""The ranking service: people, tasks, rankings, agreement, consensus, adjudication, exports, pages, jobs."""
