"use strict";
/* What all charts share: the study, numbers in words, elements, places along an axis. Colours come from page.css. */

const study = JSON.parse(document.getElementById("study").textContent);
const machines = [...study.points, ...study.baselines];
const BASE = new Set(study.baselines);
const $ = (id) => document.getElementById(id);
const finite = (value) => typeof value === "number" && Number.isFinite(value);
const label = (name) => name.replaceAll("_", " ");
const narrow = () => window.innerWidth < 640;
const DASH = "\u2013";

/* Three significant digits, whole from a thousand on, as in the tables. */
function number(value) {
  if (!finite(value)) return DASH;
  const [size, sign] = [Math.abs(value), value < 0 ? "\u2212" : ""];
  if (size && (size < 1e-3 || size >= 1e7)) return sign + size.toExponential(2).replace("e+", "e");
  if (size >= 999.5) return sign + Math.round(size).toLocaleString("en-US");
  return size ? sign + size.toPrecision(3) : "0";
}

const withUnit = (value, unit) => number(value) + (unit && finite(value) ? `\u00a0${unit}` : "");
const percent = (share) => (share && Math.abs(share) < 0.095 ? `${(100 * share).toPrecision(1)}\u00a0%` : `${Math.round(100 * share)}\u00a0%`).replace("-", "\u2212");
const sentence = (text) => text && text[0].toUpperCase() + text.slice(1);
const listed = (names) => (names.length < 2 ? names.join("") : `${names.slice(0, -1).join(", ")} and ${names[names.length - 1]}`);

function fill(node, attributes, children) {
  for (const [key, value] of Object.entries(attributes ?? {}))
    if (value !== undefined && value !== null && value !== false) node.setAttribute(key, value);
  node.append(...children.flat().filter((child) => child !== null && child !== undefined));
  return node;
}

const make = (tag, attributes, ...children) => fill(document.createElement(tag), attributes, children);
const svg = (tag, attributes, ...children) => fill(document.createElementNS("http://www.w3.org/2000/svg", tag), attributes, children);

/* A picture of so many pixels that shrinks with its frame; said: what it shows, for those who do not see it. */
function picture(width, height, said, ...children) {
  return svg("svg", { viewBox: `0 0 ${width} ${height}`, width: "100%", class: "chart", role: said ? "img" : "group", "aria-label": said || undefined,
                      style: `max-width:${width}px` }, ...children);
}

const text = (x, y, words, attributes) => svg("text", { x, y, ...attributes }, words);
const line = (x1, y1, x2, y2, cls) => svg("line", { x1, y1, x2, y2, class: cls });
const wide = (words, size = 12) => 0.56 * size * words.length;

/* "time per output token (ms)", and for an objective which way is better. */
function titleOf(name) {
  const { label: words, unit } = study.metrics[name] ?? { label: name, unit: "" };
  return unit ? `${words} (${unit})` : words;
}

function better(name) {
  const sense = study.metrics[name]?.sense;
  return sense ? `${sense === "maximize" ? "more" : "less"} is better` : "";
}

/* Places of values from low to high along pixels from start to end. */
function scaleOf([low, high], log, start, end) {
  const f = log ? Math.log10 : (value) => value;
  const span = f(high) - f(low) || 1;
  const at = (value) => start + ((f(value) - f(low)) / span) * (end - start);
  const back = (place) => {
    const value = f(low) + ((place - start) / (end - start)) * span;
    return log ? 10 ** value : value;
  };
  return { at, back, low, high, log, ticks: (room) => (log ? logSteps(low, high, room) : evenTicks(low, high, room)) };
}

/* Whether an axis between these values is logarithmic. */
const manyfold = (low, high) => low > 0 && high / low > study.log_from;

/* The ends of an axis on which values have some room. */
function domainOf(values, log, room = 0.06) {
  if (!values.length) return [0, 1];
  const [low, high] = [Math.min(...values), Math.max(...values)];
  if (log) {
    const pad = (high / low) ** room || 1;
    return high > low ? [low / pad, high * pad] : [low / 1.5, high * 1.5];
  }
  const pad = room * (high - low) || 0.1 * Math.abs(high) || 1;
  return [low >= 0 ? Math.max(low - pad, -0.02 * high) : low - pad, high + pad];
}

/* Round values between the ends, no more than there is room for. */
function evenTicks(low, high, room) {
  const rough = (high - low) / Math.max(room, 2);
  const decade = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 2.5, 5, 10].find((one) => one * decade >= rough) * decade;
  const found = [];
  for (let i = Math.ceil(low / step - 1e-9); i * step <= high * (1 + 1e-12); i++) found.push(Number((i * step).toPrecision(12)));
  return found;
}

function logSteps(low, high, room) {
  const found = (steps) => {
    const all = [];
    for (let power = Math.floor(Math.log10(low)); power <= Math.log10(high); power++)
      all.push(...steps.map((step) => Number((step * 10 ** power).toPrecision(6))));
    return all.filter((value) => value >= low && value <= high);
  };
  const tried = [[1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 7, 8], [1, 1.5, 2, 3, 4, 5, 7], [1, 2, 5], [1, 3], [1]].map(found);
  const fits = tried.find((ticks) => ticks.length <= room) ?? tried[tried.length - 1];
  return fits.length > 2 ? fits : evenTicks(low, high, Math.min(room, 5));
}

