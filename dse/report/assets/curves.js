
/* Throughput against interactivity: a line for each machine over users at once, each load under its best mapping. */

const closely = study.details ?? { per: {}, machines: {} };
const HUES = 6;
const curvesState = { per: "megawatt", hues: [], chosen: [] }; // hues: of each colour the machine that has it; chosen: in their order

/* The loads that no other load of the same machine beats, from many users to few. */
function frontier(rows, per) {
  const known = rows.filter((row) => finite(row[per]) && row[per] > 0);
  const beaten = (a) => known.some((b) => b.user >= a.user && b[per] >= a[per] && (b.user > a.user || b[per] > a[per]));
  return known.filter((row) => !beaten(row)).sort((a, b) => a.user - b.user);
}

const isFront = (name) => closely.machines[name].front;

/* Give a point of the front a colour; where all are taken, that of the one that was chosen longest ago. */
function colourCurve(name) {
  if (!closely.machines[name] || !isFront(name) || curvesState.hues.includes(name)) return;
  if (curvesState.chosen.length >= HUES) greyCurve(curvesState.chosen.find((one) => one !== state.selected));
  const free = curvesState.hues.indexOf(null);
  curvesState.hues[free < 0 ? curvesState.hues.length : free] = name;
  curvesState.chosen.push(name);
}

function greyCurve(name) {
  const at = curvesState.hues.indexOf(name);
  if (at >= 0) curvesState.hues[at] = null;
  curvesState.chosen = curvesState.chosen.filter((one) => one !== name);
}

/* The point that is selected and the best by each objective are in colour at first. */
function chooseCurves() {
  const best = study.objectives.flatMap((name) => {
    const known = study.points.filter((point) => finite(point.metrics[name]));
    const sign = study.metrics[name].sense === "maximize" ? -1 : 1;
    return known.length ? [known.reduce((a, b) => (sign * b.metrics[name] < sign * a.metrics[name] ? b : a)).name] : [];
  });
  for (const name of best.slice(0, HUES - 1)) colourCurve(name);
}

/* Points in colour, others grey; baselines dashed, the one that is compared strongest. */
function curveLook(name) {
  const hue = curvesState.hues.indexOf(name);
  const picked = name === state.selected;
  if (hue >= 0) return { colour: `var(--line-${hue})`, dash: "", width: picked ? 3.6 : 2.2, symbol: SYMBOLS[hue], told: true };
  if (isFront(name)) return { colour: "var(--infeasible)", dash: "", width: picked ? 3.6 : 1.2, symbol: SYMBOLS[0], told: picked };
  const strong = picked || name === state.against;
  return { colour: strong ? "var(--ink)" : "var(--muted)", dash: "6 4", width: picked ? 3.2 : strong ? 2.2 : 1.4, symbol: DIAMOND, told: true };
}

function curveLines(name, row, first = name) {
  return [`${first}, ${row.users.toLocaleString("en-US")} users`, `${number(row.user)} tokens per second a user`,
          `${number(row[curvesState.per])} ${closely.per[curvesState.per]}`, ...(row.late ? ["late for a target"] : [])];
}

/* A mark of a load: hollow where it is late for a target. */
function loadMark(name, row, { x, y }, path, size, lines) {
  const shape = svg("path", { d: path, class: "symbol", transform: `scale(${size})` });
  shape.style.fill = row.late ? "var(--ground)" : curveLook(name).colour;
  shape.style.stroke = curveLook(name).colour;
  const node = svg("g", { class: "mark load", transform: `translate(${x.at(row.user)} ${y.at(row[curvesState.per])})`, role: "button", tabindex: -1, "data-line": name,
                          "aria-label": lines.join(", ") }, svg("circle", { r: 9, class: "hit" }), shape);
  node.addEventListener("click", () => select(name));
  node.addEventListener("keydown", (event) => stepLoad(event, name));
  return telling(node, lines);
}

