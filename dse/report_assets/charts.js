"use strict";
/* Figures. Each function gives {data, layout} for Plotly; colours and fonts come from page.css. */

const study = JSON.parse(document.getElementById("study").textContent);
const machines = [...study.points, ...study.baselines];
const BASE = new Set(study.baselines);
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const plain = (text) => String(text).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const finite = (value) => typeof value === "number" && Number.isFinite(value);
const label = (name) => name.replaceAll("_", " ");
const narrow = () => window.innerWidth < 640;

/* Three significant digits, whole from a thousand on, as in the tables. */
function number(value) {
  if (!finite(value)) return "\u2013";
  const [size, sign] = [Math.abs(value), value < 0 ? "\u2212" : ""];
  if (size && (size < 1e-3 || size >= 1e7)) return sign + size.toExponential(2).replace("e+", "e");
  if (size >= 999.5) return sign + Math.round(size).toLocaleString("en-US");
  return size ? sign + size.toPrecision(3) : "0";
}

const withUnit = (value, unit) => number(value) + (unit && finite(value) ? `\u00a0${unit}` : "");
const percent = (share) => `${Math.round(100 * share)}\u00a0%`;

/* "time per output token (ms)" and, for an objective, which way is better. */
function axisTitle(name) {
  const { label: text, unit, sense } = study.metrics[name];
  const better = sense ? `, ${sense === "maximize" ? "more" : "less"} is better` : "";
  const title = plain(unit ? `${text} (${unit})` : text);
  return title + (narrow() && title.length + better.length > 44 ? better.replace(", ", "<br>") : better);
}

function layoutOf(more) {
  const clear = "rgba(0,0,0,0)";
  return {
    paper_bgcolor: clear, plot_bgcolor: clear, showlegend: false, hovermode: "closest", autosize: true,
    font: { family: css("--sans"), size: 13, color: css("--ink") },
    hoverlabel: { bgcolor: css("--panel"), bordercolor: css("--rule"), align: "left",
                  font: { family: css("--sans"), size: 13, color: css("--ink") } },
    dragmode: matchMedia("(pointer: coarse)").matches ? false : "zoom",
    ...more,
  };
}

/* The front chart. state: {x, y, colour, logX, logY, feasible, infeasible, selected}. */

const metricsOf = (points, name) => points.map((point) => point.metrics[name]);
const othersOf = (kind, name) => study.others[kind]?.[name] ?? [];

/* What must be in the frame: all that is named, and the bulk of the rest, of the feasible if there are any. */
function framed(name) {
  const kind = othersOf("feasible", name).length ? "feasible" : "infeasible";
  const rest = othersOf(kind, name).filter(finite).sort((a, b) => a - b);
  const bulk = rest.slice(Math.floor(rest.length * 0.02), Math.ceil(rest.length * 0.98));
  return [...metricsOf(machines, name).filter(finite), ...bulk];
}

function wantsLog(name) {
  const values = framed(name);
  return values.length > 0 && Math.min(...values) > 0 && Math.max(...values) / Math.min(...values) > 20;
}

const mayLog = (name) => framed(name).every((value) => value > 0);

function range(name, log) {
  const values = framed(name).map((value) => (log ? Math.log10(value) : value));
  if (!values.length) return undefined;
  const [low, high] = [Math.min(...values), Math.max(...values)];
  const pad = 0.06 * (high - low) || 0.1 * Math.abs(high) || 1;
  return [low >= 0 && !log ? Math.max(low - pad, -0.02 * high) : low - pad, high + pad];
}

/* Round numbers on a log axis from 10^low to 10^high, evenly spaced ones where it shows too little for them. */
function logTicks([low, high]) {
  const span = (high - low) * (narrow() ? 2 : 1);
  const steps = span < 0.6 ? [1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8] : span < 1.4 ? [1, 1.5, 2, 3, 4, 5, 7] : [1, 2, 5];
  const decades = Array.from({ length: Math.ceil(high) - Math.floor(low) }, (_, i) => 10 ** (Math.floor(low) + i));
  const round = decades.flatMap((decade) => (span > 4 ? [decade] : steps.map((step) => step * decade)));
  const inside = round.filter((value) => Math.log10(value) >= low && Math.log10(value) <= high);
  const even = [0, 1, 2, 3, 4].map((i) => 10 ** low + (i / 4) * (10 ** high - 10 ** low));
  const tickvals = inside.length > 2 ? inside : even;
  const digits = inside.length > 2 ? 2 : 3;
  return { tickvals, ticktext: tickvals.map((v) => v.toLocaleString("en-US", { maximumSignificantDigits: digits })) };
}

