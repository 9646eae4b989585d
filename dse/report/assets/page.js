/* The page: what is chosen, what is selected, and the charts and tables that answer to both. */

const state = { x: "", y: "", colour: "", logX: false, logY: false, feasible: true, infeasible: true, frame: "all", spread: "none", zoom: null, selected: null, against: null };
const machine = (name) => machines.find((one) => one.name === name);
const wasDrawn = { front: false, parallel: false, overview: false };

/* The front chart. */

function choose(axisName, name) {
  const log = axisName === "x" ? "logX" : "logY";
  state[axisName] = name;
  state[log] = wantsLog(name);
  state.zoom = null;
  $(`log-${axisName}`).checked = state[log];
  $(`log-${axisName}`).disabled = !mayLog(name);
}

function optionGroup(title, names, prefix, words) {
  const options = names.map((name) => make("option", { value: prefix + name }, words(name)));
  return options.length ? [make("optgroup", { label: title }, ...options)] : [];
}

function fillControls() {
  const has = (name) => machines.some((point) => finite(point.metrics[name]));
  const objectives = study.objectives.filter(has);
  const rest = Object.keys(study.metrics).filter((name) => !study.objectives.includes(name) && has(name));
  const groups = (prefix) => [...optionGroup("Objectives", objectives, prefix, label), ...optionGroup("Other metrics", rest, prefix, label)];
  const varied = Object.keys(study.parameters).filter((name) => new Set(study.points.map((point) => point.parameters[name])).size > 1);
  $("axis-x").append(...groups(""));
  $("axis-y").append(...groups(""));
  $("colour").append(make("option", { value: "" }, "none"), ...groups("metrics:"), ...optionGroup("Parameters", varied, "parameters:", (name) => name));
  const [x, y, third] = [...objectives, ...rest];
  const bounded = study.points.some((point) => Object.keys(point.bounds).length);
  state.spread = !bounded ? "none" : study.points.length > 40 ? "selected" : "ellipses";
  $("spread-control").hidden = !bounded;
  choose("x", x);
  choose("y", y ?? x);
  const words = varied.find((name) => study.points.some((point) => !finite(Number(point.parameters[name])) && point.parameters[name] !== DASH));
  state.colour = words ? `parameters:${words}` : third ? `metrics:${third}` : "";
  for (const key of ["colour", "frame", "spread"]) {
    $(key).value = state[key];
    $(key).addEventListener("change", (event) => { state[key] = event.target.value; state.zoom = null; drawFront(); drawLegend(); if (key === "colour" && wasDrawn.parallel) drawParallel(); });
  }
  for (const key of ["x", "y"]) {
    $(`axis-${key}`).value = state[key];
    $(`axis-${key}`).addEventListener("change", (event) => { choose(key, event.target.value); drawFront(); drawLegend(); });
    $(`log-${key}`).addEventListener("change", (event) => { state[key === "x" ? "logX" : "logY"] = event.target.checked; state.zoom = null; drawFront(); });
  }
  $("front-controls").addEventListener("submit", (event) => event.preventDefault());
  $("save").addEventListener("click", () => saveSvg(document.querySelector("#front-plot svg")));
  $("clear-limits").addEventListener("click", clearLimits);
}

/* The selected point, held against a baseline. */

function named(name) {
  const folder = name.match(/^.*[./]/)?.[0] ?? "";
  return [make("span", { class: "path" }, folder), label(name.slice(folder.length))];
}

function row(head, cells, differs, cls) {
  const last = differs === undefined ? [] : [make("td", { class: "differs" }, differs ? make("b", { role: "img", "aria-label": "differs" }, "\u2260") : "")];
  return make("tr", { class: [differs ? "differs-row" : "", cls ?? ""].join(" ").trim() || null }, make("th", { scope: "row" }, head), ...cells.map((one) => make("td", { class: "number" }, one)), ...last);
}

function shown(table, heads, rows) {
  table.replaceChildren(make("thead", {}, make("tr", {}, ...heads.map((head, i) => make("th", { scope: "col", class: i && head !== "meaning" ? "number" : "" }, head)))), make("tbody", {}, ...rows));
}

const value = (text, unit) => (unit && text !== DASH && text !== undefined ? `${text}\u00a0${unit}` : text ?? DASH);
const same = (one, other) => one === other || String(one).split(" or ").includes(other);

