
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
function curveLook(name) {
  const { front } = closely.machines[name];
  const alike = Object.keys(closely.machines).filter((other) => closely.machines[other].front === front);
  const at = alike.indexOf(name);
  if (front) return { color: between(alike.length > 1 ? at / (alike.length - 1) : 0.5), dash: "solid" };
  return { color: css(`--kind-${Math.min(at, 6)}`), dash: ["dash", "dot", "dashdot", "longdash", "longdashdot"][at % 5] };
}

/* A colour of the page's scale, at a share of its length. */
function between(share) {
  const parts = [0, 1, 2].map((i) => [1, 3, 5].map((at) => parseInt(css(`--scale-${i}`).slice(at, at + 2), 16)));
  const [from, to, left] = share < 0.5 ? [parts[0], parts[1], 2 * share] : [parts[1], parts[2], 2 * share - 1];
  return `rgb(${from.map((one, i) => Math.round(one + left * (to[i] - one))).join(",")})`;
}

function curveTip(name, row) {
  const value = `${number(row[curvesState.per])} ${closely.per[curvesState.per]}`;
  return `<b>${plain(name)}</b>, ${row.users.toLocaleString("en-US")} users<br>${number(row.user)} tokens per second a user<br>`
    + `${value}${row.late ? "<br>late for a target" : ""}`;
}

function curveTraces(name) {
  const { curve, work } = closely.machines[name];
  const { color, dash } = curveLook(name);
  const picked = name === state.selected;
  const rows = frontier(curve, curvesState.per);
  const common = { type: "scatter", customdata: rows.map(() => name), hoverinfo: "text", cliponaxis: false };
  const line = { ...common, mode: "lines+markers", x: rows.map((row) => row.user), y: rows.map((row) => row[curvesState.per]),
                 hovertext: rows.map((row) => curveTip(name, row)), line: { color, dash, width: picked ? 4 : 1.7 },
                 marker: { size: picked ? 7 : 5, color, symbol: rows.map((row) => (row.late ? "circle-open" : "circle")) } };
  const here = { ...common, mode: "markers", x: [work.user], y: [work[curvesState.per]], customdata: [name],
                 hovertext: [`the study's load<br>${curveTip(name, work)}`],
                 marker: { size: picked ? 17 : 12, symbol: "star", color, line: { color: css("--ink"), width: picked ? 1.5 : 0.6 } } };
  return rows.length ? [line, here] : [here];
}

/* Round numbers of a log axis, few enough to stand side by side. */
function roundTicks([low, high]) {
  if (high - low < 2.2) return logTicks([low, high]);
  const decades = Array.from({ length: Math.ceil(high) - Math.floor(low) + 1 }, (_, i) => Math.floor(low) + i);
  const tickvals = decades.filter((power) => power >= low && power <= high).map((power) => 10 ** power);
  return { tickvals, ticktext: tickvals.map((value) => value.toLocaleString("en-US")) };
}

function logAxis(title, values) {
  const known = values.filter((value) => finite(value) && value > 0).map(Math.log10);
  const [low, high] = known.length ? [Math.min(...known), Math.max(...known)] : [0, 1];
  const pad = 0.05 * (high - low) || 0.2;
  const span = [low - pad, high + pad];
  return { type: "log", range: span, title: { text: plain(title), standoff: 12 }, automargin: true, zeroline: false,
           gridcolor: css("--faint"), linecolor: css("--rule"), showline: true, tickfont: { color: css("--muted") },
           tickcolor: css("--rule"), ticks: "outside", ticklen: 4, tickangle: 0, ...roundTicks(span) };
}

function curvesFigure() {
  const shown = Object.keys(closely.machines).filter((name) => !curvesState.hidden.has(name));
  const order = shown.filter((name) => name !== state.selected).concat(shown.filter((name) => name === state.selected));
  const data = order.flatMap(curveTraces);
  const all = (key) => data.flatMap((trace) => trace[key]);
  return { data, layout: layoutOf({ margin: { l: 60, r: 16, t: 10, b: 52 },
    xaxis: logAxis("tokens per second per user", all("x")), yaxis: logAxis(closely.per[curvesState.per], all("y")) }) };
}

function drawCurvesLegend() {
  $("curves-legend").replaceChildren(...Object.keys(closely.machines).map((name) => {
    const { color, dash } = curveLook(name);
    const key = { solid: "", dot: "2 3", dash: "6 4", dashdot: "6 3 2 3", longdash: "10 4", longdashdot: "10 3 2 3" }[dash];
    const button = make("button", { type: "button", class: "line", "aria-pressed": String(!curvesState.hidden.has(name)) });
    button.innerHTML = `<svg viewBox="0 0 32 10" aria-hidden="true"><line x1="0" x2="32" y1="5" y2="5" stroke="${color}" `
      + `stroke-width="${name === state.selected ? 6 : 3}" stroke-dasharray="${key}"/></svg>`;
    button.append(name);
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
  draw("curves-plot", curvesFigure());
  drawCurvesLegend();
  $("curves-line").textContent = curvesLine();
}

function startCurves() {
  if (!$("curves-plot")) return;
  $("curves-per").append(...Object.entries(closely.per).map(([key, text]) => make("option", { value: key }, text)));
  $("curves-per").value = curvesState.per;
  $("curves-per").addEventListener("change", (event) => { curvesState.per = event.target.value; drawCurves(); });
}
