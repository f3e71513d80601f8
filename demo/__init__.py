"""The whole road in one command, on the project's own sample or on files of the user's."""
