/* The front on two axes: marks that are pressed or walked along by keys, the rest faint behind them. */

const metricsOf = (points, name) => points.map((point) => point.metrics[name]);
const othersOf = (kind, name) => study.others[kind]?.[name] ?? [];
const onAxes = (point) => finite(point.metrics[state.x]) && finite(point.metrics[state.y]);

/* The values that must be in the frame; of the many behind the front their bulk, of the feasible if there are any. */
function framed(name) {
  const ends = state.spread === "ellipses" || state.spread === "crosses" ? study.points.flatMap((point) => point.bounds[name] ?? []) : [];
  if (state.frame === "front") return [...metricsOf(study.points, name), ...ends].filter(finite);
  const known = [...metricsOf(machines, name), ...ends].filter(finite);
  if (state.frame === "named") return known;
  const kind = othersOf("feasible", name).length ? "feasible" : "infeasible";
  const rest = othersOf(kind, name).filter(finite).sort((a, b) => a - b);
  return [...known, ...rest.slice(Math.floor(rest.length * 0.02), Math.ceil(rest.length * 0.98))];
}

const mayLog = (name) => framed(name).every((value) => value > 0);

function wantsLog(name) {
  const values = framed(name);
  return values.length > 0 && manyfold(Math.min(...values), Math.max(...values));
}

/* The axes of the chart in a frame of so many pixels. */
function frontAxes(width, height) {
  const domains = ["x", "y"].map((key) => state.zoom?.[key] ?? domainOf(framed(state[key]), state[`log${key.toUpperCase()}`]));
  return axesIn(width, height, domains, [state.logX, state.logY]);
}

function grid(axes) {
  const titled = (name, room) => {
    const [title, why] = [titleOf(name), better(name)];
    return why && wide(`${title}, ${why}`, 13) < room ? `${title}, ${why}` : title;
  };
  return gridOf(axes, [titled(state.x, axes.right - axes.left), titled(state.y, axes.bottom - axes.top)]);
}

/* The points behind the front, each kind one path: dots fit, crosses do not. */
function cloud(kind, { x, y, left, right, top, bottom }) {
  const [across, up] = [othersOf(kind, state.x), othersOf(kind, state.y)];
  if (!state[kind] || !across.length || !up.length) return [];
  const draw = kind === "feasible" ? (a, b) => `M${a} ${b}h0` : (a, b) => `M${a - 2} ${b - 2}l4 4m0-4l-4 4`;
  const path = across.map((value, i) => {
    if (!finite(value) || !finite(up[i]) || (state.logX && value <= 0) || (state.logY && up[i] <= 0)) return "";
    const [a, b] = [Math.round(x.at(value) * 10) / 10, Math.round(y.at(up[i]) * 10) / 10];
    return a >= left && a <= right && b >= top && b <= bottom ? draw(a, b) : "";
  }).join("");
  return [svg("path", { d: path, class: `cloud ${kind}` })];
}

/* The points that no other point beats on both shown axes. */
function best() {
  const senses = [state.x, state.y].map((name) => ({ maximize: -1, minimize: 1 })[study.metrics[name].sense]);
  if (!study.front || senses.includes(undefined)) return [];
  const worth = (point) => [senses[0] * point.metrics[state.x], senses[1] * point.metrics[state.y]];
  const beats = (p, q) => p[0] <= q[0] && p[1] <= q[1] && (p[0] < q[0] || p[1] < q[1]);
  const known = study.points.filter(onAxes);
  return known.filter((a) => !known.some((b) => beats(worth(b), worth(a)))).sort((a, b) => a.metrics[state.x] - b.metrics[state.x]);
}

/* The best points joined by steps. */
function edge({ x, y }) {
  const found = best();
  if (found.length < 2) return [];
  const flat = study.metrics[state.x].sense === "minimize";
  const path = found.map((point, i) => {
    const [a, b] = [x.at(point.metrics[state.x]), y.at(point.metrics[state.y])];
    return i ? (flat ? `H${a}V${b}` : `V${b}H${a}`) : `M${a} ${b}`;
  }).join("");
  return [svg("path", { d: path, class: "edge-line" })];
}