/* Parameters of the point beside what the other machine has in their places. */
function showParameters(point, base) {
  const of = (one, name) => (BASE.has(one) ? one.counterparts[name] : one.parameters[name]);
  const names = Object.keys(study.parameters);
  const told = base && names.some((name) => of(base, name) !== undefined);
  const rows = names.map((name) => {
    const cells = [value(of(point, name), study.parameters[name].unit), ...(told ? [value(of(base, name), study.parameters[name].unit)] : [])];
    return row(make("span", {}, ...named(name)), cells, told ? !same(of(point, name), of(base, name)) && !same(of(base, name), of(point, name)) : undefined);
  });
  shown($("parameters"), ["parameter", point.name, ...(told ? [base.name, "\u2260"] : [])], rows);
  const count = rows.filter((one) => one.classList.contains("differs-row")).length;
  $("parameters-line").textContent = !names.length ? "Nothing was varied." : told
    ? `${count} of ${names.length} parameters differ from ${base.name} (\u2260); a dash is a part that it does not have.`
    : base ? `What ${base.name} has in their places was not recorded.` : "There is no baseline to hold them against.";
}

function showMapping(point, base) {
  const names = [...new Set([...Object.keys(point.mapping), ...Object.keys(base?.mapping ?? {})])];
  const next = study.mappings[point.name]?.runners_up?.[0];
  const rows = names.map((name) => row(label(name), [point.mapping[name] ?? DASH, ...(next ? [String(next[name] ?? DASH)] : []), ...(base ? [base.mapping[name] ?? DASH] : [])],
                                       base ? point.mapping[name] !== base.mapping[name] : undefined));
  shown($("mapping"), ["degree", point.name, ...(next ? ["runner-up"] : []), ...(base ? [base.name, "\u2260"] : [])], rows);
  $("mapping-line").textContent = next?.loses ? `The runner-up loses: ${next.loses}.` : "";
}

function showHeadroom(point, base) {
  const told = (one, name, unit) => {
    const left = one.headroom[name];
    return finite(left) && left < 0 ? make("span", { class: "short" }, `short by ${withUnit(-left, unit)}`) : withUnit(left, unit);
  };
  const rows = Object.entries(study.headroom).map(([name, { label: words, unit, means }]) => row(
    make("span", {}, words, make("span", { class: "means" }, means)), [told(point, name, unit), ...(base ? [told(base, name, unit)] : [])]));
  shown($("headroom"), ["limit", point.name, ...(base ? [base.name] : [])], rows);
}

/* A ratio, or a difference where the unit is a level or a temperature. */
function against(size, base, unit) {
  if (!finite(size) || !finite(base)) return DASH;
  if (size === base) return "the same";
  if (["dB", "K", "\u00b0C", "degC"].includes(unit)) return `${size < base ? "\u2212" : "+"}${number(Math.abs(size - base))}\u00a0${unit}`;
  return base ? `${number(size / base)}\u00a0\u00d7` : DASH;
}

function showMetrics(point, base) {
  const spread = Object.keys(point.bounds).length > 0;
  const rows = Object.entries(study.metrics).map(([name, { label: words, unit, means, sense }]) => {
    const ends = point.bounds[name];
    const cells = [withUnit(point.metrics[name], unit), ...(spread ? [ends ? `${number(ends[0])} to ${number(ends[1])}` : DASH] : []),
                   ...(base ? [withUnit(base.metrics[name], unit), against(point.metrics[name], base.metrics[name], unit)] : [])];
    const made = row(sense ? make("b", {}, words) : words, cells, undefined, sense ? "wanted" : "");
    made.append(make("td", { class: "means" }, sense ? `${means ? `${means}; ` : ""}${better(name)}` : means));
    return made;
  });
  shown($("metrics"), ["metric", point.name, ...(spread ? ["nine in ten draws"] : []), ...(base ? [base.name, "ratio"] : []), "meaning"], rows);
}

function noteOf(point) {
  const note = BASE.has(point) ? "a baseline" : study.front ? "a point of the front" : "not feasible";
  const chance = point.chance.front ? `; on the front in ${percent(Number(point.chance.front))} of draws` : "";
  return `${point.name}: ${note}${chance}${point.misses ? `: ${point.misses}` : ""}.`;
}

function showPoint(point) {
  const base = machine(state.against);
  const other = base && base !== point ? base : null;
  $("pick").value = point.name;
  $("selected-note").textContent = noteOf(point);
  $("command").textContent = point.command || "not recorded";
  showParameters(point, other);
  showMapping(point, other);
  showHeadroom(point, other);
  showMetrics(point, other);
  drawCauses(point);
  drawTornado(point);
  document.dispatchEvent(new CustomEvent("pointselected", { detail: { name: point.name } }));
}

function select(name) {
  const point = machine(name);
  if (!point) return;
  state.selected = name;
  showPoint(point);
  markRow(name);
  drawFronts();
  drawOverviewIfAny();
  history.replaceState(null, "", `#${encodeURIComponent(name)}`);
}

