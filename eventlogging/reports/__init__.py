"""Reports: what was received on a day, whether it was right, and what is due."""
