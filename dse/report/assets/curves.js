
/* Throughput against interactivity: a line for each machine over users at once, each load under its best mapping. */

const closely = study.details ?? { per: {}, machines: {} };
const curvesState = { per: "megawatt", hidden: new Set() };

/* The loads that no other load of the same machine beats, from many users to few. */
function frontier(rows, per) {
  const known = rows.filter((row) => finite(row[per]) && row[per] > 0);
  const beaten = (a) => known.some((b) => b.user >= a.user && b[per] >= a[per] && (b.user > a.user || b[per] > a[per]));
  return known.filter((row) => !beaten(row)).sort((a, b) => a.user - b.user);
}

/* Colours: points of the front along a scale, in their order; baselines by kind, dashed. */
const DASHES = ["6 4", "2 3", "6 3 2 3", "10 4", "10 3 2 3"];
function curveLook(name) {
  const { front } = closely.machines[name];
  const alike = Object.keys(closely.machines).filter((other) => closely.machines[other].front === front);
  const at = alike.indexOf(name);
  if (!front) return { colour: `var(--kind-${Math.min(at, 6)})`, dash: DASHES[at % DASHES.length] };
  const part = alike.length > 1 ? at / (alike.length - 1) : 0.5;
  const from = part < 0.5 ? 0 : 1;
  return { colour: `color-mix(in oklab, var(--scale-${from + 1}) ${Math.round(100 * (2 * part - from))}%, var(--scale-${from}))`, dash: "" };
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
  const node = svg("g", { class: "mark load", transform: `translate(${x.at(row.user)} ${y.at(row[curvesState.per])})`, role: "button", tabindex: 0,
                          "aria-label": lines.join(", ") }, svg("circle", { r: 9, class: "hit" }), shape);
  node.addEventListener("click", () => select(name));
  node.addEventListener("keydown", (event) => { if (event.key === "Enter" || event.key === " ") { event.preventDefault(); select(name); } });
  return telling(node, lines);
}

const STAR = "M0-9L2.6-3.2L9-2.6L4.2 1.6L5.7 8L0 4.6L-5.7 8L-4.2 1.6L-9-2.6L-2.6-3.2Z";
const drawable = (row) => finite(row.user) && row.user > 0 && finite(row[curvesState.per]) && row[curvesState.per] > 0;

/* A machine's line over its loads, and a star at the study's own. */
function curveOf(name, axes) {
  const { curve, work } = closely.machines[name];
  const [{ colour, dash }, rows, picked] = [curveLook(name), frontier(curve, curvesState.per), name === state.selected];
  const path = svg("path", { d: rows.map((row, i) => `${i ? "L" : "M"}${axes.x.at(row.user)} ${axes.y.at(row[curvesState.per])}`).join(""), class: "load-line",
                             "stroke-width": picked ? 4 : 1.8, "stroke-dasharray": dash });
  path.style.stroke = colour;
  const star = drawable(work) ? [loadMark(name, work, axes, STAR, picked ? 1.25 : 0.9, curveLines(name, work, `${name}, the study's load`))] : [];
  return [path, ...rows.map((row) => loadMark(name, row, axes, SYMBOLS[0], picked ? 0.75 : 0.5, curveLines(name, row))), ...star];
}

function curvesPicture(width, height) {
  const shown = Object.keys(closely.machines).filter((name) => !curvesState.hidden.has(name));
  const order = shown.filter((name) => name !== state.selected).concat(shown.filter((name) => name === state.selected));
  const rows = shown.flatMap((name) => [...frontier(closely.machines[name].curve, curvesState.per), closely.machines[name].work].filter(drawable));
  const axes = axesIn(width, height, [domainOf(rows.map((row) => row.user), true), domainOf(rows.map((row) => row[curvesState.per]), true)], [true, true]);
  const drawn = picture(width, height, "", ...gridOf(axes, ["tokens per second per user", closely.per[curvesState.per]]),
                        ...order.flatMap((name) => curveOf(name, axes)));
  drawn.setAttribute("aria-label", `Throughput against interactivity: tokens per second per user across, ${closely.per[curvesState.per]} up`);
  return drawn;
}

function drawCurvesLegend() {
  $("curves-legend").replaceChildren(...Object.keys(closely.machines).map((name) => {
    const { colour, dash } = curveLook(name);
    const button = make("button", { type: "button", class: "line", "aria-pressed": String(!curvesState.hidden.has(name)) });
    const sample = svg("line", { x1: 0, x2: 32, y1: 5, y2: 5, "stroke-width": name === state.selected ? 6 : 3, "stroke-dasharray": dash });
    sample.style.stroke = colour;
    button.append(svg("svg", { viewBox: "0 0 32 10", "aria-hidden": "true" }, sample), name);
    button.addEventListener("click", () => {
      if (!curvesState.hidden.delete(name)) curvesState.hidden.add(name);
      drawCurves();
    });
    return button;
  }));
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
    + `study's own load. Press a name to hide it, a line to select its machine.${picked}`;
}

function drawCurves() {
  if (!$("curves-plot")) return;
  $("curves-plot").replaceChildren(curvesPicture($("curves-plot").clientWidth || 700, narrow() ? 380 : 480));
  drawCurvesLegend();
  $("curves-line").textContent = curvesLine();
}

function startCurves() {
  if (!$("curves-plot")) return;
  $("curves-per").append(...Object.entries(closely.per).map(([key, text]) => make("option", { value: key }, text)));
  $("curves-per").value = curvesState.per;
  $("curves-per").addEventListener("change", (event) => { curvesState.per = event.target.value; drawCurves(); });
}
