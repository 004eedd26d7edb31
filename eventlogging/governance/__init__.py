"""The four governance folders as values: read and checked, compared, written back."""

from eventlogging.governance.compare import changes
from eventlogging.governance.model import Example, Governance, SchemaFolder
from eventlogging.governance.read import read_governance
from eventlogging.governance.write import write_governance

__all__ = [
    "Example",
    "Governance",
    "SchemaFolder",
    "changes",
    "read_governance",
    "write_governance",
]
