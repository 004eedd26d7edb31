"""The registry: schemas, versions, owners, sampling, privacy, policies, and who changed what."""
