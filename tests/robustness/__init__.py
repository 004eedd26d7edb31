"""What hostile, broken and unlucky clients do, against the web process as it is run."""
