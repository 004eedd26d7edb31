"""Charts as PNG, for mails: the same picture as on the pages."""
