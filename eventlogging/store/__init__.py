"""The store: the database, its fixed tables, the event tables, and what differs between servers."""
