// Draws each chart from the table beside it. Where there is no script, the table is there.
(() => {
  const COLOURS = { blue: "--chart-blue", green: "--chart-green", orange: "--chart-orange", red: "--chart-red", grey: "--ink-soft" };
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
    rows.push(rows.at(-1)); // a period lasts until the next, the last as long as the one before it
    const heads = [...table.tHead.rows[0].cells].slice(1);
    const series = heads.map((head, at) => ({
      label: head.textContent,
      colour: head.dataset.colour || CAUSES[at % CAUSES.length],
      values: rows.map((row) => (row.cells[at + 1].dataset.value === "" ? null : Number(row.cells[at + 1].dataset.value))),
      texts: rows.map((row) => row.cells[at + 1].textContent), // a sum of money may be beyond what a number holds
    }));
    const times = rows.map((row) => row.querySelector("time"));
    const moments = times.map((each) => Date.parse(each.dateTime) / 1000);
    moments[moments.length - 1] += moments.at(-2) - moments.at(-3) || 1;
    return { head: table.tHead.rows[0].cells[0].textContent, series, moments, names: times.map((each) => each.textContent), links: times.map((each) => each.closest("a")) };
  };

  const line = (kind) => (each, at) => ({
    label: each.label,
    stroke: colour(COLOURS[each.colour]),
    fill: kind === "level" ? `${colour(COLOURS[each.colour])}22` : undefined,
    width: 2,
    dash: at % 2 ? [6, 3] : undefined,
    points: { size: 5 },
    paths: kind === "seconds" ? undefined : uPlot.paths.stepped({ align: 1 }),
    value: (_plot, _value, _series, index) => (index == null ? "–" : each.texts[index]),
  });

  const draw = (box) => {
    const { head, series, moments, names, links } = read(box.closest(".chart").querySelector(".chart-table table"));
    const kind = box.dataset.kind;
    const ink = { stroke: colour("--ink-soft"), grid: { stroke: colour("--chart-grid"), width: 1 }, ticks: { show: false }, font: "12px sans-serif" };
    // The axis names what the table names: the browser's own zone is not the installation's.
    const without = moments.at(-1) - moments[0] > 172800 ? /, .*$/ : /^.*, /; // of days their hours, of hours their day
    const named = (_plot, splits) => splits.map((at) => { const index = moments.indexOf(at); return index < 0 ? "" : names[index].replace(without, ""); });
    const options = {
      width: box.clientWidth,
      height: HEIGHT_PX,
      padding: [8, 36, 0, 0],
      // A step has its number until the next begins, also where the next is nearer.
      cursor: { y: false, drag: { x: false, y: false }, dataIdx: (_plot, _series, near, at) => (kind !== "seconds" && near && at < moments[near] ? near - 1 : near) },
      legend: { live: true },
      scales: { x: { time: false }, y: { range: (_plot, _least, most) => [0, Math.max(most || 0, 1) * 1.1] } },
      series: [{ label: head, value: (_plot, _value, _series, index) => (index == null ? "–" : names[index]) }, ...series.map(line(kind))],
      axes: [
        { ...ink, size: 30, splits: () => moments.slice(0, -1).filter((_at, index) => (moments.length - 2 - index) % Math.ceil(moments.length / 5) === 0), values: named },
        { ...ink, size: kind === "money" ? 88 : 64, incrs: kind === "seconds" ? [.1, .2, .5, 1, 2, 5, 10, 30, 60, 120, 300, 600, 1800, 3600, 7200, 18e3, 36e3, 864e2, 1728e2, 432e3, 864e3] : kind === "money" ? undefined : [1, 2, 5, 10, 20, 50, 100, 200, 500, 1e3, 2e3, 5e3, 1e4, 2e4, 5e4, 1e5, 1e6, 1e7], values: (_plot, splits) => splits.map(kind === "seconds" ? duration : count) },
      ],
    };
    box.replaceChildren();
    box.plot = new uPlot(options, [moments, ...series.map((each) => each.values)], box);
    box.querySelector(".u-legend").dir = page.dir;
    if (!links[0]) return;

    // A point leads where its row of the table leads: by a click, or by the arrows and Enter.
    const tell = (index) => {
      const values = series.map((each) => `${each.label} ${each.texts[index]}`);
      Object.assign(box, { ariaValueNow: index, ariaValueText: [names[index], ...values].join(", ") });
    };
    Object.assign(box, { tabIndex: 0, role: "slider", ariaHidden: null, ariaLabel: box.closest(".chart").querySelector("h3").textContent, ariaValueMin: 0, ariaValueMax: moments.length - 2 });
    tell(moments.length - 2);
    box.plot.over.onclick = () => links[box.plot.cursor.idxs[0]]?.click();
    box.onkeydown = (event) => {
      const step = { ArrowLeft: -1, ArrowRight: 1 }[event.key];
      if (event.key === "Enter") links[box.ariaValueNow].click();
      if (!step) return;
      event.preventDefault();
      const index = Math.min(Math.max(Number(box.ariaValueNow) + step, 0), moments.length - 2);
      tell(index);
      box.plot.setCursor({ left: box.plot.valToPos(moments[index], "x") + 1, top: 0 });
    };
  };

  const drawAll = () => document.querySelectorAll(".chart-canvas").forEach(draw);
  new MutationObserver(drawAll).observe(page, { attributes: true, attributeFilter: ["data-bs-theme"] });
  new ResizeObserver(() => document.querySelectorAll(".chart-canvas").forEach((box) => box.plot && box.plot.setSize({ width: box.clientWidth, height: HEIGHT_PX }))).observe(document.body);
  document.addEventListener("htmx:afterSettle", () => document.querySelectorAll(".chart-canvas:empty").forEach(draw));
  drawAll();
})();
