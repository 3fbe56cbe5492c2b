// Draws each chart from the table beside it. Where there is no script, the table is there.
(() => {
  const COLOURS = { blue: "--chart-blue", green: "--chart-green", orange: "--chart-orange", red: "--chart-red" };
  const CAUSES = ["red", "orange", "blue", "green"];
  const HEIGHT_PX = 190;
  const page = document.documentElement;
  const colour = (name) => getComputedStyle(page).getPropertyValue(name).trim();

  const duration = (seconds) => {
    if (seconds == null) return "–";
    const [factor, unit] = seconds >= 86400 ? [86400, "day"] : seconds >= 3600 ? [3600, "hour"] : seconds >= 60 ? [60, "minute"] : seconds && seconds < 1 ? [.001, "millisecond"] : [1, "second"];
    return new Intl.NumberFormat(page.lang, { style: "unit", unit, unitDisplay: "short", maximumFractionDigits: 1 }).format(seconds / factor);
  };
  const count = (value) => (value == null ? "–" : new Intl.NumberFormat(page.lang).format(value));

  const read = (table) => {
    const rows = [...table.tBodies[0].rows].reverse(); // the newest stands first in the table
    const heads = [...table.tHead.rows[0].cells].slice(1);
    const series = heads.map((head, at) => ({
      label: head.textContent,
      colour: head.dataset.colour || CAUSES[at % CAUSES.length],
      values: rows.map((row) => (row.cells[at + 1].dataset.value === "" ? null : Number(row.cells[at + 1].dataset.value))),
    }));
    const times = rows.map((row) => row.querySelector("time"));
    return { head: table.tHead.rows[0].cells[0].textContent, series, moments: times.map((each) => Date.parse(each.dateTime) / 1000), names: times.map((each) => each.textContent) };
  };

  const line = (kind) => (each, at) => ({
    label: each.label,
    stroke: colour(COLOURS[each.colour]),
    fill: kind === "level" ? `${colour(COLOURS[each.colour])}22` : undefined,
    width: 2,
    dash: at % 2 ? [6, 3] : undefined,
    points: { size: 5 },
    paths: kind === "seconds" ? undefined : uPlot.paths.stepped({ align: 1 }),
    value: (_plot, value) => (kind === "seconds" ? duration(value) : count(value)),
  });

  const draw = (box) => {
    const { head, series, moments, names } = read(box.closest(".chart").querySelector(".chart-table table"));
    const kind = box.dataset.kind;
    const ink = { stroke: colour("--ink-soft"), grid: { stroke: colour("--chart-grid"), width: 1 }, ticks: { show: false }, font: "12px sans-serif" };
    // The axis names what the table names: the browser's own zone is not the installation's.
    const without = moments.at(-1) - moments[0] > 172800 ? /, .*$/ : /^.*, /; // of days their hours, of hours their day
    const named = (_plot, splits) => splits.map((at) => { const index = moments.indexOf(at); return index < 0 ? "" : names[index].replace(without, ""); });
    const options = {
      width: box.clientWidth,
      height: HEIGHT_PX,
      padding: [8, 36, 0, 0],
      cursor: { y: false, drag: { x: false, y: false } },
      legend: { live: true },
      scales: { x: { time: false }, y: { range: (_plot, _least, most) => [0, Math.max(most || 0, 1) * 1.1] } },
      series: [{ label: head, value: (_plot, _value, _series, index) => (index == null ? "–" : names[index]) }, ...series.map(line(kind))],
      axes: [
        { ...ink, size: 30, splits: () => moments.filter((_at, index) => (moments.length - 1 - index) % 6 === 0), values: named },
        { ...ink, size: 64, incrs: kind === "seconds" ? undefined : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6, 1e7], values: (_plot, splits) => splits.map(kind === "seconds" ? duration : count) },
      ],
    };
    box.replaceChildren();
    box.plot = new uPlot(options, [moments, ...series.map((each) => each.values)], box);
    box.querySelector(".u-legend").dir = page.dir;
  };

  const drawAll = () => document.querySelectorAll(".chart-canvas").forEach(draw);
  new MutationObserver(drawAll).observe(page, { attributes: true, attributeFilter: ["data-bs-theme"] });
  new ResizeObserver(() => document.querySelectorAll(".chart-canvas").forEach((box) => box.plot && box.plot.setSize({ width: box.clientWidth, height: HEIGHT_PX }))).observe(document.body);
  drawAll();
})();
