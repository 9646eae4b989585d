/* Parallel coordinates, lying: an axis a row, a line a point; limits along an axis leave points out everywhere. */

const limits = new Map(); // name of an axis -> the shares of its length, from and to, within which points are kept

/* The axes: objectives, then the parameters that vary; {name, title, of(point), scale, kinds}. */
function coordinates() {
  const metrics = study.objectives.filter((name) => study.points.some((point) => finite(point.metrics[name]))).map((name) => {
    const values = metricsOf(study.points, name).filter(finite);
    const [low, high] = [Math.min(...values), Math.max(...values)];
    return { name: `metrics:${name}`, title: titleOf(name), hint: better(name), kinds: null, of: (point) => point.metrics[name],
             ends: low < high ? [low, high] : domainOf(values, false), log: manyfold(low, high) };
  });
  const varied = Object.keys(study.parameters).filter((name) => new Set(study.points.map((point) => point.parameters[name]).filter((value) => value !== DASH)).size > 1);
  const parameters = varied.map((name) => {
    const unit = study.parameters[name].unit;
    const held = (point) => (BASE.has(point) ? point.counterparts : point.parameters)?.[name];
    const known = study.points.map((point) => point.parameters[name]).filter((value) => value !== undefined && value !== DASH);
    const shown = { name: `parameters:${name}`, title: unit ? `${name} (${unit})` : name, hint: "" };
    if (known.some((value) => !finite(Number(value)))) return { ...shown, kinds: [...new Set(known)].sort(), of: held };
    const numbers = [...new Set(known.map(Number))].sort((a, b) => a - b);
    const [low, high] = [numbers[0], numbers[numbers.length - 1]];
    return { ...shown, kinds: null, steps: numbers, ends: low < high ? [low, high] : domainOf(numbers, false), log: manyfold(low, high),
             of: (point) => ([DASH, undefined, ""].includes(held(point)) ? null : Number(held(point))) };
  });
  return [...metrics, ...parameters];
}

let AXES = [];

/* Where along an axis a point lies, 0 to 1; null where it has no such part. */
function shareOf(axis, point) {
  const value = axis.of(point);
  if (axis.kinds) return axis.kinds.includes(value) ? (axis.kinds.length > 1 ? axis.kinds.indexOf(value) / (axis.kinds.length - 1) : 0.5) : null;
  return finite(value) && (!axis.log || value > 0) ? scaleOf(axis.ends, axis.log, 0, 1).at(value) : null;
}

function passes(point) {
  if (BASE.has(point)) return true;
  return [...limits].every(([name, [from, to]]) => {
    const share = shareOf(AXES.find((axis) => axis.name === name), point);
    return share !== null && share >= from - 1e-9 && share <= to + 1e-9;
  });
}

const valueAt = (axis, share) => (axis.kinds ? axis.kinds[Math.round(share * (axis.kinds.length - 1))] : number(scaleOf(axis.ends, axis.log, 0, 1).back(share)));

function setLimit(axis, from, to) {
  const ends = [Math.max(0, Math.min(from, to)), Math.min(1, Math.max(from, to))];
  if (ends[0] <= 0.001 && ends[1] >= 0.999) limits.delete(axis.name);
  else limits.set(axis.name, ends);
  drawParallel();
  drawFront();
  markOut();
}

function clearLimits() {
  limits.clear();
  drawParallel();
  drawFront();
  markOut();
}

