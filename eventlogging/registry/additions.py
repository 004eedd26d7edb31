"""What the governance folders would add to a registry, its present settings left as they are."""

from __future__ import annotations

from dataclasses import replace

from eventlogging.governance.model import Governance, SchemaFolder


def additions(folders: Governance, registry: Governance) -> Governance:
    """Return the folders with the registry's settings wherever both have a say.

    Applied at every start: new schemas, versions and documents come in, and
    nothing that people decided since (a sampling rate, an owner, its end) is undone.
    """
    schemas = {
        name: _kept(folder, registry.schemas[name]) if name in registry.schemas else folder
        for name, folder in folders.schemas.items()
    }
    return Governance(schemas, {**folders.documents, **registry.documents}, folders.warnings)


def _kept(folder: SchemaFolder, held: SchemaFolder) -> SchemaFolder:
    newer = folder.versions.keys() - held.versions.keys()
    return replace(
        held,
        title=held.title or folder.title,
        description=held.description or folder.description,
        overrides={**held.overrides, **folder.overrides},
        versions={**held.versions, **folder.versions},
        examples=folder.examples if newer else held.examples,
        state=None,  # whatever it is by then, also where somebody moves it meanwhile
    )