/* The load that comes next along a line, or the line that comes next. */
function stepLoad(event, name) {
  if (event.key === "Enter" || event.key === " ") { event.preventDefault(); select(name); return; }
  const marks = [...document.querySelectorAll("#curves-plot .mark.load")];
  const own = marks.filter((one) => one.dataset.line === name);
  const lines = [...new Set(marks.map((one) => one.dataset.line))];
  const step = { ArrowRight: 1, ArrowLeft: -1 }[event.key];
  const turn = { ArrowDown: 1, ArrowUp: -1 }[event.key];
  if (!step && !turn) return;
  event.preventDefault();
  const other = lines[(lines.indexOf(name) + (turn ?? 0) + lines.length) % lines.length];
  const to = step ? own[Math.max(0, Math.min(own.indexOf(event.currentTarget) + step, own.length - 1))] : marks.find((one) => one.dataset.line === other);
  for (const one of marks) one.setAttribute("tabindex", one === to ? 0 : -1);
  to.focus();
}

const STAR = "M0-9L2.6-3.2L9-2.6L4.2 1.6L5.7 8L0 4.6L-5.7 8L-4.2 1.6L-9-2.6L-2.6-3.2Z";
const drawable = (row) => finite(row.user) && row.user > 0 && finite(row[curvesState.per]) && row[curvesState.per] > 0;

/* A machine's line over its loads, and a star at the study's own; of a grey one the line alone. */
function curveOf(name, axes) {
  const { curve, work } = closely.machines[name];
  const [look, rows] = [curveLook(name), frontier(curve, curvesState.per)];
  const path = svg("path", { d: rows.map((row, i) => `${i ? "L" : "M"}${axes.x.at(row.user)} ${axes.y.at(row[curvesState.per])}`).join(""), class: "load-line",
                             "stroke-width": look.width, "stroke-dasharray": look.dash, "data-name": name });
  path.style.stroke = look.colour;
  path.addEventListener("click", () => select(name));
  path.addEventListener("pointermove", (event) => tell([name], event.clientX, event.clientY));
  path.addEventListener("pointerleave", hush);
  if (!look.told) return [path];
  const star = drawable(work) ? [loadMark(name, work, axes, STAR, name === state.selected ? 1.25 : 0.9, curveLines(name, work, `${name}, the study's load`))] : [];
  return [path, ...rows.map((row) => loadMark(name, row, axes, look.symbol, name === state.selected ? 0.75 : 0.5, curveLines(name, row))), ...star];
}

/* Names at the ends of the lines that are told apart. */
function curveNames(shown, axes) {
  const ends = (name) => frontier(closely.machines[name].curve, curvesState.per).map((row) => [axes.x.at(row.user), axes.y.at(row[curvesState.per])]);
  const rank = (name) => (name === state.selected ? 0 : name === state.against ? 1 : isFront(name) ? 3 : 2);
  const told = shown.filter((name) => curveLook(name).told && ends(name).length).sort((a, b) => rank(a) - rank(b));
  const wanted = told.map((name) => {
    const places = ends(name);
    const at = isFront(name) ? [places.at(-1), places[0]] : [places[0], places.at(-1), places[Math.floor(places.length / 2)]];
    return { at, words: name, cls: `name${isFront(name) ? "" : " base"}${name === state.selected ? " picked" : ""}`, bold: name === state.selected, far: true };
  });
  const blocks = told.flatMap((name) => ends(name).map(([a, b]) => [a - 5, b - 5, a + 5, b + 5]));
  return placed(wanted, axes, blocks, narrow() ? 11 : 12);
}

