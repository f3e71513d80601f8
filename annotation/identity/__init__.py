"""Who works here and how they come in: people, passwords, invitations, keys of programs, login elsewhere, consent."""