/* Nine in ten draws on each axis by itself: four quarters of ellipses, or a cross. */
function spreadOf(point, { x, y }) {
  const [across, up] = [point.bounds[state.x], point.bounds[state.y]];
  if (!across || !up || !onAxes(point)) return [];
  const [cx, cy] = [x.at(point.metrics[state.x]), y.at(point.metrics[state.y])];
  const [west, east, south, north] = [cx - x.at(across[0]), x.at(across[1]) - cx, y.at(up[0]) - cy, cy - y.at(up[1])].map((size) => Math.max(size, 0) || 0);
  const cls = `spread${point.name === state.selected ? " picked" : ""}${passes(point) ? "" : " out"}`;
  if (state.spread === "crosses") {
    const ends = `M${cx - west} ${cy}H${cx + east}M${cx} ${cy + south}V${cy - north}`;
    const caps = `M${cx - west} ${cy - 3}v6M${cx + east} ${cy - 3}v6M${cx - 3} ${cy + south}h6M${cx - 3} ${cy - north}h6`;
    return [svg("path", { d: ends + caps, class: `${cls} cross` })];
  }
  const path = `M${cx + east} ${cy}A${east} ${north} 0 0 0 ${cx} ${cy - north}A${west} ${north} 0 0 0 ${cx - west} ${cy}`
    + `A${west} ${south} 0 0 0 ${cx} ${cy + south}A${east} ${south} 0 0 0 ${cx + east} ${cy}Z`;
  return [svg("path", { d: path, class: cls })];
}

function spreads(axes) {
  const shown = state.spread === "none" ? [] : state.spread === "selected" ? [machine(state.selected)] : study.points;
  return shown.filter(Boolean).flatMap((point) => spreadOf(point, axes));
}

/* What is known of a point on these axes, in lines. */
function linesOf(point) {
  const names = [...new Set([...study.objectives, state.x, state.y])];
  const rows = names.map((name) => {
    const { label: words, unit } = study.metrics[name];
    const ends = point.bounds[name];
    const spread = ends ? ` (nine in ten ${number(ends[0])} to ${number(ends[1])})` : "";
    return `${words}: ${withUnit(point.metrics[name], unit)}${spread}`;
  });
  const chance = point.chance.front ? [`on the front in ${percent(Number(point.chance.front))} of draws`] : [];
  const fits = point.feasible ? [] : [`does not fit${point.misses ? `: ${point.misses}` : ""}`];
  return [point.name, ...rows, ...chance, ...fits];
}

function markOf(point, { x, y }, colour) {
  const base = BASE.has(point);
  const cls = ["mark", base ? "base" : "point", point.feasible ? "" : "misses", passes(point) ? "" : "out"].join(" ").trim();
  const shape = svg("path", { d: base ? DIAMOND : SYMBOLS[colour.kind(point)], class: "symbol" });
  if (!base && point.feasible) shape.style.fill = colour.of(point);
  const cross = point.feasible ? [] : [svg("path", { d: "M-3-3L3 3M3-3L-3 3", class: "no" })];
  const ring = point.name === state.selected ? [svg("circle", { r: 11, class: "ring" })] : [];
  const node = svg("g", { class: cls, transform: `translate(${x.at(point.metrics[state.x])} ${y.at(point.metrics[state.y])})`, role: "button",
                          tabindex: -1, "data-name": point.name, "aria-pressed": String(point.name === state.selected),
                          "aria-label": `${base ? "baseline " : ""}${linesOf(point).join(", ")}` },
                   svg("circle", { r: 12, class: "hit" }), ...ring, shape, ...cross);
  node.addEventListener("click", () => select(point.name));
  telling(node, linesOf(point));
  node.addEventListener("keydown", (event) => stepMark(event, point));
  return node;
}

/* The mark that comes next across or up. */
function stepMark(event, point) {
  if (event.key === "Enter" || event.key === " ") { event.preventDefault(); select(point.name); return; }
  const up = event.key === "ArrowUp" || event.key === "ArrowDown";
  const panel = event.currentTarget.closest("svg");
  const order = shownIn.get(panel).toSorted((a, b) => a.metrics[up ? state.y : state.x] - b.metrics[up ? state.y : state.x]);
  const here = order.indexOf(point);
  const to = { ArrowRight: here + 1, ArrowUp: here + 1, ArrowLeft: here - 1, ArrowDown: here - 1, Home: 0, End: order.length - 1 }[event.key];
  if (to === undefined) return;
  event.preventDefault();
  focusMark(order[Math.max(0, Math.min(to, order.length - 1))].name, panel);
}

function focusMark(name, panel) {
  const marks = [...panel.querySelectorAll(".mark")];
  for (const one of marks) one.setAttribute("tabindex", one.dataset.name === name ? 0 : -1);
  marks.find((one) => one.dataset.name === name)?.focus();
}

