// Draw the lines of aggregates from their table: one line per column, over UTC days.
"use strict";

(() => {
  const DASHES = [[], [7, 2], [2, 3], [12, 3, 2, 3], [4, 2], [1, 4]];
  const exact = new Intl.NumberFormat("en", { maximumFractionDigits: 1 }).format;
  const thin = (number) => exact(number).replace(/,/g, "\u2009");
  const compact = new Intl.NumberFormat("en", { notation: "compact", maximumFractionDigits: 1 });
  const short = (number) => (Math.abs(number) >= 10000 ? compact.format(number) : thin(number));

  function read(figure) {
    const rows = [...figure.querySelectorAll("tbody tr[data-x]")];
    const keys = [...figure.querySelectorAll(".legend [data-line]")];
    return {
      xs: rows.map((row) => Number(row.dataset.x)),
      texts: rows.map((row) => row.cells[0].textContent),
      names: keys.map((key) => key.textContent.trim()),
      dashes: keys.map((key) => key.firstElementChild),
      values: keys.map((_, at) => rows.map((row) => {
        const { value } = row.cells[at + 1].dataset;
        return value === undefined ? null : Number(value);
      })),
    };
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
      const lines = data.names.map((name, line) => {
        const value = data.values[line][at];
        return `${name}: ${value === null ? "–" : thin(value)}`;
      });
      box.textContent = [`${data.texts[at]} UTC`, ...lines].join("\n");
      const half = box.offsetWidth / 2;
      const left = plot.valToPos(data.xs[at], "x") - half;
      box.style.left = `${Math.max(0, Math.min(left, plot.over.clientWidth - 2 * half))}px`;
    };
  }

  function draw(figure) {
    const place = figure.querySelector(".plot");
    const data = read(figure);
    if (!data.xs.length || place.clientWidth < 50) return;
    place.replaceChildren();
    const style = getComputedStyle(document.documentElement);
    const font = `12px ${style.getPropertyValue("--sans")}`;
    const axis = {
      stroke: style.getPropertyValue("--quiet"), font, ticks: { show: false },
      grid: { stroke: style.getPropertyValue("--rule"), width: 1 },
    };
    const day = 86400;
    let showTip = () => {};
    new uPlot(
      {
        width: place.clientWidth,
        height: 220,
        padding: [8, 20, 0, 0],
        tzDate: (seconds) => uPlot.tzDate(new Date(seconds * 1000), "Etc/UTC"),
        legend: { show: false },
        cursor: { y: false, drag: { x: false, y: false } },
        scales: {
          x: { range: [data.xs[0] - day / 2, data.xs.at(-1) + day / 2] },
          y: { range: (_plot, low, high) => [Math.min(0, low), Math.max(1, high * 1.08)] },
        },
        axes: [
          { ...axis, grid: { show: false }, size: 28, space: 60,
            incrs: [1, 2, 7, 14, 28, 56, 91, 182, 364].map((days) => days * day),
            values: (_plot, ticks) => ticks.map((tick) => {
              const iso = new Date(tick * 1000).toISOString();
              return data.xs.at(-1) - data.xs[0] > 300 * day ? iso.slice(0, 7) : iso.slice(5, 10);
            }) },
          { ...axis, size: 56, values: (_plot, ticks) => ticks.map(short) },
        ],
        series: [
          {},
          ...data.names.map((name, at) => ({
            label: name,
            stroke: getComputedStyle(data.dashes[at]).color,
            width: 2,
            dash: DASHES[at % DASHES.length],
            spanGaps: false,
            points: { size: 5, fill: getComputedStyle(data.dashes[at]).color,
              filter: (_plot, _line, show) => (show ? null : lonely(data.values[at])) },
          })),
        ],
        hooks: {
          ready: [(plot) => { showTip = tip(plot, data); }],
          setCursor: [() => showTip()],
        },
      },
      [data.xs, ...data.values],
      place,
    );
  }

  // A figure between two days without any would be no line at all: it gets a point.
  function lonely(values) {
    const has = (at) => values[at] !== null && values[at] !== undefined;
    return values.flatMap((_, at) => (has(at) && !has(at - 1) && !has(at + 1) ? [at] : []));
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
  document.querySelectorAll("figure.lines").forEach((figure) => watcher.observe(figure));
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => {
    document.querySelectorAll("figure.lines").forEach(draw);
  });
})();
