"""A day's report as rows: a line for each schema, for spreadsheets and terminals."""

from __future__ import annotations

from eventlogging.ledger.reading import LineOfTruth
from eventlogging.reports.model import Report, SchemaDay

_FIGURES = ("sent", "valid", "invalid", "duplicate", "sampled_out", "suppressed", "pending")
HEAD = (
    *("day", "schema", *_FIGURES, "unexplained", "share_invalid"),
    *("sent_day_before", "share_invalid_day_before"),
    *("sent_week_before", "share_invalid_week_before"),
    *("new", "silent", "top_cause", "owners"),
)


def csv_rows(report: Report) -> list[list[str]]:
    """Return a head and a row for each schema that had events or fell silent.

    Shares are numbers from 0 to 1, empty where nothing was judged. No cell begins with a sign
    that a spreadsheet would take for a formula.
    """
    shown = [one for one in report.schemas if one.is_active or one.name in report.silent]
    return [list(HEAD), *(_row(report, one) for one in shown)]


def _row(report: Report, one: SchemaDay) -> list[str]:
    top = one.causes[0] if one.causes else None
    cells = [
        *(report.day, one.name),
        *(str(getattr(one.line, name)) for name in _FIGURES),
        *(str(one.line.residual), _share(one.line)),
        *(str(one.day_before.sent), _share(one.day_before)),
        *(str(one.week_before.sent), _share(one.week_before)),
        *("1" if one.name in names else "0" for names in (report.new, report.silent)),
        f"{top.code} {top.pointer}".strip() if top else "",
        " ".join(one.owners),
    ]
    return [f"'{cell}" if cell[:1] in _FORMULA and not _is_number(cell) else cell for cell in cells]


_FORMULA = frozenset("=+-@\t\r")


def _is_number(cell: str) -> bool:
    return cell.lstrip("-").isdecimal()


def _share(line: LineOfTruth) -> str:
    judged = line.valid + line.invalid
    return f"{line.invalid / judged:.6f}" if judged else ""