function axis(name, log) {
  return {
    type: log ? "log" : "linear", range: range(name, log), title: { text: axisTitle(name), standoff: 12 },
    automargin: true, zeroline: false, gridcolor: css("--faint"), linecolor: css("--rule"), showline: true,
    tickfont: { color: css("--muted") }, tickcolor: css("--rule"), ticks: "outside", ticklen: 4,
    exponentformat: "none", separatethousands: true, nticks: narrow() ? 6 : 10,
    ...(log ? logTicks(range(name, log) ?? [0, 1]) : {}),
  };
}

function hover(point, names) {
  const rows = names.map((name) => {
    const { label: text, unit } = study.metrics[name];
    return `${plain(text)}: ${plain(withUnit(point.metrics[name], unit))}`;
  });
  const fits = point.feasible ? "" : `<br>does not fit${point.misses ? `: ${plain(point.misses)}` : ""}`;
  return `<b>${plain(point.name)}</b><br>${rows.join("<br>")}${fits}`;
}

function cloud(kind, state, size) {
  const [x, y] = [othersOf(kind, state.x), othersOf(kind, state.y)];
  if (!state[kind] || !x.length || !y.length) return [];
  return [{ type: "scatter", mode: "markers", x, y, hoverinfo: "skip",
            marker: { size, color: css(`--${kind}`), opacity: kind === "feasible" ? 0.5 : 0.45 } }];
}

/* The points that no other point beats on both shown axes, joined by steps. */
function edge(state) {
  const senses = [state.x, state.y].map((name) => ({ maximize: -1, minimize: 1 })[study.metrics[name].sense]);
  if (!study.front || senses.includes(undefined)) return [];
  const worth = (point) => [senses[0] * point.metrics[state.x], senses[1] * point.metrics[state.y]];
  const known = study.points.filter((point) => finite(point.metrics[state.x]) && finite(point.metrics[state.y]));
  const best = known.filter((a) => !known.some((b) => {
    const [p, q] = [worth(a), worth(b)];
    return q[0] <= p[0] && q[1] <= p[1] && (q[0] < p[0] || q[1] < p[1]);
  })).sort((a, b) => a.metrics[state.x] - b.metrics[state.x]);
  return [{ type: "scatter", mode: "lines", x: metricsOf(best, state.x), y: metricsOf(best, state.y), hoverinfo: "skip",
            line: { color: css("--accent"), width: 1.2, shape: senses[0] > 0 ? "hv" : "vh" }, opacity: 0.6 }];
}

/* Colour by a number, on a log scale where it spans much; [] where the choice is text or nothing. */
function scale(values, title) {
  const known = values.filter(finite);
  if (!known.length) return { color: css("--accent") };
  const [low, high] = [Math.min(...known), Math.max(...known)];
  const log = low > 0 && high / low > 20;
  const map = (value) => (finite(value) ? (log ? Math.log10(value) : value) : null);
  const ticks = [0, 1, 2].map((i) => map(low) + (i / 2) * (map(high) - map(low)));
  return {
    color: values.map(map), cmin: map(low), cmax: map(high) > map(low) ? map(high) : map(low) + 1,
    colorscale: [0, 1, 2].map((i) => [i / 2, css(`--scale-${i}`)]), showscale: true,
    colorbar: { orientation: "h", thickness: 9, len: narrow() ? 0.9 : 0.4, x: 1, xanchor: "right", y: 1,
                yref: "container", yanchor: "top", ypad: 0, outlinewidth: 0, tickfont: { color: css("--muted"), size: 12 },
                title: { text: plain(title), side: "top", font: { size: 12, color: css("--muted") } },
                tickvals: ticks, ticktext: ticks.map((tick) => number(log ? 10 ** tick : tick)) },
  };
}

/* {names, values} of what colours the points: a metric, or a parameter. */
function colouring(choice) {
  const [place, name] = [choice.slice(0, choice.indexOf(":")), choice.slice(choice.indexOf(":") + 1)];
  const values = study.points.map((point) => point[place]?.[name]);
  const unit = (place ? study[place][name] : undefined)?.unit;
  const title = (place === "metrics" ? label(name) : name) + (unit ? ` (${unit})` : "");
  const numbers = values.map((value) => (value === undefined || value === null || value === "" ? null : Number(value)));
  const text = place === "parameters" && numbers.some((value) => value !== null && !finite(value));
  return { title, values: text ? values : numbers, text, kinds: text ? [...new Set(values)] : [] };
}

const kindColour = (kinds, value) => css(`--kind-${Math.min(kinds.indexOf(value), 6)}`);

function frontMarkers(state) {
  const { title, values, text, kinds } = colouring(state.colour);
  const colour = text ? { color: values.map((value) => kindColour(kinds, value)) }
                      : state.colour ? scale(values, title) : { color: css("--accent") };
  const symbol = study.front ? "circle" : "circle-open";
  return { size: 10, symbol, line: { color: css(study.front ? "--ground" : "--accent"), width: study.front ? 1 : 2 },
           ...colour };
}