/* Names of the selected point, of baselines and of the rest, in this order, as far as they have room. */
function names(shown, axes) {
  const place = (point) => [axes.x.at(point.metrics[state.x]), axes.y.at(point.metrics[state.y])];
  const rank = (point) => (point.name === state.selected ? 0 : BASE.has(point) ? 1 : 2);
  const wanted = [...shown].sort((a, b) => rank(a) - rank(b)).map((point) => ({
    at: [place(point)], words: point.name, bold: rank(point) === 0, far: rank(point) < 2, first: rank(point) === 0,
    cls: `name${BASE.has(point) ? " base" : ""}${rank(point) === 0 ? " picked" : ""}` }));
  const blocks = shown.map(place).map(([a, b]) => [a - 7, b - 7, a + 7, b + 7]);
  return placed(wanted, axes, blocks, narrow() ? 11 : 12);
}

const shownIn = new WeakMap(); // panel -> the points and baselines that it shows

/* One panel: the chart in one frame. */
function panel(width, height, id) {
  const axes = frontAxes(width, height);
  const colour = colouring(state.colour);
  const inside = (point) => {
    const [a, b] = [axes.x.at(point.metrics[state.x]), axes.y.at(point.metrics[state.y])];
    return a >= axes.left - 1 && a <= axes.right + 1 && b >= axes.top - 1 && b <= axes.bottom + 1;
  };
  const shown = machines.filter((point) => onAxes(point) && (!state.logX || point.metrics[state.x] > 0) && (!state.logY || point.metrics[state.y] > 0) && inside(point));
  const order = [...shown].sort((a, b) => (a.name === state.selected) - (b.name === state.selected));
  const inner = { x: axes.left, y: axes.top, width: axes.right - axes.left, height: axes.bottom - axes.top };
  const catcher = svg("rect", { ...inner, class: "catch" });
  const drawn = picture(width, height, "", svg("defs", {}, svg("clipPath", { id }, svg("rect", inner))), ...grid(axes), catcher,
    svg("g", { "clip-path": `url(#${id})` }, ...cloud("infeasible", axes), ...cloud("feasible", axes), ...edge(axes), ...spreads(axes)),
    ...order.map((point) => markOf(point, axes, colour)), svg("g", { class: "names", "aria-hidden": "true" }, ...names(shown, axes)));
  drawn.setAttribute("aria-label", `The front: ${titleOf(state.x)} across, ${titleOf(state.y)} up`);
  drawn.setAttribute("aria-describedby", "front-line");
  catcher.addEventListener("pointerdown", (event) => startZoom(event, drawn, axes));
  drawn.addEventListener("dblclick", unzoom);
  const first = shown.find((point) => point.name === state.selected) ?? shown[0];
  if (first) drawn.querySelector(`.mark[data-name="${CSS.escape(first.name)}"]`).setAttribute("tabindex", 0);
  shownIn.set(drawn, shown);
  return drawn;
}

/* Whether the front takes so little of its frame that it is shown by itself too. */
function small() {
  if (state.frame === "front" || state.zoom || study.points.filter(onAxes).length < 3) return false;
  const share = (name, log) => {
    const f = log ? Math.log : (value) => value;
    const size = (values) => f(Math.max(...values)) - f(Math.min(...values));
    return size(metricsOf(study.points.filter(onAxes), name)) / (size(framed(name)) || 1);
  };
  return share(state.x, state.logX) * share(state.y, state.logY) < 0.2;
}

function within(frame, draw) {
  const kept = state.frame;
  state.frame = frame;
  const drawn = draw();
  state.frame = kept;
  return drawn;
}

function drawFront() {
  const plot = $("front-plot");
  const had = document.activeElement?.closest?.("#front-plot .mark");
  const place = had ? [...plot.querySelectorAll("svg")].indexOf(had.closest("svg")) : 0;
  const [two, whole, height] = [small(), plot.clientWidth, narrow() ? 400 : 500];
  const side = two && whole >= 900;
  const panels = [panel(side ? Math.floor(0.55 * whole) : whole, height, "front-clip")];
  if (two) panels.push(within("front", () => panel(side ? Math.floor(0.45 * whole) - 12 : whole, height, "near-clip")));
  plot.classList.toggle("two", side);
  plot.replaceChildren(...panels.map((drawn, i) => (two ? make("div", {}, make("p", { class: "panel-title" }, i ? `The ${study.front ? "front" : "nearest"} alone` : sentence($("frame").selectedOptions[0]?.text ?? "")), drawn) : drawn)));
  if (had) focusMark(had.dataset.name, panels[place] ?? panels[0]);
  $("front-line").textContent = frontLine(shownIn.get(panels[0]));
}

