"""Prove from the outside that nothing is kept that no rule explains."""
