"""The paper that charts are drawn on: colours, type and axes as the pages have them."""

from __future__ import annotations

import io
from collections.abc import Sequence

from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from matplotlib.patches import Patch
from matplotlib.ticker import FuncFormatter, MaxNLocator
from PIL import Image  # comes with matplotlib

from eventlogging.charts.colours import (
    INK,
    PAPER,
    QUIET,
    RULE,
)
from eventlogging.ledger.sentence import grouped

_SHARPNESS = 2  # pixels of the picture per pixel of the mail
_DPI = 100
_SMALL, _NORMAL = 7.8, 9.4  # points; 11 and 13 pixels in the mail
_PALETTE = 64  # colours
_LONGEST = 90  # characters of a text


class Canvas:
    """A figure of `width` × `height` pixels with a title and axes that begin at zero.

    Object interface only: nothing here is shared between threads.
    """

    def __init__(self, title: str, unit: str, width: int, height: int) -> None:
        self.width, self.height = width, height
        self.figure = Figure(figsize=(width / _DPI, height / _DPI), dpi=_DPI, facecolor=PAPER)
        FigureCanvasAgg(self.figure)
        self.axes: Axes = self.figure.add_axes(self._place(52, 28, 14, 62))
        self.say(title, 10, height - 8, size=_NORMAL, weight="bold")
        self.say(unit, 10, height - 46, colour=QUIET)
        axes = self.axes
        axes.set_facecolor(PAPER)
        for side in ("top", "right", "left"):
            axes.spines[side].set_visible(False)
        axes.spines["bottom"].set_color(QUIET)
        axes.tick_params(labelsize=_SMALL, colors=QUIET, length=0, pad=5)
        axes.grid(axis="y", color=RULE, linewidth=0.7)
        axes.set_axisbelow(True)

    def say(
        self, text: str, x: float, y: float, *, size: float = _SMALL, colour: str = INK,
        weight: str = "normal", align: str = "left",
    ) -> None:  # fmt: skip
        """Write a text with its top at `y` pixels from the bottom; it is never taken for a formula.

        `x` is in pixels from the left.
        """
        self.figure.text(
            x / self.width, y / self.height, plain(text), fontsize=size, color=colour,
            fontweight=weight, va="top", ha=align, parse_math=False,
        )  # fmt: skip

    def top(self, highest: float) -> None:
        """Let the counts run from 0 to a little above `highest`."""
        self.axes.set_ylim(0, highest * 1.08 if highest > 0 else 1)
        whole = highest >= 5
        self.axes.yaxis.set_major_locator(MaxNLocator(4, integer=whole, steps=[1, 2, 2.5, 5, 10]))
        self.axes.yaxis.set_major_formatter(FuncFormatter(lambda value, _: number(value)))

    def legend(self, entries: Sequence[tuple[str, str]]) -> None:
        """Name the colours, on one line below the title: (label, colour) each."""
        if not entries:
            return
        legend = self.figure.legend(
            handles=[Patch(color=colour, label=plain(label)) for label, colour in entries],
            loc="upper left", bbox_to_anchor=(4 / self.width, 1 - 24 / self.height),
            ncols=len(entries), frameon=False, fontsize=_SMALL, labelcolor=INK,
            handlelength=0.9, handleheight=0.9, columnspacing=1.2, handletextpad=0.5, borderpad=0.2,
        )  # fmt: skip
        for text in legend.get_texts():
            text.set_parse_math(False)

    def png(self) -> bytes:
        """Return the picture, in a palette of its own: a third of the bytes of true colour."""
        raw = io.BytesIO()
        self.figure.savefig(raw, format="rgba", dpi=_DPI * _SHARPNESS, facecolor=PAPER)
        size = round(self.width * _SHARPNESS), round(self.height * _SHARPNESS)
        picture = Image.frombytes("RGBA", size, raw.getvalue()).convert("RGB")
        file = io.BytesIO()
        picture.quantize(_PALETTE, dither=Image.Dither.NONE).save(file, "png", optimize=True)
        return file.getvalue()

    def _place(
        self, left: float, below: float, right: float, above: float
    ) -> tuple[float, float, float, float]:
        """Return where the axes lie, for margins in pixels."""
        wide = self.width - left - right
        high = max(20.0, self.height - below - above)
        return left / self.width, below / self.height, wide / self.width, high / self.height


def number(value: float) -> str:
    """Return a number at an axis: whole ones with thin spaces, others as short as can be."""
    return grouped(int(value)) if value == int(value) else f"{value:g}"


def plain(text: str) -> str:
    """Return a text that can be drawn on one line: nothing unprintable, not too long."""
    line = " ".join("".join(c if c.isprintable() else " " for c in text).split())
    return line if len(line) <= _LONGEST else f"{line[: _LONGEST - 1]}…"
