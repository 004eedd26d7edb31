"""Read the four governance folders, or say everything that is wrong with them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from eventlogging.errors import GovernanceError
from eventlogging.governance import documents, emails, rules, schemas
from eventlogging.governance.files import list_files, read_text
from eventlogging.governance.model import Governance
from eventlogging.governance.problems import Found
from eventlogging.governance.syntax import Source, parse_json, parse_toml

README = "README.md"


def read_governance(root: Path) -> Governance:
    """Return what the four folders below `root` say; a missing folder says nothing.

    Raises GovernanceError with every problem at once, each as `path:line: what is wrong and what
    would be right`, the path relative to `root`. Changes nothing.
    """
    if not root.is_dir():
        raise GovernanceError([f"{root}:1: is not a folder; name the one that holds schemas/"])
    files, problems = list_files(root)
    files = [path for path in files if path.partition("/")[2] != README]
    sources: dict[str, Source] = {}
    texts: dict[str, str] = {}
    for path in files:
        if not path.startswith("schemas/") and (why := rules.misplaced(path)):
            problems.append(Found(path, 1, why))
            continue
        if path.startswith("schemas/") and isinstance(schemas.place(path[8:]), str):
            continue  # gather() says why
        text = read_text(root, path)
        if isinstance(text, Found):
            problems.append(text)
        elif path.endswith((".toml", ".json")):
            parse = parse_toml if path.endswith(".toml") else parse_json
            source, wrong = parse(path, text)
            problems += wrong
            if source is not None:
                sources[path] = source
        else:
            texts[path] = text
            if path.startswith("alerts/"):
                problems += emails.check_template(path, text)
    in_schemas = [path for path in files if path.startswith("schemas/")]
    drafts, wrong = schemas.gather(in_schemas, sources)
    others = {path: source for path, source in sources.items() if not path.startswith("schemas/")}
    problems += wrong
    judged = documents.judge(drafts)
    problems += judged.problems
    problems += schemas.check(drafts)
    problems += rules.check(others, drafts)
    if problems:
        raise GovernanceError([str(found) for found in sorted(set(problems))])
    values: dict[str, Any] = {**{path: source.value for path, source in others.items()}, **texts}
    return Governance(
        schemas={name: schemas.built(drafts[name]) for name in sorted(drafts)},
        documents={_key(path): values[path] for path in sorted(values)},
        warnings=tuple(str(found) for found in sorted(set(judged.warnings))),
    )


def _key(path: str) -> tuple[str, str]:
    folder, _, inside = path.partition("/")
    return folder, inside