/* An end of an axis that is dragged, or moved by keys: by steps where the values are few, else by a fiftieth. */
function handle(axis, end, x, y) {
  const range = limits.get(axis.name) ?? [0, 1];
  const node = svg("g", { class: `handle${limits.has(axis.name) ? " set" : ""}`, role: "slider", tabindex: 0, transform: `translate(${x} ${y})`, "data-axis": axis.name, "data-end": end,
                          "aria-label": `${axis.title}: ${end ? "to" : "from"}`, "aria-valuemin": 0, "aria-valuemax": 100,
                          "aria-valuenow": Math.round(100 * range[end]), "aria-valuetext": valueAt(axis, range[end]), "aria-orientation": "horizontal" },
                   svg("rect", { x: -12, y: -14, width: 24, height: 28, class: "hit" }), svg("path", { d: end ? "M0-9H-4M0-9V9M0 9H-4" : "M0-9H4M0-9V9M0 9H4" }));
  node.addEventListener("keydown", (event) => {
    const steps = axis.kinds ? axis.kinds.map((_, i) => i / Math.max(axis.kinds.length - 1, 1))
      : axis.steps && axis.steps.length <= 12 ? axis.steps.map((value) => scaleOf(axis.ends, axis.log, 0, 1).at(value)) : Array.from({ length: 51 }, (_, i) => i / 50);
    const here = steps.reduce((near, share, i) => (Math.abs(share - range[end]) < Math.abs(steps[near] - range[end]) ? i : near), 0);
    const to = { ArrowRight: here + 1, ArrowUp: here + 1, ArrowLeft: here - 1, ArrowDown: here - 1, Home: 0, End: steps.length - 1 }[event.key];
    if (event.key === "Escape") { event.preventDefault(); setLimit(axis, 0, 1); return; }
    if (to === undefined) return;
    event.preventDefault();
    const moved = [...range];
    moved[end] = steps[Math.max(0, Math.min(to, steps.length - 1))];
    if (moved[0] <= moved[1]) setLimit(axis, ...moved);
  });
  return node;
}

/* A drag along an axis: an end that is near is moved, else a new range begins. */
function startLimit(event, drawn, axis, scale) {
  if (event.button) return;
  const place = (one) => {
    const box = drawn.getBoundingClientRect();
    return Math.max(0, Math.min(1, scale.back((one.clientX - box.x) * drawn.viewBox.baseVal.width / box.width)));
  };
  const [start, range] = [place(event), limits.get(axis.name) ?? [0, 1]];
  const near = [0, 1].find((end) => Math.abs(scale.at(range[end]) - scale.at(start)) < 14);
  const still = near === undefined ? start : range[1 - near];
  let moved = false;
  const move = (one) => {
    moved ||= Math.abs(scale.at(place(one)) - scale.at(start)) > 4;
    if (moved) setLimit(axis, still, place(one));
  };
  const up = () => {
    removeEventListener("pointermove", move);
    removeEventListener("pointerup", up);
    removeEventListener("pointercancel", up);
    if (!moved && near === undefined) setLimit(axis, 0, 1);
  };
  for (const [kind, react] of [["pointermove", move], ["pointerup", up], ["pointercancel", up]]) addEventListener(kind, react);
  event.preventDefault();
}

function drawParallel() {
  AXES = AXES.length ? AXES : coordinates();
  const plot = $("parallel-plot");
  const had = document.activeElement?.closest?.("#parallel-plot .handle");
  const [width, small] = [plot.clientWidth, narrow()];
  const left = small ? 16 : Math.min(340, 30 + Math.max(...AXES.map((axis) => wide(axis.title, 12.5))));
  const [right, step, top] = [width - 20, small ? 66 : 54, small ? 34 : 22];
  const height = top + step * (AXES.length - 1) + 34;
  const along = scaleOf([0, 1], false, left, right);
  const y = (i) => top + i * step;
  const colour = colouring(state.colour);
  const rank = (point) => (point.name === state.selected ? 2 : passes(point) ? 1 : 0);
  const asides = asidesOf(along);
  const strong = strongOnes();
  const base = machine(state.against);
  const lines = [...[...study.points].sort((a, b) => rank(a) - rank(b)).flatMap((point) => lineOf(point, along, y, colour, asides, strong)), ...(base ? baseLine(base, along, y) : [])];
  const drawn = picture(width, height, "", svg("g", { class: "lines" }, ...lines), svg("g", { class: "rows" }, ...AXES.flatMap((axis, i) => axisRow(axis, along, y(i), left, small))));
  AXES.forEach((axis, i) => {
    const range = limits.get(axis.name) ?? [0, 1];
    const band = svg("rect", { x: along.at(range[0]), y: y(i) - 8, width: along.at(range[1]) - along.at(range[0]), height: 16, class: limits.has(axis.name) ? "band set" : "band" });
    const catcher = svg("rect", { x: left - 12, y: y(i) - 15, width: right - left + 24, height: 30, class: "catch across", "data-axis": axis.name });
    catcher.addEventListener("pointerdown", (event) => startLimit(event, drawn, axis, along));
    const ends = [0, 1].map((end) => handle(axis, end, along.at(range[end]), y(i)));
    ends.forEach((node) => node.addEventListener("pointerdown", (event) => startLimit(event, drawn, axis, along)));
    drawn.append(band, catcher, ...ends);
  });
  drawn.setAttribute("aria-label", "Parallel coordinates of the points");
  drawn.setAttribute("aria-describedby", "parallel-line");
  plot.replaceChildren(drawn);
  if (had) drawn.querySelector(`.handle[data-axis="${CSS.escape(had.dataset.axis)}"][data-end="${had.dataset.end}"]`)?.focus();
  drawParallelLegend();
  $("clear-limits").hidden = !limits.size;
  $("parallel-line").textContent = parallelLine();
}