function named(points, state, names, more) {
  return { type: "scatter", x: metricsOf(points, state.x), y: metricsOf(points, state.y), cliponaxis: false,
           customdata: points.map((point) => point.name), hoverinfo: "text",
           hovertext: points.map((point) => hover(point, names)), ...more };
}

/* Where names stand: beside the front, on the side where nothing better is; otherwise where there is room. */
function corner(state) {
  const [x, y] = [study.metrics[state.x].sense, study.metrics[state.y].sense];
  return x && y ? `${y === "minimize" ? "bottom" : "top"} ${x === "minimize" ? "left" : "right"}` : "top center";
}

/* A baseline's name, over the cloud: away from the front, unless another name or mark is there. */
function nameTags(state) {
  const plot = document.getElementById("front-plot");
  const place = (value, log, [low, high], pixels) => ((log ? Math.log10(value) : value) - low) / (high - low) * pixels;
  const known = study.baselines.filter(({ metrics }) => finite(metrics[state.x]) && finite(metrics[state.y]));
  const marks = known.map(({ metrics }) => ({
    x: place(metrics[state.x], state.logX, range(state.x, state.logX), plot.clientWidth - 90),
    y: place(metrics[state.y], state.logY, range(state.y, state.logY), plot.clientHeight - 120) }));
  const taken = marks.map(({ x, y }) => [x - 9, x + 9, y - 9, y + 9]);
  const first = study.metrics[state.y].sense !== "maximize";
  return known.map((base, i) => {
    const { x, y } = marks[i];
    const left = x > (plot.clientWidth - 90) / 2;
    const length = 8 * base.name.length;
    const box = (up) => [left ? x - length : x - 8, left ? x + 8 : x + length, up ? y + 9 : y - 29, up ? y + 29 : y - 9];
    const free = (up) => taken.every(([a, b, c, d], k) =>
      k === i || box(up)[0] > b || box(up)[1] < a || box(up)[2] > d || box(up)[3] < c);
    const up = free(first) || !free(!first) ? first : !first;
    taken.push(box(up));
    const at = (value, log) => (log ? Math.log10(value) : value);
    return { x: at(base.metrics[state.x], state.logX), y: at(base.metrics[state.y], state.logY), text: plain(base.name),
             showarrow: false, borderpad: 1, bgcolor: css("--ground"), opacity: 0.85,
             xanchor: left ? "right" : "left", xshift: left ? 8 : -8,
             yanchor: up ? "bottom" : "top", yshift: up ? 9 : -9 };
  });
}

/* Whether a mark stands so far right that its name would leave the frame. */
function late({ metrics }, state) {
  const [low, high] = range(state.x, state.logX) ?? [0, 1];
  return ((state.logX ? Math.log10(metrics[state.x]) : metrics[state.x]) - low) / (high - low) > 0.85;
}

function frontFigure(state) {
  const names = [...new Set([...study.objectives, state.x, state.y])];
  const picked = machines.filter((machine) => machine.name === state.selected);
  const few = study.points.length <= 30 && !narrow();
  const tags = study.points.map((point) => `\u00a0${plain(point.name)}\u00a0`);
  const front = few ? { mode: "markers+text", text: tags } : { mode: "markers" };
  const data = [
    ...cloud("infeasible", state, 4), ...cloud("feasible", state, 5), ...edge(state),
    named(study.points, state, names, { ...front, marker: frontMarkers(state), textposition: corner(state),
                                        textfont: { color: css("--muted"), size: 11 } }),
    named(study.baselines, state, names, {
      mode: "markers", marker: { size: 11, color: css("--baseline"), line: { width: 2, color: css("--baseline") },
                                 symbol: study.baselines.map((base) => (base.feasible ? "diamond" : "diamond-open")) } }),
    named(picked, state, names, {
      mode: few ? "markers" : "markers+text", hoverinfo: "skip",
      textposition: picked.map((one) => (late(one, state) ? corner(state).replace(/ .*/, " center") : corner(state))),
      marker: { size: 19, symbol: "circle-open", color: css("--ink"), line: { width: 2 } },
      text: picked.map((machine) => (BASE.has(machine) ? "" : `<b>\u00a0\u00a0${plain(machine.name)}\u00a0\u00a0</b>`)) }),
  ];
  const margin = { l: 56, r: 16, t: data.some((trace) => trace.marker?.showscale) ? 62 : 12, b: 52 };
  return { data, layout: layoutOf({ margin, annotations: nameTags(state),
                                    xaxis: axis(state.x, state.logX), yaxis: axis(state.y, state.logY) }) };
}

