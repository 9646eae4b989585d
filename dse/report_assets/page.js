
/* The page: what is chosen, what is selected, and the tables that answer to both. */

const CONFIG = { displayModeBar: false, responsive: false, doubleClick: "reset", showTips: false };
const state = { colour: "", feasible: true, infeasible: true };
const machine = (name) => machines.find((one) => one.name === name);

/* Plotly, once with its listener, then again in place. */
function draw(id, { data, layout }) {
  const plot = $(id);
  const first = !plot.classList.contains("js-plotly-plot");
  Plotly.react(plot, data, { ...layout, width: plot.clientWidth }, CONFIG);
  if (layout.height) plot.style.height = `${layout.height}px`;
  if (first) plot.on("plotly_click", ({ points }) => points[0].customdata && select(points[0].customdata));
}

/* Ticks that follow a log axis as it is zoomed. */
function follow(plot) {
  const ticks = {};
  for (const key of ["xaxis", "yaxis"]) {
    if (plot.layout[key].type !== "log") continue;
    const { tickvals, ticktext } = logTicks(plot.layout[key].range);
    Object.assign(ticks, { [`${key}.tickvals`]: tickvals, [`${key}.ticktext`]: ticktext });
  }
  if (Object.keys(ticks).length) Plotly.relayout(plot, ticks);
}

/* Sentences that say what a chart shows. */

function bestOf(name) {
  const { label: text, unit, sense } = study.metrics[name];
  const known = study.points.filter((point) => finite(point.metrics[name]));
  if (!known.length) return "";
  const ranked = known.sort((a, b) => a.metrics[name] - b.metrics[name]);
  const [low, high] = [ranked[0], ranked[ranked.length - 1]];
  const at = (point) => `${withUnit(point.metrics[name], unit)} (${point.name})`;
  if (!sense && low.metrics[name] === high.metrics[name])
    return ` ${text[0].toUpperCase()}${text.slice(1)}: ${withUnit(low.metrics[name], unit)} at every point.`;
  if (sense) return ` ${sense === "maximize" ? "Most" : "Least"} ${text}: ${at(sense === "maximize" ? high : low)}.`;
  return ` ${text[0].toUpperCase()}${text.slice(1)}: from ${at(low)} to ${at(high)}.`;
}

function outside() {
  const limits = [range(state.x, state.logX), range(state.y, state.logY)];
  const within = (value, log, [low, high]) => {
    const at = log ? Math.log10(value) : value;
    return at >= low && at <= high;
  };
  let count = 0;
  for (const kind of ["feasible", "infeasible"]) {
    const [x, y] = [othersOf(kind, state.x), othersOf(kind, state.y)];
    if (!state[kind] || !x.length || !y.length || limits.includes(undefined)) continue;
    x.forEach((value, i) => {
      if (!finite(value) || !finite(y[i])) return;
      count += !(within(value, state.logX, limits[0]) && within(y[i], state.logY, limits[1]));
    });
  }
  return count;
}

function frontLine() {
  const what = study.front ? "on the front" : "nearest to feasible";
  const rest = Object.keys(study.others.feasible ?? {}).length + Object.keys(study.others.infeasible ?? {}).length;
  const drawn = ["feasible", "infeasible"].some((kind) => othersOf(kind, state.x).length && othersOf(kind, state.y).length);
  const lost = rest && !drawn ? " The other points are known by the objectives alone and are not drawn on these axes." : "";
  const out = outside() ? ` ${outside()} of the faint points lie outside the frame.` : "";
  const best = bestOf(state.x) + (state.y === state.x ? "" : bestOf(state.y));
  const zoom = matchMedia("(pointer: coarse)").matches ? ""
    : " Press a mark to select it; drag to look closer, double-click to come back.";
  return `Modelled: ${study.points.length} points ${what}, ${study.baselines.length} baselines.${best}${lost}${out}${zoom}`;
}

function causeLine(points, section, metric) {
  const unit = study.metrics[metric]?.unit;
  return points.map((point) => {
    const [cause, share] = Object.entries(point[section]).sort((a, b) => b[1] - a[1])[0] ?? [];
    const most = share ? `, the largest part ${label(cause)} (${percent(share)})` : "";
    return `${point.name}: ${withUnit(point.metrics[metric], unit)}${most}.`;
  }).join(" ");
}

/* The front chart. */

function legendItem(classes, style, text, toggle) {
  const swatch = make("span", { class: `swatch ${classes}`, style });
  if (!toggle) return make("span", {}, swatch, text);
  const box = make("input", { type: "checkbox" });
  box.checked = state[toggle];
  box.addEventListener("change", () => { state[toggle] = box.checked; drawFront(); });
  return make("label", {}, box, swatch, text);
}