function axisRow(axis, along, y, left, small) {
  const title = small ? text(left - 6, y - 17, axis.hint ? `${axis.title}, ${axis.hint}` : axis.title, { class: "row-title", "font-size": 12 })
    : text(left - 18, y + (axis.hint ? -1 : 4), axis.title, { class: "row-title", "text-anchor": "end", "font-size": 12.5 });
  const hint = axis.hint && !small ? [text(left - 18, y + 14, axis.hint, { class: "tick-text", "text-anchor": "end", "font-size": 11.5 })] : [];
  const scale = axis.kinds ? null : scaleOf(axis.ends, axis.log, along.at(0), along.at(1));
  const room = Math.max(3, (along.at(1) - along.at(0)) / 110);
  const inside = axis.kinds ? [] : axis.steps && axis.steps.length <= room ? axis.steps : scale.ticks(room).filter((value) => value >= axis.ends[0] && value <= axis.ends[1]);
  const ticks = axis.kinds ? axis.kinds.map((kind, i) => [along.at(axis.kinds.length > 1 ? i / (axis.kinds.length - 1) : 0.5), kind])
    : inside.map((value) => [scale.at(value), tickText(value)]);
  const anchor = (x) => (x < along.at(0.04) ? "start" : x > along.at(0.96) ? "end" : "middle");
  let last = -Infinity;
  const marks = ticks.flatMap(([x, words]) => {
    const start = x - ({ start: 0, middle: 0.5, end: 1 })[anchor(x)] * wide(words, 11.5);
    const shown = start > last + 6;
    if (shown) last = start + wide(words, 11.5);
    return [line(x, y - 4, x, y + 4, "axis"), ...(shown ? [text(x, y + 21, words, { class: "tick-text", "text-anchor": anchor(x), "font-size": 11.5 })] : [])];
  });
  return [line(along.at(0), y, along.at(1), y, "axis"), title, ...hint, ...marks];
}

/* Where points share a place of an axis of few values they stand beside each other: pixels aside, by axis and point. */
function asidesOf(along) {
  return AXES.map((axis) => {
    const groups = new Map();
    if (axis.kinds || axis.steps?.length <= 12)
      for (const point of study.points) {
        const share = shareOf(axis, point);
        if (share !== null) groups.set(share, [...(groups.get(share) ?? []), point]);
      }
    const step = (count) => Math.min(2.6, Math.min(30, (along.at(1) - along.at(0)) / 14) / count);
    return new Map([...groups.values()].flatMap((points) => points.map((point, i) => [point, (i - (points.length - 1) / 2) * step(points.length)])));
  });
}

/* The lines that stand out where there are many: the best by each objective, and those that the limits keep. */
function strongOnes() {
  if (limits.size || study.points.length <= 24) return null;
  return new Set(study.objectives.flatMap((name) => {
    const known = study.points.filter((point) => finite(point.metrics[name])).sort((a, b) => a.metrics[name] - b.metrics[name]);
    return known.length ? [(study.metrics[name].sense === "maximize" ? known[known.length - 1] : known[0]).name] : [];
  }));
}

