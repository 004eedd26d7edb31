// Draw each chart of the page from its table: stacked bars over UTC time, changes as marks.
"use strict";

(() => {
  const whole = new Intl.NumberFormat("en").format;
  const thin = (number) => whole(number).replace(/,/g, "\u2009");
  const short = (number) => (number >= 10000
    ? new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 }).format(number)
    : thin(number));
  const number = (cell) => Number(cell.textContent.replace(/\D/g, ""));

  function read(figure) {
    const rows = [...figure.querySelectorAll("tbody tr[data-x]")];
    const kinds = [...figure.querySelectorAll(".legend [data-kind]")];
    return {
      step: Number(figure.dataset.step),
      xs: rows.map((row) => Number(row.dataset.x)),
      texts: rows.map((row) => row.cells[0].textContent),
      names: kinds.map((kind) => kind.firstElementChild.nextSibling.textContent.trim()),
      swatches: kinds.map((kind) => kind.firstElementChild),
      counts: kinds.map((_, at) => rows.map((row) => number(row.cells[at + 1]))),
      marks: [...figure.querySelectorAll(".marks li")].map((mark) => ({
        x: Number(mark.dataset.x), words: mark.querySelector(".words").textContent,
      })),
    };
  }

  function stacked(counts) {
    const sums = [];
    for (const [at, row] of counts.entries()) {
      sums.push(row.map((count, x) => count + (at ? sums[at - 1][x] : 0)));
    }
    return sums;
  }

  // Refused events are hatched as well, for eyes that do not tell the colours apart.
  function hatched(colour, paper) {
    const tile = document.createElement("canvas");
    tile.width = tile.height = 8;
    const pen = tile.getContext("2d");
    pen.fillStyle = colour;
    pen.fillRect(0, 0, 8, 8);
    pen.strokeStyle = paper;
    pen.globalAlpha = 0.55;
    pen.lineWidth = 1.5;
    for (const shift of [-8, 0, 8]) {
      pen.beginPath();
      pen.moveTo(shift, 8);
      pen.lineTo(shift + 8, 0);
      pen.stroke();
    }
    return pen.createPattern(tile, "repeat");
  }

  function drawMarks(plot, marks, style) {
    const pen = plot.ctx;
    const { top, height, left, width } = plot.bbox;
    const scale = devicePixelRatio;
    pen.save();
    pen.font = `${11 * scale}px ${style.getPropertyValue("--sans")}`;
    pen.textBaseline = "top";
    pen.textAlign = "left";
    const ends = [];
    for (const mark of marks) {
      const x = plot.valToPos(mark.x, "x", true);
      if (x < left || x > left + width) continue;
      pen.strokeStyle = pen.fillStyle = style.getPropertyValue("--ink");
      pen.lineWidth = scale;
      pen.setLineDash([3 * scale, 3 * scale]);
      pen.beginPath();
      pen.moveTo(x, top - 14 * scale);
      pen.lineTo(x, top + height);
      pen.stroke();
      const wide = pen.measureText(mark.words).width;
      const at = Math.min(x + 4 * scale, left + width - wide);
      // A mark whose word finds no room keeps its line; the list below has the words.
      if ((ends.at(-1) ?? -1) < at) {
        pen.fillText(mark.words, at, top - 15 * scale);
        ends.push(at + wide + 8 * scale);
      }
    }
    pen.restore();
  }

  function tip(plot, data) {
    const box = document.createElement("div");
    box.className = "tip";
    box.hidden = true;
    plot.over.append(box);
    return () => {
      const at = plot.cursor.idx;
      box.hidden = at === null || at === undefined || plot.cursor.left < 0;
      if (box.hidden) return;
      const lines = data.names.map((name, kind) => `${name}: ${thin(data.counts[kind][at])}`);
      box.textContent = [`${data.texts[at]} UTC`, ...lines].join("\n");
      const middle = plot.valToPos(data.xs[at] + data.step / 2, "x");
      const half = box.offsetWidth / 2;
      box.style.left = `${Math.max(0, Math.min(middle - half, plot.over.clientWidth - 2 * half))}px`;
    };
  }

  function draw(figure) {
    const place = figure.querySelector(".plot");
    const data = read(figure);
    if (!data.xs.length || place.clientWidth < 50) return;
    place.replaceChildren();
    const style = getComputedStyle(document.documentElement);
    const quiet = style.getPropertyValue("--quiet");
    const rule = style.getPropertyValue("--rule");
    const sums = stacked(data.counts);
    const order = sums.map((_, at) => at).reverse(); // the highest first, the others over it
    const font = `12px ${style.getPropertyValue("--sans")}`;
    const axis = { stroke: quiet, font, ticks: { show: false }, grid: { stroke: rule, width: 1 } };
    const gap = data.xs.length > 40 ? 0.95 : 0.8;
    const bars = uPlot.paths.bars({ size: [gap, 60], align: 1 });
    let showTip = () => {};
    new uPlot(
      {
        width: place.clientWidth,
        height: 200,
        padding: [data.marks.length ? 20 : 8, 20, 0, 0],
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false }, points: { show: false } },
        scales: {
          x: { range: [data.xs[0], data.xs.at(-1) + data.step] },
          y: { range: (_plot, _low, high) => [0, Math.max(1, high * 1.08)] },
        },
        axes: [
          { ...axis, grid: { show: false }, size: 28, space: 60, incrs: data.step < 86400
            ? [3600, 10800, 21600, 43200, 86400, 172800, 604800]
            : [86400, 172800, 604800, 1209600],
          values: (_plot, ticks) => ticks.map((tick) => {
            const iso = new Date(tick * 1000).toISOString();
            return data.step < 86400 && iso.slice(11, 16) !== "00:00"
              ? iso.slice(11, 16) : iso.slice(5, 10);
          }) },
          { ...axis, size: 56, values: (_plot, ticks) => ticks.map((tick) => (
            Number.isInteger(tick) ? short(tick) : "")) },
        ],
        series: [
          {},
          ...order.map((at) => {
            const colour = getComputedStyle(data.swatches[at]).backgroundColor;
            const isInvalid = data.swatches[at].classList.contains("invalid");
            return {
              label: data.names[at],
              paths: bars,
              points: { show: false },
              width: 0,
              stroke: colour,
              fill: () => (isInvalid ? hatched(colour, style.getPropertyValue("--paper")) : colour),
            };
          }),
        ],
        hooks: {
          ready: [(plot) => { showTip = tip(plot, data); }],
          draw: [(plot) => drawMarks(plot, data.marks, style)],
          setCursor: [() => showTip()],
        },
      },
      [data.xs, ...order.map((at) => sums[at])],
      place,
    );
  }

  const drawn = new Map();
  const watcher = new ResizeObserver((entries) => {
    for (const { target } of entries) {
      if (drawn.get(target) !== target.clientWidth) {
        drawn.set(target, target.clientWidth);
        draw(target);
      }
    }
  });
  const watch = (within) => within.querySelectorAll("figure.chart").forEach((f) => watcher.observe(f));
  watch(document);
  document.body.addEventListener("htmx:load", (event) => watch(event.detail.elt));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.querySelectorAll("figure.chart").forEach(draw);
  });
})();