function drawLegend() {
  const { text, kinds } = colouring(state.colour);
  const front = study.front ? "front" : "nearest";
  const items = text
    ? kinds.map((kind) => legendItem("dot", `background:${kindColour(kinds, kind)}`, `${front}: ${kind}`))
    : [legendItem("dot", state.colour ? "background:linear-gradient(90deg,var(--scale-0),var(--scale-1),var(--scale-2))"
                                      : "background:var(--accent)", front)];
  if (edge(state).length) items.push(legendItem("line", "", "best on these two axes"));
  if (study.baselines.some((one) => one.feasible)) items.push(legendItem("diamond", "background:var(--baseline)", "baseline"));
  if (study.baselines.some((one) => !one.feasible)) items.push(legendItem("diamond hollow", "", "baseline that does not fit"));
  for (const [kind, name] of [["feasible", "other feasible"], ["infeasible", "infeasible"]])
    if (othersOf(kind, state.x).length && othersOf(kind, state.y).length)
      items.push(legendItem("dot small", `background:var(--${kind})`, name, kind));
  const save = make("button", { type: "button", class: "push" }, "Save as SVG");
  save.addEventListener("click", () => Plotly.downloadImage($("front-plot"), { format: "svg", filename: "front" }));
  $("front-legend").replaceChildren(...items, save);
}

function drawFront() {
  draw("front-plot", frontFigure(state));
  $("front-line").textContent = frontLine();
}

function choose(axisName, name) {
  const log = axisName === "x" ? "logX" : "logY";
  state[axisName] = name;
  state[log] = wantsLog(name);
  $(`log-${axisName}`).checked = state[log];
  $(`log-${axisName}`).disabled = !mayLog(name);
}

function optionGroup(title, names, prefix, text) {
  const options = names.map((name) => make("option", { value: prefix + name }, text(name)));
  return options.length ? [make("optgroup", { label: title }, ...options)] : [];
}

function fillControls() {
  const rest = Object.keys(study.metrics).filter((name) => !study.objectives.includes(name));
  const groups = (prefix) => [...optionGroup("Objectives", study.objectives, prefix, label),
                              ...optionGroup("Other metrics", rest, prefix, label)];
  $("axis-x").append(...groups(""));
  $("axis-y").append(...groups(""));
  const varied = Object.keys(study.parameters).filter((name) =>
    new Set(study.points.map((point) => point.parameters[name])).size > 1);
  $("colour").append(make("option", { value: "" }, "none"), ...groups("metrics:"), ...optionGroup("Parameters", varied, "parameters:", (name) => name));
  const [x, y, third] = study.objectives;
  choose("x", x);
  choose("y", y ?? rest[0] ?? x);
  if (third) state.colour = `metrics:${third}`;
  for (const key of ["x", "y"]) {
    $(`axis-${key}`).value = state[key];
    $(`axis-${key}`).addEventListener("change", (event) => { choose(key, event.target.value); drawFront(); drawLegend(); });
    $(`log-${key}`).addEventListener("change", (event) => { state[key === "x" ? "logX" : "logY"] = event.target.checked; drawFront(); });
  }
  $("colour").value = state.colour;
  $("colour").addEventListener("change", (event) => { state.colour = event.target.value; drawFront(); drawLegend(); });
}

/* The selected point. */

function entry(name, unit, value, cls, means) {
  const folder = name.match(/^.*[./]/)?.[0] ?? "";
  const term = make("dt", {}, make("span", { class: "path" }, folder), label(name.slice(folder.length)));
  if (means) term.append(make("span", { class: "means" }, means));
  return make("div", {}, term, make("dd", cls ? { class: cls } : {}, unit && value !== "\u2013" ? `${value}\u00a0${unit}` : value));
}

function headroom(point) {
  return Object.entries(study.headroom).map(([name, { label: text, unit, means }]) => {
    const value = point.headroom[name];
    if (finite(value) && value < 0) return entry(text, unit, `short by ${number(-value)}`, "short", means);
    return entry(text, finite(value) ? unit : "", number(value), "", means);
  });
}

/* A ratio, or a difference where the unit is a level or a temperature. */
function against(value, base, unit) {
  if (!finite(value) || !finite(base)) return "\u2013";
  if (value === base) return "the same";
  if (["dB", "K", "\u00b0C", "degC"].includes(unit)) return `${value < base ? "\u2212" : "+"}${number(Math.abs(value - base))}\u00a0${unit}`;
  return base ? `${number(value / base)}\u00a0\u00d7` : "\u2013";
}

