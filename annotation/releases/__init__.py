"""What leaves the database: which judgements count, and the forms that trainers read."""