/* A dragged rectangle becomes the frame. */
function startZoom(event, drawn, axes) {
  if (event.pointerType === "touch" || event.button) return;
  const place = (one) => {
    const box = drawn.getBoundingClientRect();
    const k = drawn.viewBox.baseVal.width / box.width;
    return [Math.max(axes.left, Math.min((one.clientX - box.x) * k, axes.right)), Math.max(axes.top, Math.min((one.clientY - box.y) * k, axes.bottom))];
  };
  const [start, box] = [place(event), svg("rect", { class: "zoom-box" })];
  drawn.append(box);
  const move = (one) => {
    const end = place(one);
    fill(box, { x: Math.min(start[0], end[0]), y: Math.min(start[1], end[1]), width: Math.abs(end[0] - start[0]), height: Math.abs(end[1] - start[1]) }, []);
  };
  const up = (one) => {
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", up);
    box.remove();
    const end = place(one);
    if (Math.abs(end[0] - start[0]) < 8 || Math.abs(end[1] - start[1]) < 8) return;
    const ends = (scale, a, b) => [scale.back(a), scale.back(b)].sort((p, q) => p - q);
    state.zoom = { x: ends(axes.x, start[0], end[0]), y: ends(axes.y, start[1], end[1]) };
    drawFront();
  };
  addEventListener("pointermove", move);
  addEventListener("pointerup", up);
  event.preventDefault();
}

function unzoom() {
  if (!state.zoom) return;
  state.zoom = null;
  drawFront();
}

/* What the chart says, in sentences. */
function frontLine(shown) {
  const what = study.front ? "on the front" : "nearest to feasible";
  const parts = [`Modelled: ${study.points.length} ${study.points.length === 1 ? "point" : "points"} ${what}, ${study.baselines.length} baselines.`,
                 ...(state.x === state.y ? [state.x] : [state.x, state.y]).map(endsOf), trade(), beaten(), spreadWords()];
  const drawn = ["feasible", "infeasible"].some((kind) => othersOf(kind, state.x).length && othersOf(kind, state.y).length);
  const rest = ["feasible", "infeasible"].some((kind) => Object.keys(study.others[kind] ?? {}).length);
  if (rest && !drawn) parts.push("The other points are known by the objectives alone and are not drawn on these axes.");
  const unseen = machines.filter(onAxes).length - shown.length;
  if (unseen) parts.push(`${unseen} marks lie outside the frame.`);
  return parts.filter(Boolean).join(" ");
}

function endsOf(name) {
  const { label: words, unit, sense } = study.metrics[name];
  const ranked = study.points.filter((point) => finite(point.metrics[name])).sort((a, b) => a.metrics[name] - b.metrics[name]);
  if (!ranked.length) return "";
  const [low, high] = [ranked[0], ranked[ranked.length - 1]];
  const at = (point) => `${withUnit(point.metrics[name], unit)} (${point.name})`;
  if (sense) return `${sense === "maximize" ? "Most" : "Least"} ${words}: ${at(sense === "maximize" ? high : low)}.`;
  return low.metrics[name] === high.metrics[name] ? `${sentence(words)}: ${withUnit(low.metrics[name], unit)} at every point.`
    : `${sentence(words)}: from ${at(low)} to ${at(high)}.`;
}

/* What the better end of one axis costs on the other. */
function trade() {
  const found = best();
  if (found.length < 2) return "";
  const [from, to] = [found[0], found[found.length - 1]];
  const ratio = (name) => to.metrics[name] / from.metrics[name];
  const words = (name) => `${number(ratio(name))} times the ${label(name)}`;
  return ratio(state.x) > 0 && ratio(state.y) > 0 ? `From ${from.name} to ${to.name}: ${words(state.x)}, ${words(state.y)}.` : "";
}

function beaten() {
  const senses = [state.x, state.y].map((name) => ({ maximize: -1, minimize: 1 })[study.metrics[name].sense]);
  const known = study.baselines.filter(onAxes);
  if (!study.front || senses.includes(undefined) || !known.length || state.x === state.y) return "";
  const lost = known.filter((base) => study.points.some((point) => onAxes(point)
    && senses.every((sense, i) => sense * point.metrics[[state.x, state.y][i]] < sense * base.metrics[[state.x, state.y][i]])));
  return `${lost.length === known.length ? (known.length > 2 ? `All ${known.length} baselines are` : known.length > 1 ? "Both baselines are" : "The baseline is") : `${lost.length} of ${known.length} baselines ${lost.length === 1 ? "is" : "are"}`} beaten on both axes by a point of the front.`;
}

