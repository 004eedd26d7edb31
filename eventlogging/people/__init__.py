"""People: their accounts, sessions, and what each role may do."""