function hashed() {
  try { return machine(decodeURIComponent(location.hash.slice(1))); } catch { return undefined; }
}

function drawFronts() {
  if (wasDrawn.front) drawFront();
  if (wasDrawn.parallel) drawParallel();
}

function drawOverviewIfAny() {
  if (wasDrawn.overview) drawOverview();
}

function drawAll() {
  if (wasDrawn.parallel) drawParallel();
  if (wasDrawn.front) { drawFront(); drawLegend(); }
  drawOverviewIfAny();
  const point = machine(state.selected);
  if (point) { drawCauses(point); drawTornado(point); drawRooflines(); }
  drawCurves();
}

/* All tables are on paper, none is folded. */
let opened = [];
function printing(on) {
  if (on) opened = [...document.querySelectorAll("details:not([open])")];
  for (const one of opened) one.open = on;
}

function startSelected() {
  $("pick").append(...optionGroup(study.front ? "Front" : "Nearest", study.points.map((point) => point.name), "", String),
                   ...optionGroup("Baselines", study.baselines.map((base) => base.name), "", String));
  $("against").append(...(study.baselines.length ? [] : [make("option", { value: "" }, "no baseline")]), ...study.baselines.map((base) => make("option", { value: base.name }, base.name)));
  state.against = (study.baselines.filter((base) => base.feasible).at(-1) ?? study.baselines[0])?.name ?? null;
  $("against").value = state.against ?? "";
  $("pick").addEventListener("change", (event) => select(event.target.value));
  $("against").addEventListener("change", (event) => { state.against = event.target.value; showPoint(machine(state.selected)); if (wasDrawn.parallel) drawParallel(); });
  const step = (by) => {
    const at = machines.indexOf(machine(state.selected));
    select(machines[(at + by + machines.length) % machines.length].name);
  };
  $("previous").addEventListener("click", () => step(-1));
  $("next").addEventListener("click", () => step(1));
}

/* The contents show where the reader is. */
function followReading() {
  const links = new Map([...document.querySelectorAll(".contents a")].map((link) => [link.hash.slice(1), link]));
  const seen = new Set();
  const watch = new IntersectionObserver((entries) => {
    for (const { target, isIntersecting } of entries) { if (isIntersecting) seen.add(target.id); else seen.delete(target.id); }
    const here = [...links.keys()].filter((id) => seen.has(id)).at(-1);
    if (!here) return;
    for (const [id, link] of links) { if (id === here) link.setAttribute("aria-current", "true"); else link.removeAttribute("aria-current"); }
    const [bar, link] = [document.querySelector(".contents"), links.get(here)];
    if (bar.scrollWidth > bar.clientWidth) bar.scrollLeft = link.offsetLeft - bar.offsetLeft - 60;
  }, { rootMargin: "-20% 0px -70% 0px" });
  for (const id of links.keys()) if ($(id)) watch.observe($(id));
}

function start() {
  followReading();
  document.querySelectorAll("button.copy").forEach((button) => button.addEventListener("click", () => copy(button)));
  wireTable();
  wireFilters();
  addEventListener("beforeprint", () => printing(true));
  addEventListener("afterprint", () => printing(false));
  const charted = machines.length > 0 && machines.some((point) => Object.values(point.metrics).some(finite));
  if (!charted) { for (const link of document.querySelectorAll('.contents [href="#all-axes"], .contents [href="#selected"], .contents [href="#closer"]')) link.remove(); for (const id of ["front-controls", "all-axes", "selected", "causes-plot", "measure"]) ($(id).closest("form") ?? $(id)).remove(); return; }
  startSelected();
  startCurves();
  state.selected = (hashed() ?? machines[0]).name;
  AXES = coordinates();
  wasDrawn.parallel = study.points.length > 0 && AXES.length > 1;
  if (!wasDrawn.parallel) { $("all-axes").remove(); document.querySelector('.contents [href="#all-axes"]').remove(); }
  fillControls();
  wasDrawn.front = true;
  wasDrawn.overview = fillMeasures();
  if (!wasDrawn.overview) $("measure").closest("form").remove();
  showPoint(machine(state.selected));
  markRow(state.selected);
  drawAll();
  let timer;
  addEventListener("resize", () => { clearTimeout(timer); timer = setTimeout(drawAll, 120); });
  addEventListener("keydown", (event) => { if (event.key === "Escape") unzoom(); });
  addEventListener("hashchange", () => { const point = hashed(); if (point) select(point.name); });
}

addEventListener("error", (event) => { document.body.dataset.error = event.message; });
addEventListener("unhandledrejection", (event) => { document.body.dataset.error = String(event.reason); });
start();
document.body.dataset.ready = "yes";
