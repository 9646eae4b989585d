/* Bars: what points are made of by cause, and what moves them. */

const TITLES = { shares: "Time per output token", energy_shares: "Energy per token", area_shares: "Area of compute dies",
                 cost_shares: "Cost per million tokens", carbon_shares: "Carbon per million tokens", power_shares: "Power of the site" };
const measures = () => Object.keys(study.measures);
const causesOf = (section) => Object.keys(study.causes[section]);
const known = (point, section) => Object.values(point[section]).some((share) => share > 0);
const bySize = (point, section) => Object.entries(point[section]).sort((a, b) => b[1] - a[1]);

/* A bar of parts that make a whole; names and shares where they have room. */
function stacked(point, section, x, y, width, height) {
  let at = x;
  return causesOf(section).flatMap((cause) => {
    const [start, size] = [at, (point[section][cause] ?? 0) * width];
    at += size;
    if (size < 0.3) return [];
    const share = percent(point[section][cause]);
    const words = [`${label(cause)} ${share}`, share].find((one) => wide(one, 12) + 8 < size);
    return [svg("rect", { x: start, y, width: Math.max(size - 1, 0.3), height, style: `fill:${causeColour(cause)}` },
                svg("title", {}, `${point.name}: ${label(cause)} ${share}`)),
            ...(words ? [text(start + size / 2 - 0.5, y + height / 2 + 4.5, words, { class: "on-cause", "text-anchor": "middle", "font-size": 12, style: `fill:var(--on-${causeKey(cause)})` })] : [])];
  });
}

const causeKey = (name) => name.toLowerCase().replace(/[^a-z0-9-]/g, "");

/* One measure of the point and of what it is held against: two bars of their own wholes, the totals in words. */
function causeFigure(shown, section, width) {
  const metric = study.measures[section];
  const { unit } = study.metrics[metric];
  const step = 54;
  const rows = shown.flatMap((point, i) => {
    const y = 16 + i * step;
    const total = withUnit(point.metrics[metric], unit);
    const room = width - wide(total, 13) - 14;
    const name = wide(point.name, 13) > room ? `${point.name.slice(0, Math.floor(room / 7.3) - 1)}\u2026` : point.name;
    return [text(0, y, name, { class: i ? "bar-name" : "bar-name picked", "font-size": 13 }),
            text(width, y, total, { class: "bar-total", "text-anchor": "end", "font-size": 13 }),
            ...(known(point, section) ? stacked(point, section, 0, y + 7, width, 24)
              : [text(0, y + 23, "parts not recorded", { class: "tick-text", "font-size": 12 })])];
  });
  return picture(width, 8 + step * shown.length - 8, causeLine(shown, section), ...rows);
}

function causeLine(shown, section) {
  const metric = study.measures[section];
  const { label: words, unit } = study.metrics[metric];
  const [point, base] = shown;
  const most = known(point, section) ? bySize(point, section)[0] : null;
  const told = [`${point.name}: ${withUnit(point.metrics[metric], unit)}${most ? `, most of it ${label(most[0])} (${percent(most[1])})` : ""}.`];
  if (!base || !finite(base.metrics[metric]) || !finite(point.metrics[metric]) || !base.metrics[metric]) return told.join(" ");
  told.push(`${sentence(compared(point.metrics[metric] / base.metrics[metric]))} ${words} than ${base.name}.`.replace("As much", "The same").replace(/(same .*) than/, "$1 as"));
  if (known(base, section) && most) {
    const part = (one, cause) => (one[section][cause] ?? 0) * one.metrics[metric];
    const [cause, difference] = causesOf(section).map((cause) => [cause, part(point, cause) - part(base, cause)])
      .sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]))[0];
    if (difference) told.push(`The largest difference: ${label(cause)}, ${withUnit(Math.abs(difference), unit)} ${difference < 0 ? "less" : "more"}.`);
  }
  return told.join(" ");
}

/* The causes that are there, with their colours. */
function causeLegend(shown, section) {
  const there = causesOf(section).filter((cause) => shown.some((point) => point[section][cause] >= 0.003));
  return make("div", { class: "legend" }, ...there.map((cause) => make("span", {}, make("span", { class: "swatch", style: `background:${causeColour(cause)}` }), label(cause))));
}

/* A ratio in words: times where it is large, per cent where it is small. */
function compared(ratio) {
  if (Math.abs(ratio - 1) < 0.005) return "as much";
  const [more, size] = [ratio > 1, ratio > 1 ? ratio : 1 / ratio];
  return size > 2 ? `${number(size)} times ${more ? "more" : "less"}` : `${percent(more ? ratio - 1 : 1 - ratio)} ${more ? "more" : "less"}`;
}