function spreadWords() {
  const point = machine(state.selected);
  if (!point || state.spread === "none") return "";
  const told = [...new Set([state.x, state.y])].filter((name) => point.bounds[name]).map((name) =>
    `${number(point.bounds[name][0])} to ${withUnit(point.bounds[name][1], study.metrics[name].unit)}`);
  return told.length ? `Of ${point.name}, nine in ten draws of the uncertain numbers lie within ${told.join(" and ")}, each axis by itself.` : "";
}

/* The legend: every kind of mark that is drawn, and what can be switched off. */
function swatch(cls, path, style) {
  const shape = svg("path", { d: path });
  if (style) shape.setAttribute("style", style);
  return svg("svg", { viewBox: "-9 -9 18 18", class: `key ${cls}`, "aria-hidden": "true" }, shape);
}

function legendItem(mark, words, toggle) {
  if (!toggle) return make("span", {}, mark, words);
  const box = make("input", { type: "checkbox" });
  box.checked = state[toggle];
  box.addEventListener("change", () => { state[toggle] = box.checked; drawFront(); });
  return make("label", {}, box, mark, words);
}

function drawLegend() {
  const { title, kinds, ends } = colouring(state.colour);
  const what = study.front ? "front" : "nearest";
  const items = kinds.length ? kinds.map((kind, i) => legendItem(swatch("point", SYMBOLS[Math.min(i, 6)], `fill:var(--kind-${Math.min(i, 6)})`), `${what}: ${kind}`))
    : [legendItem(swatch(study.front ? "point" : "point misses", SYMBOLS[0], study.front ? `fill:var(--${ends ? "scale-1" : "accent"})` : ""), what)];
  if (ends) items.push(make("span", { class: "ramp-box" }, number(ends[0]), make("span", { class: "ramp" }), number(ends[1]), ` ${title}`));
  if (best().length > 1) items.push(legendItem(swatch("edge-line", "M-9 0H9"), "best on these two axes"));
  if (study.baselines.some((one) => one.feasible)) items.push(legendItem(swatch("base", DIAMOND), "baseline"));
  if (study.baselines.some((one) => !one.feasible)) items.push(legendItem(swatch("base misses", `${DIAMOND}M-3-3L3 3M3-3L-3 3`), "baseline that does not fit"));
  if (study.points.some((point) => point.bounds[state.x] && point.bounds[state.y]))
    items.push(legendItem(state.spread === "crosses" ? swatch("spread cross", "M-8 0H8M0-8V8M-8-3v6M8-3v6M-3-8h6M-3 8h6") : swatch("spread", "M8 0A8 5 0 1 1-8 0A8 5 0 1 1 8 0Z"), "nine in ten draws"));
  for (const [kind, words, path] of [["feasible", "other feasible", "M0 0h0"], ["infeasible", "infeasible", "M-2-2l4 4m0-4l-4 4"]])
    if (othersOf(kind, state.x).length && othersOf(kind, state.y).length) items.push(legendItem(swatch(`cloud ${kind}`, path), words, kind));
  $("front-legend").replaceChildren(...items);
}

/* The chart as a file of its own: what the style sheet gives is written into it. */
function saveSvg(drawn) {
  const copy = drawn.cloneNode(true);
  const [from, to] = [[drawn, ...drawn.querySelectorAll("*")], [copy, ...copy.querySelectorAll("*")]];
  const kept = ["fill", "stroke", "stroke-width", "stroke-dasharray", "stroke-linecap", "opacity", "fill-opacity", "font-family", "font-size", "font-weight", "text-anchor", "paint-order"];
  from.forEach((node, i) => to[i].setAttribute("style", kept.map((key) => `${key}:${getComputedStyle(node)[key]}`).join(";")));
  copy.setAttribute("xmlns", "http://www.w3.org/2000/svg");
  copy.setAttribute("width", drawn.viewBox.baseVal.width);
  const address = URL.createObjectURL(new Blob([copy.outerHTML], { type: "image/svg+xml" }));
  make("a", { href: address, download: "front.svg" }).click();
  setTimeout(() => URL.revokeObjectURL(address), 1000);
}