function curvesPicture(width, height) {
  const shown = Object.keys(closely.machines).filter((name) => frontier(closely.machines[name].curve, curvesState.per).length || drawable(closely.machines[name].work));
  const rank = (name) => (name === state.selected ? 4 : curvesState.hues.includes(name) ? 3 : name === state.against ? 2 : isFront(name) ? 0 : 1);
  const order = [...shown].sort((a, b) => rank(a) - rank(b));
  const rows = shown.flatMap((name) => [...frontier(closely.machines[name].curve, curvesState.per), closely.machines[name].work].filter(drawable));
  const axes = axesIn(width, height, [domainOf(rows.map((row) => row.user), true), domainOf(rows.map((row) => row[curvesState.per]), true)], [true, true]);
  const drawn = picture(width, height, "", ...gridOf(axes, ["tokens per second per user", closely.per[curvesState.per]]),
                        ...order.flatMap((name) => curveOf(name, axes)), svg("g", { class: "names", "aria-hidden": "true" }, ...curveNames(shown, axes)));
  drawn.setAttribute("aria-label", `Throughput against interactivity: tokens per second per user across, ${closely.per[curvesState.per]} up`);
  return drawn;
}

function drawCurvesLegend() {
  const had = document.activeElement?.closest?.("#curves-legend button")?.dataset.name;
  const line = ({ colour, dash, width }) => {
    const sample = svg("line", { x1: 0, x2: 32, y1: 5, y2: 5, "stroke-width": Math.max(width, 2), "stroke-dasharray": dash });
    sample.style.stroke = colour;
    return svg("svg", { viewBox: "0 0 32 10", "aria-hidden": "true" }, sample);
  };
  const buttons = Object.keys(closely.machines).filter(isFront).map((name) => {
    const coloured = curvesState.hues.includes(name);
    const button = make("button", { type: "button", class: "line", "aria-pressed": String(coloured), "data-name": name }, line(curveLook(name)), name);
    button.addEventListener("click", () => { if (coloured) greyCurve(name); else colourCurve(name); drawCurves(); });
    return button;
  });
  const base = study.baselines.length ? [make("span", { class: "line" }, line({ colour: "var(--muted)", dash: "6 4", width: 2 }), "baselines, named at their ends")] : [];
  $("curves-legend").replaceChildren(...buttons, ...base);
  if (had) $("curves-legend").querySelector(`[data-name="${CSS.escape(had)}"]`)?.focus();
}

function curvesLine() {
  const ends = (name) => {
    const rows = frontier(closely.machines[name].curve, curvesState.per);
    if (!rows.length) return "";
    const [most, fastest] = [rows[0], rows[rows.length - 1]];
    return `${name}: from ${number(most[curvesState.per])} at ${number(most.user)} to ${number(fastest[curvesState.per])} at ${number(fastest.user)} tokens per second a user.`;
  };
  const picked = closely.machines[state.selected] ? ` ${ends(state.selected)}` : "";
  return `Modelled. Each dot is a number of users at once, 1, 2, 4 and so on, under the mapping that is best for it; `
    + `loads that another of the same machine beats on both axes are left out; hollow: late for a target; a star: the `
    + `study's own load. By keyboard: Tab to the marks, left and right along a line, up and down to the next. Press a name to colour its line or to grey it, at most six at a time; press a line to select its machine.${picked}`;
}

function drawCurves() {
  if (!$("curves-plot")) return;
  const had = document.activeElement?.closest?.("#curves-plot .mark.load");
  $("curves-plot").replaceChildren(curvesPicture($("curves-plot").clientWidth || 700, narrow() ? 420 : 450));
  const marks = [...document.querySelectorAll("#curves-plot .mark.load")];
  const first = marks.find((one) => one.dataset.line === state.selected) ?? marks[0];
  first?.setAttribute("tabindex", 0);
  if (had) first?.focus();
  drawCurvesLegend();
  $("curves-line").textContent = curvesLine();
}

function startCurves() {
  if (!$("curves-plot")) return;
  $("curves-per").append(...Object.entries(closely.per).map(([key, text]) => make("option", { value: key }, text)));
  $("curves-per").value = curvesState.per;
  chooseCurves();
  $("curves-per").addEventListener("change", (event) => { curvesState.per = event.target.value; drawCurves(); });
}