function causeTable(shown, section) {
  const metric = study.measures[section];
  const { unit } = study.metrics[metric];
  const heads = ["cause", ...shown.flatMap((point) => [`${point.name}${unit ? ` (${unit})` : ""}`, "share"])];
  const rows = causesOf(section).map((cause) => make("tr", {}, make("th", { scope: "row" }, make("span", { class: "swatch", style: `background:${causeColour(cause)}` }), label(cause)),
    ...shown.flatMap((point) => [make("td", { class: "number" }, finite(point.metrics[metric]) && known(point, section) ? number((point[section][cause] ?? 0) * point.metrics[metric]) : DASH),
                                 make("td", { class: "number" }, known(point, section) ? percent(point[section][cause] ?? 0) : DASH)])));
  return tableOf(heads, rows);
}

function tableOf(heads, rows, words = []) {
  return make("table", { class: "small" }, make("thead", {}, make("tr", {}, ...heads.map((head, i) => make("th", { scope: "col", class: i && !words.includes(i) ? "number" : "" }, head)))), make("tbody", {}, ...rows));
}

/* Below a chart its table, opened on demand and in print. */
const folded = (table, title = "Table") => make("details", {}, make("summary", {}, title), make("div", { class: "scroll", tabindex: 0, role: "region", "aria-label": title }, table));

function drawCauses(point) {
  const base = machine(state.against);
  const shown = [point, ...(base && base !== point ? [base] : [])];
  const box = $("cause-charts");
  const width = columnWidth(box);
  box.replaceChildren(...measures().filter((section) => shown.some((one) => known(one, section))).map((section) => make("figure", {},
    make("h4", {}, TITLES[section]), causeFigure(shown, section, width), causeLegend(shown, section), make("figcaption", {}, causeLine(shown, section)), folded(causeTable(shown, section), `${TITLES[section]} as a table`))));
}

/* The width of one of the charts that stand side by side. */
function columnWidth(box) {
  return Math.floor(parseFloat(getComputedStyle(box).gridTemplateColumns)) || box.clientWidth;
}

/* What a tenth more of each number does to an objective, sorted by size. */

function slopesOf(name) {
  return Object.entries(study.sensitivity[state.selected]?.elasticities?.[name] ?? {}).sort((a, b) => Math.abs(b[1]) - Math.abs(a[1]));
}

const shortPath = (path) => path.replace(/^hw\./, "").split(".").slice(-3).join(" \u203a ").replaceAll("_", " ");
const signed = (value) => `${value < 0 ? "\u2212" : "+"}${Math.abs(value).toPrecision(2)}\u00a0%`;

function tornado(name, width) {
  const slopes = slopesOf(name);
  const sense = study.metrics[name].sense === "maximize" ? 1 : -1;
  const most = Math.max(...slopes.map(([, slope]) => Math.abs(slope))) || 1;
  const stackedNames = width < 520;
  const [left, step] = stackedNames ? [0, 42] : [Math.min(0.44 * width, 12 + Math.max(...slopes.map(([path]) => wide(shortPath(path), 12)))), 27];
  const [from, to] = [left + 56, width - 56];
  const zero = (from + to) / 2;
  const scale = (slope) => (slope / most) * (to - from) / 2;
  const top = 20;
  const height = top + step * slopes.length + 6;
  const rows = slopes.flatMap(([path, slope], i) => {
    const y = top + i * step + (stackedNames ? 16 : 4);
    const good = slope * sense > 0;
    const [x, size] = [Math.min(zero, zero + scale(slope)), Math.abs(scale(slope))];
    const words = shortPath(path);
    const room = stackedNames ? width : left - 8;
    const cut = wide(words, 12) > room ? `\u2026${words.slice(-Math.floor(room / 6.9))}` : words;
    return [text(stackedNames ? 0 : left - 8, stackedNames ? y - 4 : y + 13, cut, { class: "row-title", "text-anchor": stackedNames ? "start" : "end", "font-size": 12 }, ),
            svg("rect", { x, y, width: Math.max(size, 1), height: 18, class: good ? "good" : "bad" }, svg("title", {}, `${path}: ${signed(10 * slope)}`)),
            text(slope < 0 ? x - 5 : x + size + 5, y + 13.5, signed(10 * slope), { class: "bar-total", "text-anchor": slope < 0 ? "end" : "start", "font-size": 12 })];
  });
  return picture(width, height, tornadoLine(name), text(zero - 8, 10, "\u2190 less", { class: "tick-text", "text-anchor": "end", "font-size": 11.5 }),
                 text(zero + 8, 10, "more \u2192", { class: "tick-text", "font-size": 11.5 }), ...rows, line(zero, top - 4, zero, height, "axis"));
}

function tornadoLine(name) {
  const slopes = slopesOf(name);
  const { label: words } = study.metrics[name];
  if (!slopes.length) return `Nothing moves the ${words} of ${state.selected}.`;
  const [path, slope] = slopes[0];
  const move = (study.sensitivity[state.selected].effects[name] ?? [])[0];
  const told = `10\u00a0% more ${shortPath(path)} would give ${signed(10 * slope)} ${words} by its slope.`;
  return move ? `${told} Worked out anew, the best single step: ${moveWords(move)}.` : told;
}