function metricsTable(point) {
  const bases = study.baselines.filter((base) => base !== point);
  const heads = ["metric", point.name, ...bases.map((base) => `against ${base.name}`)].map((text, i) =>
    make("th", { scope: "col", class: i ? "number" : "" }, text));
  const lines = Object.entries(study.metrics).map(([name, { label: text, unit, means }]) => make("tr", {},
    make("th", { scope: "row" }, text),
    make("td", { class: "number" }, withUnit(point.metrics[name], unit)),
    ...bases.map((base) => make("td", { class: "number" }, against(point.metrics[name], base.metrics[name], unit))),
    make("td", { class: "means" }, means)));
  $("metrics").replaceChildren(make("thead", {}, make("tr", {}, ...heads, make("th", { class: "means" }, "meaning"))), make("tbody", {}, ...lines));
}

function drawCauses(point) {
  const shown = [point, ...study.baselines.filter((base) => base !== point)];
  const drawn = [["time", "shares", "time_per_output_token"], ["energy", "energy_shares", "energy_per_token"],
                 ["cost", "cost_shares", "cost_per_million_tokens"], ["carbon", "carbon_shares", "carbon_per_million_tokens"]];
  for (const [key, section, metric] of drawn) {
    const empty = !Object.keys(study.causes[section]).length;
    if ($(`${key}-part`)) $(`${key}-part`).hidden = empty;
    if (empty) continue;
    draw(`${key}-plot`, causeFigure(shown, section, metric, $(`${key}-plot`).clientWidth));
    $(`${key}-line`).textContent = causeLine(shown, section, metric);
  }
}

function noteOf(point) {
  const note = BASE.has(point) ? "a baseline" : study.front ? "a point of the front" : "not feasible";
  return point.misses ? `${note}: ${point.misses}` : note;
}

function showPoint(point) {
  $("pick").value = point.name;
  $("selected-note").textContent = noteOf(point);
  const parameters = Object.entries(point.parameters).map(([name, value]) => entry(name, study.parameters[name]?.unit, value));
  $("parameters").replaceChildren(...(parameters.length ? parameters : [entry("as configured", "", "nothing is varied")]));
  $("mapping").replaceChildren(...Object.entries(point.mapping).map(([name, value]) => entry(name, "", value)));
  $("headroom").replaceChildren(...headroom(point));
  $("command").textContent = point.command;
  metricsTable(point);
  drawCauses(point);
  document.dispatchEvent(new CustomEvent("pointselected", { detail: { name: point.name } }));
}

function select(name) {
  const point = machine(name);
  if (!point) return;
  state.selected = name;
  showPoint(point);
  markRow(name);
  drawFront();
  drawShares();
  history.replaceState(null, "", `#${encodeURIComponent(name)}`);
}

function hashed() {
  try { return machine(decodeURIComponent(location.hash.slice(1))); } catch { return undefined; }
}

function drawShares() {
  const bars = study.bars.map(machine);
  if (bars.length) draw("causes-plot", sharesFigure(bars, state.selected, $("causes-plot").clientWidth));
}

function drawAll() {
  drawFront();
  drawLegend();
  drawShares();
  if (machine(state.selected)) drawCauses(machine(state.selected));
  drawCurves();
  drawRooflines(state.selected);
}

function printing(on) {
  document.documentElement.toggleAttribute("data-print", on);
  document.body.style.width = on ? "1000px" : "";
  drawAll();
}

function start() {
  fillControls();
  $("pick").append(...optionGroup(study.front ? "Front" : "Nearest", study.points.map((point) => point.name), "", String),
                   ...optionGroup("Baselines", study.baselines.map((base) => base.name), "", String));
  $("pick").addEventListener("change", (event) => select(event.target.value));
  document.querySelectorAll("button.copy").forEach((button) => button.addEventListener("click", () => copy(button)));
  wireTable();
  wireFilters();
  startCurves();
  const first = hashed() ?? machines[0];
  if (first) { state.selected = first.name; showPoint(first); markRow(first.name); } else $("selected").remove();
  drawAll();
  let timer;
  $("front-plot").on("plotly_relayout", (change) => {
    if (Object.keys(change).some((key) => key.includes("range"))) follow($("front-plot"));
  });
  addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(drawAll, 120); });
  addEventListener("hashchange", () => { const point = hashed(); if (point) select(point.name); });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", drawAll);
  addEventListener("beforeprint", () => printing(true));
  addEventListener("afterprint", () => printing(false));
}

addEventListener("error", (event) => { document.body.dataset.error = event.message; });
addEventListener("unhandledrejection", (event) => { document.body.dataset.error = String(event.reason); });
start();
document.body.dataset.ready = "yes";