/* The baseline that is compared: dashed, a diamond on each axis, an arrow where it lies beyond an end. */
function baseLine(base, along, y) {
  let path = "";
  let open = false;
  const marks = AXES.flatMap((axis, i) => {
    const share = shareOf(axis, base);
    if (share === null) { open = false; return []; }
    const [beyond, x] = [share < -1e-6 ? -1 : share > 1 + 1e-6 ? 1 : 0, along.at(Math.max(0, Math.min(1, share)))];
    path += `${open ? "L" : "M"}${x.toFixed(1)} ${y(i)}`;
    open = true;
    return [svg("path", { d: beyond ? `M${7 * beyond} 0L${-3 * beyond}-5V5Z` : DIAMOND, class: "base-mark", transform: `translate(${x + 6 * beyond} ${y(i)})` })];
  });
  return [svg("path", { d: path, class: "base-trace" }), ...marks];
}

function drawParallelLegend() {
  const { title, kinds, ends } = colouring(state.colour);
  const sample = (cls, style) => { const one = swatch(cls, "M-9 0H9"); one.firstChild.setAttribute("style", style); return one; };
  const items = kinds.map((kind, i) => legendItem(sample("stroke", `stroke:var(--kind-${Math.min(i, 6)});stroke-width:3`), kind));
  if (ends) items.push(make("span", { class: "ramp-box" }, number(ends[0]), make("span", { class: "ramp" }), number(ends[1]), ` ${title}`));
  items.push(legendItem(sample("stroke", "stroke:var(--ink);stroke-width:4"), `${state.selected}, selected`));
  if (machine(state.against)) items.push(legendItem(sample("stroke", "stroke:var(--ink);stroke-width:2;stroke-dasharray:5 3"), `${state.against}; an arrow: beyond the end`));
  $("parallel-legend").replaceChildren(...items);
}

/* The line of a point, broken where it has no such part. */
function lineOf(point, along, y, colour, asides, strong) {
  let path = "";
  let open = false;
  AXES.forEach((axis, i) => {
    const share = shareOf(axis, point);
    if (share !== null) path += `${open ? "L" : "M"}${(along.at(share) + (asides[i].get(point) ?? 0)).toFixed(1)} ${y(i)}`;
    open = share !== null;
  });
  const node = svg("path", { d: path, class: `trace${point.name === state.selected ? " picked" : ""}${passes(point) ? "" : " out"}${strong && !strong.has(point.name) ? " faint" : ""}`, "data-name": point.name });
  node.style.stroke = point.name === state.selected ? "var(--ink)" : colour.of(point);
  node.addEventListener("click", () => select(point.name));
  node.addEventListener("pointermove", (event) => tell(linesOf(point), event.clientX, event.clientY));
  node.addEventListener("pointerleave", hush);
  return [node];
}

function parallelLine() {
  const kept = study.points.filter(passes);
  if (!limits.size) return `All ${study.points.length} points on ${AXES.length} axes; the line of ${state.selected ?? "none"} is the thick one${study.points.length > 24 ? "; strong are the best by each objective" : ""}.${grouped()}`;
  const within = [...limits].map(([name, [from, to]]) => {
    const axis = AXES.find((one) => one.name === name);
    return `${axis.title} from ${valueAt(axis, from)} to ${valueAt(axis, to)}`;
  });
  const names = kept.length ? `: ${listed([...kept.slice(0, 16).map((point) => point.name), ...(kept.length > 16 ? [`${kept.length - 16} more`] : [])])}` : "";
  return `${kept.length} of ${study.points.length} points have ${listed(within)}${names}.`;
}

/* The parameter that is a word and parts the points best along the first objective. */
function grouped() {
  const first = study.objectives[0];
  const found = AXES.filter((axis) => axis.kinds && axis.kinds.length > 1).map((axis) => {
    const groups = axis.kinds.map((kind) => [kind, study.points.filter((point) => axis.of(point) === kind && finite(point.metrics[first])).map((point) => point.metrics[first])]).filter(([, values]) => values.length);
    const [low, high] = [...groups].sort((a, b) => Math.max(...a[1]) - Math.max(...b[1])).filter((_, i, all) => i === 0 || i === all.length - 1);
    return low && high && Math.max(...low[1]) < Math.min(...high[1]) ? [low, high] : null;
  }).find(Boolean);
  if (!found) return "";
  const { label: words, unit } = study.metrics[first];
  const [[low, less], [high, more]] = found;
  return ` All points with ${high} have more ${words} (from ${withUnit(Math.min(...more), unit)}) than any with ${low} (up to ${withUnit(Math.max(...less), unit)}).`;
}