const moveWords = (move) => `${move.counted ? `twice as many ${shortPath(move.path)}` : `10\u00a0% ${move.change > 0 ? "more" : "less"} ${shortPath(move.path)}`} gives ${signed(100 * move.effect)}`
  + (move.breaks.length ? ` (but breaks the limit of ${listed(move.breaks.map(label))})` : "");

function tornadoTable(name) {
  const moves = study.sensitivity[state.selected].effects[name] ?? [];
  const find = (path) => {
    const link = make("a", { href: "#assumptions" }, make("code", {}, path));
    link.addEventListener("click", () => search(path));
    return link;
  };
  const rows = [...slopesOf(name).map(([path, slope]) => make("tr", {}, make("td", {}, find(path)), make("td", {}, "10\u00a0% more, by its slope"), make("td", { class: "number" }, signed(10 * slope)))),
                ...moves.map((move) => make("tr", {}, make("td", {}, find(move.path)), make("td", {}, `${move.counted ? "twice as many" : `10\u00a0% ${move.change > 0 ? "more" : "less"}`}, worked out anew${move.breaks.length ? `; breaks ${listed(move.breaks.map(label))}` : ""}`),
                                                 make("td", { class: "number" }, signed(100 * move.effect))))];
  return tableOf(["number", "change", label(name)], rows, [1]);
}

function drawTornado(point) {
  const box = $("tornado-charts");
  const found = study.sensitivity[point.name];
  const any = Object.keys(study.sensitivity).length > 0;
  $("tornado-get").hidden = any || !study.command;
  $("tornado-command").textContent = study.command ? `${study.command} elasticities=true` : "";
  $("tornado-note").textContent = found
    ? "What 10\u00a0% more of each number does to an objective, by its slope, the mapping and all else held; the largest eight. Full bars better the objective, hatched ones worsen it."
    : any ? `Slopes were taken of ${Object.keys(study.sensitivity).length} points, not of ${point.name}: ${Object.keys(study.sensitivity).join(", ")}.`
      : "Slopes were not taken in this run; elasticities=true takes them:";
  const width = columnWidth(box);
  box.replaceChildren(...(found ? study.objectives.filter((name) => slopesOf(name).length).map((name) => make("figure", {},
    make("h4", {}, sentence(label(name))), tornado(name, width), make("figcaption", {}, tornadoLine(name)), folded(tornadoTable(name), `${sentence(label(name))} as a table`))) : []));
}

/* All points, a bar each. */

function drawOverview() {
  const section = $("measure").value;
  const bars = study.bars.map(machine).filter((point) => known(point, section));
  const plot = $("causes-plot");
  const first = study.objectives[0];
  const width = plot.clientWidth;
  const thin = bars.length > 30;
  const [step, left] = [thin ? 15 : 23, narrow() ? 96 : 130];
  const rows = bars.flatMap((point, i) => {
    const y = 4 + i * step;
    const row = svg("g", { class: `bar-row${point.name === state.selected ? " picked" : ""}${passes(point) ? "" : " out"}` },
      svg("rect", { x: 0, y: y - 1, width, height: step, class: "catch" }),
      text(0, y + step / 2 + 3, `${point.name === state.selected ? "\u25b8 " : ""}${point.name}`, { class: "bar-name", "font-size": thin ? 10.5 : 12.5 }),
      text(left - 10, y + step / 2 + 3, number(point.metrics[first]), { class: "tick-text", "text-anchor": "end", "font-size": thin ? 10.5 : 12 }),
      ...stacked(point, section, left, y, width - left, step - (thin ? 3 : 5)).filter((shape) => !thin || shape.tagName !== "text"));
    row.addEventListener("click", () => select(point.name));
    return [row];
  });
  plot.replaceChildren(picture(width, 8 + step * bars.length, overviewLine(bars, section), ...rows));
  $("causes-legend").replaceChildren(...causesOf(section).map((cause) => make("span", {}, make("span", { class: "swatch", style: `background:${causeColour(cause)}` }), `${label(cause)}: ${study.causes[section][cause]}`)));
  $("causes-line").textContent = overviewLine(bars, section);
}

function overviewLine(bars, section) {
  if (!bars.length) return "The parts were not recorded.";
  const leaders = new Map();
  for (const point of bars) leaders.set(bySize(point, section)[0][0], (leaders.get(bySize(point, section)[0][0]) ?? 0) + 1);
  const told = [...leaders].sort((a, b) => b[1] - a[1]).map(([cause, count]) => `${label(cause)} at ${count}`);
  const { label: first, unit } = study.metrics[study.objectives[0]];
  return `${TITLES[section]}, the largest part of ${bars.length} points: ${listed(told)}. Beside each name its ${first}${unit ? ` (${unit})` : ""}, by which they are sorted${study.points.length > bars.length ? "; evenly spaced points of more are drawn" : ""}.`;
}

function fillMeasures() {
  const found = measures().filter((section) => study.points.some((point) => known(point, section)));
  $("measure").append(...found.map((section) => make("option", { value: section }, TITLES[section].toLowerCase())));
  $("measure").addEventListener("change", drawOverview);
  return found.length > 0;
}