/* Stacked bars by cause. */

const causeColour = (name) => css(`--cause-${name.toLowerCase().replace(/[^a-z0-9-]/g, "")}`) || css("--muted");

/* Black or white, whichever reads better on the colour. */
function inkOn(colour) {
  const [r, g, b] = [1, 3, 5].map((at) => parseInt(colour.slice(at, at + 2), 16));
  return 0.299 * r + 0.587 * g + 0.114 * b > 140 ? "#111111" : "#ffffff";
}

/* One trace a cause; value(point, cause) is a length, most the length of the whole axis, room its pixels. */
function stack(points, section, value, most, room) {
  return Object.keys(study.causes[section]).map((cause) => {
    const lengths = points.map((point) => value(point, cause));
    const shares = points.map((point) => point[section][cause] ?? 0);
    return {
      type: "bar", orientation: "h", x: lengths, y: points.map((_, i) => i), customdata: points.map((p) => p.name),
      marker: { color: causeColour(cause), line: { color: css("--ground"), width: 1 } },
      text: shares.map((share, i) => ((lengths[i] / most) * room > 38 ? percent(share) : "")),
      textposition: "inside", insidetextanchor: "middle", textangle: 0, constraintext: "none",
      insidetextfont: { color: inkOn(causeColour(cause)), size: 12 }, hoverinfo: "text",
      hovertext: points.map((point, i) => `<b>${plain(point.name)}</b><br>${plain(label(cause))}: ${percent(shares[i])}`),
    };
  });
}

/* Absolute bars of one metric split by cause, each with its name above and its total behind. */
function causeFigure(points, section, metric, room) {
  const { label: text, unit } = study.metrics[metric] ?? { label: label(metric), unit: "" };
  const total = (point) => point.metrics[metric] ?? 0;
  const most = Math.max(...points.map(total), 0) || 1;
  const step = document.documentElement.hasAttribute("data-print") ? 45 : 54;
  const after = 20 + 7.5 * Math.max(...points.map((point) => withUnit(point.metrics[metric], unit).length));
  const ends = { type: "scatter", mode: "text", x: points.map(total), y: points.map((_, i) => i), cliponaxis: false,
                 text: points.map((point) => `\u00a0${plain(withUnit(point.metrics[metric], unit))}`),
                 textposition: "middle right", hoverinfo: "skip" };
  const name = (point) => (BASE.has(point) ? plain(point.name) : `<b>${plain(point.name)}</b>`);
  const annotations = points.map((point, i) => ({
    x: 0, y: i, xanchor: "left", yanchor: "bottom", yshift: 13, showarrow: false,
    text: name(point) + (point.feasible ? "" : ` <span style="color:${css("--bad")}">does not fit</span>`) }));
  const layout = layoutOf({
    barmode: "stack", bargap: 0.52, annotations, height: 58 + step * points.length, dragmode: false,
    margin: { l: 8, r: after, t: 8, b: 44 },
    xaxis: { range: [0, most], fixedrange: true, zeroline: false, gridcolor: css("--faint"), nticks: 6,
             tickfont: { color: css("--muted") },
             title: { text: plain(unit ? `${text} (${unit})` : text), standoff: 8 } },
    yaxis: { range: [points.length - 0.55, -0.75], fixedrange: true, visible: false } });
  const value = (point, cause) => (point[section][cause] ?? 0) * total(point);
  return { data: [...stack(points, section, value, most, room - after), ends], layout };
}

/* Shares of time of the points of the front, one bar a point; no figures on bars too thin for them. */
function sharesFigure(points, selected, room) {
  const first = study.objectives[0];
  const tag = ({ name }) => `${name === selected ? "\u25b8 " : ""}<b>${plain(name)}</b>\u2002`;
  const thin = points.length > 30;
  const print = thin && document.documentElement.hasAttribute("data-print");
  const step = print ? 8 : thin ? 17 : 25;
  const layout = layoutOf({
    barmode: "stack", bargap: 0.22, dragmode: false, height: 42 + step * points.length,
    margin: { l: 40, r: 24, t: 4, b: 36 },
    xaxis: { range: [0, 1], tickformat: ".0%", fixedrange: true, zeroline: false, showgrid: false,
             tickfont: { color: css("--muted") } },
    yaxis: { range: [points.length - 0.4, -0.6], fixedrange: true, automargin: true, tickfont: { size: print ? 7 : 12 },
             tickvals: points.map((_, i) => i), ticks: "", zeroline: false, showgrid: false,
             ticktext: points.map((point) => tag(point) + number(point.metrics[first])) } });
  const data = stack(points, "shares", (point, cause) => point.shares[cause] ?? 0, 1, thin ? 0 : room - 115);
  return { data, layout };
}
