/* Figures given as {data, layout}: lines and marks on two axes, logarithmic or even, with notes beside them. */

const plain = (words) => String(words).replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
const layoutOf = (more) => more;
const DASHES = { solid: null, dot: "2 3", dash: "6 4", dashdot: "6 3 2 3", longdash: "10 4", longdashdot: "10 3 2 3" };
const STAR = "M0-1L.25-.35L.95-.31L.4.12L.59.81L0 .42L-.59.81L-.4.12L-.95-.31L-.25-.35Z";
const THEMED = ["ink", "muted", "ground", "accent", "rule", "faint", "edge", ...[0, 1, 2, 3, 4, 5, 6].map((i) => `kind-${i}`), "scale-0", "scale-1", "scale-2"];

/* A colour of the theme as the variable that it came from, so that it follows the theme and the paper. */
function themed(colour) {
  const found = THEMED.find((name) => css(`--${name}`) === colour);
  return found ? `var(--${found})` : colour;
}

const each = (given, i) => (Array.isArray(given) ? given[i] : given);

/* Text with marks of bold and breaks, as lines. */
function linesIn(marked) {
  return marked.split("<br>").map((part) => {
    const box = document.createElement("template");
    box.innerHTML = part;
    return box.content.textContent;
  });
}

/* Round numbers of a log axis, given by the logarithms of its ends, with their texts. */
function logTicks([low, high]) {
  const tickvals = logSteps(10 ** low, 10 ** high, narrow() ? 6 : 11);
  return { tickvals, ticktext: tickvals.map(tickText) };
}

function axisOf({ type, range, tickvals, ticktext, title }, start, end) {
  const log = type === "log";
  const scale = scaleOf(log ? range.map((power) => 10 ** power) : range, log, start, end);
  const ticks = tickvals ?? scale.ticks(7);
  return { ...scale, title: title?.text ?? "", values: ticks, texts: ticktext ?? ticks.map(tickText) };
}

function markerOf(trace, i, x, y) {
  const { size = 6, sizemode, sizeref = 1, color, symbol = "circle", line: rim, opacity } = trace.marker;
  const radius = (sizemode === "area" ? Math.sqrt(each(size, i) / sizeref) : each(size, i)) / 2;
  const [kind, tone] = [each(symbol, i), themed(each(color, i))];
  const shape = kind === "star" ? svg("path", { d: STAR, transform: `scale(${radius})`, "vector-effect": "non-scaling-stroke" }) : svg("circle", { r: radius });
  shape.style.fill = kind.endsWith("-open") ? "var(--ground)" : tone;
  shape.style.stroke = kind.endsWith("-open") || !rim ? tone : themed(rim.color);
  shape.style.strokeWidth = kind === "star" ? (rim?.width ?? 1) / radius : rim?.width ?? 1;
  const node = svg("g", { transform: `translate(${x.at(trace.x[i])} ${y.at(trace.y[i])})`, opacity }, shape);
  if (trace.hoverinfo === "skip") return node;
  const words = each(trace.hovertext, i);
  if (words) node.addEventListener("pointerenter", (event) => tell(linesIn(words), event.clientX, event.clientY));
  node.addEventListener("pointerleave", hush);
  const name = trace.customdata?.[i];
  if (name) { node.style.cursor = "pointer"; node.addEventListener("click", () => select(name)); }
  return node;
}

function traceOf(trace, x, y) {
  const fits = trace.x.map((value, i) => finite(x.at(value)) && finite(y.at(trace.y[i])));
  const kept = trace.x.map((_, i) => i).filter((i) => fits[i]);
  const path = svg("path", { d: kept.map((i, n) => `${n ? "L" : "M"}${x.at(trace.x[i])} ${y.at(trace.y[i])}`).join(""), fill: "none", "stroke-dasharray": DASHES[trace.line?.dash] });
  path.style.stroke = themed(trace.line?.color ?? css("--ink"));
  path.style.strokeWidth = trace.line?.width ?? 1.5;
  const name = trace.customdata?.[0];
  if (name) { path.style.cursor = "pointer"; path.addEventListener("click", () => select(name)); }
  return [...(trace.mode.includes("lines") ? [path] : []), ...(trace.mode.includes("markers") ? kept.map((i) => markerOf(trace, i, x, y)) : [])];
}

function noteOn({ x: across, y: up, text: words, xanchor, yanchor, xshift = 0, yshift = 0, font }, x, y) {
  const place = (axis, value) => axis.at(axis.log ? 10 ** value : value);
  const drop = { top: 12, middle: 4, bottom: -3 }[yanchor] ?? 4;
  const node = text(place(x, across) + xshift, place(y, up) - yshift + drop, linesIn(words).join(" "), { "text-anchor": { left: "start", right: "end" }[xanchor] ?? "middle", "font-size": font?.size ?? 12 });
  node.style.fill = themed(font?.color ?? css("--ink"));
  return node;
}

/* Draw a figure into an element of the page. */
function draw(id, { data, layout }) {
  const plot = $(id);
  const width = plot.clientWidth;
  const height = layout.height ?? (plot.clientHeight > 120 ? plot.clientHeight : narrow() ? 380 : 460);
  const { r, t, b } = layout.margin;
  const y = axisOf(layout.yaxis, height - b, t);
  const l = Math.max(layout.margin.l, 34 + Math.max(0, ...y.texts.map((words) => wide(words, 12.5))));
  const x = axisOf(layout.xaxis, l, width - r);
  const across = x.values.flatMap((value, i) => [line(x.at(value), t, x.at(value), height - b, "grid"), text(x.at(value), height - b + 18, x.texts[i], { class: "tick-text", "text-anchor": "middle", "font-size": 12 })]);
  const up = y.values.flatMap((value, i) => [line(l, y.at(value), width - r, y.at(value), "grid"), text(l - 7, y.at(value) + 4, y.texts[i], { class: "tick-text", "text-anchor": "end", "font-size": 12 })]);
  const titles = [text((l + width - r) / 2, height - 8, linesIn(x.title).join(" "), { class: "axis-title", "text-anchor": "middle" }),
                  text(0, 0, linesIn(y.title).join(" "), { class: "axis-title", "text-anchor": "middle", transform: `translate(13 ${(t + height - b) / 2}) rotate(-90)` })];
  const notes = svg("g", { class: "names" }, ...(layout.annotations ?? []).map((note) => noteOn(note, x, y)));
  plot.replaceChildren(picture(width, height, plot.getAttribute("aria-label") ?? "", ...across, ...up, line(l, height - b, width - r, height - b, "axis"),
    line(l, t, l, height - b, "axis"), ...titles, ...data.flatMap((trace) => traceOf(trace, x, y)), notes));
}