const tickText = (value) => (Math.abs(value) >= 1e10 || (value && Math.abs(value) < 1e-3) ? number(value)
  : Math.abs(value) >= 1e6 ? `${(value / 1e6).toLocaleString("en-US", { maximumSignificantDigits: 4 })}\u00a0M`
  : value.toLocaleString("en-US", { maximumSignificantDigits: 4 }));

/* Two axes in a frame of so many pixels. */
function axesIn(width, height, [across, up], [logX, logY]) {
  const rough = scaleOf(up, logY, 0, 1).ticks(8).map((value) => tickText(value).length);
  const left = 36 + 7.4 * Math.max(3, ...rough);
  const [right, top, bottom] = [width - 14, 12, height - 54];
  return { x: scaleOf(across, logX, left, right), y: scaleOf(up, logY, bottom, top), left, right, top, bottom };
}

/* Their lines, ticks and titles. */
function gridOf({ x, y, left, right, top, bottom }, [across, up]) {
  const upright = x.ticks(Math.max(3, (right - left) / 75)).flatMap((value) =>
    [line(x.at(value), top, x.at(value), bottom, "grid"), text(x.at(value), bottom + 19, tickText(value), { class: "tick-text", "font-size": 12, "text-anchor": "middle" })]);
  const flat = y.ticks(Math.max(3, (bottom - top) / 45)).flatMap((value) =>
    [line(left, y.at(value), right, y.at(value), "grid"), text(left - 8, y.at(value) + 4, tickText(value), { class: "tick-text", "font-size": 12, "text-anchor": "end" })]);
  const [middle, half] = [(left + right) / 2, (top + bottom) / 2];
  return [...upright, ...flat, line(left, bottom, right, bottom, "axis"), line(left, top, left, bottom, "axis"),
          text(middle, bottom + 43, across, { class: "axis-title", "text-anchor": "middle" }),
          text(0, 0, up, { class: "axis-title", "text-anchor": "middle", transform: `translate(15 ${half}) rotate(-90)` })];
}

/* What a mark says when it is pointed at or has the focus. */
function telling(node, lines) {
  const show = () => { const box = node.getBoundingClientRect(); tell(lines, box.x + box.width / 2, box.y + box.height / 2); };
  for (const kind of ["pointerenter", "focus"]) node.addEventListener(kind, show);
  for (const kind of ["pointerleave", "blur"]) node.addEventListener(kind, hush);
  return node;
}

/* The colour of what is a cause, and of text on it. */
const causeColour = (name) => `var(--cause-${name.toLowerCase().replace(/[^a-z0-9-]/g, "")}, var(--muted))`;

/* What colours the points: a metric, or a parameter; {title, of(point), kinds}. */
function colouring(choice) {
  const [place, name] = [choice.slice(0, choice.indexOf(":")), choice.slice(choice.indexOf(":") + 1)];
  const value = (point) => point[place]?.[name];
  const unit = (place ? study[place][name] : undefined)?.unit;
  const title = (place === "metrics" ? label(name) : name) + (unit ? ` (${unit})` : "");
  const known = study.points.map(value).filter((one) => one !== undefined && one !== null && one !== DASH);
  if (!known.length) return { title: "", kinds: [], ends: null, of: () => "var(--accent)", kind: () => 0 };
  if (place === "parameters" && known.some((one) => !finite(Number(one)))) {
    const kinds = [...new Set(known)];
    const kind = (point) => Math.min(Math.max(kinds.indexOf(value(point)), 0), 6);
    return { title, kinds, ends: null, kind, of: (point) => `var(--kind-${kind(point)})` };
  }
  const numbers = known.map(Number);
  const [low, high] = [Math.min(...numbers), Math.max(...numbers)];
  const log = manyfold(low, high);
  const share = (size) => (high === low ? 0.5 : log ? Math.log(size / low) / Math.log(high / low) : (size - low) / (high - low));
  return { title, kinds: [], ends: [low, high], kind: () => 0, of: (point) => {
    const size = value(point);
    if (size === undefined || size === null || size === DASH) return "var(--muted)";
    const part = share(Number(size));
    const [from, to] = part < 0.5 ? [0, 1] : [1, 2];
    return `color-mix(in oklab, var(--scale-${to}) ${Math.round(100 * (part * 2 - from))}%, var(--scale-${from}))`;
  } };
}

/* Marks that need no colour: a path around the origin for each kind. */
const SYMBOLS = ["M5.5 0A5.5 5.5 0 1 1 -5.5 0A5.5 5.5 0 1 1 5.5 0Z", "M-5-5H5V5H-5Z", "M0-6.5L6 4.5H-6Z", "M0 6.5L6-4.5H-6Z",
                 "M-2-6H2V-2H6V2H2V6H-2V2H-6V-2H-2Z", "M-6 0L-3-5.5H3L6 0L3 5.5H-3Z", "M-5-5L0-2L5-5L2 0L5 5L0 2L-5 5L-2 0Z"];
const DIAMOND = "M0-7L7 0L0 7L-7 0Z";

/* What hovers over a mark, or stands beside the one that has the focus. */
function tell(lines, x, y) {
  const tip = $("tip");
  tip.replaceChildren(make("b", {}, lines[0]), ...lines.slice(1).map((words) => make("div", {}, words)));
  tip.hidden = false;
  const [w, h] = [tip.offsetWidth, tip.offsetHeight];
  tip.style.left = `${Math.max(4, Math.min(x + 14, document.documentElement.clientWidth - w - 8))}px`;
  tip.style.top = `${y + 18 + h > window.innerHeight ? Math.max(4, y - h - 14) : y + 18}px`;
}

const hush = () => { $("tip").hidden = true; };
