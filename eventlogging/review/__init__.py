"""The life of a schema before it is published: drafts, evidence, reviewers, decisions."""
