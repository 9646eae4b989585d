
/* Rooflines, and what is told of the selected machine: its part of the details, copied to where it is looked at. */

/* Operations per second that a pass can reach at an intensity: of a tier, under the highest peak. */
function roofOf(tier, peak, intensity) { return Math.min(peak, tier.sustained * intensity) / 1e12; }

function rooflineSpan(passed) {
  const intensities = passed.operators.map((one) => one.intensity).filter(finite);
  const read = new Set(passed.operators.map((one) => one.tier)); // the others' roofs are drawn as far as they reach
  const ridges = passed.tiers.filter((tier) => read.has(tier.name)).map((tier) => passed.peaks[0] / tier.sustained);
  return [Math.min(...intensities, ...ridges) / 2, Math.max(...intensities, ...ridges) * 3];
}

const ROOFS = ["", "7 4", "2 3", "7 3 2 3"];

/* Roofs of the tiers under the highest peak, and the lower peaks; each with its name. */
function roofsOf(passed, [low, high], { x, y }) {
  const roofs = passed.tiers.flatMap((tier, i) => {
    const end = Math.min(passed.peaks[0] / tier.sustained, high);
    const places = [low, end, high].filter((value, j, all) => j === 0 || value > all[j - 1]);
    const path = places.map((value, j) => `${j ? "L" : "M"}${x.at(value)} ${y.at(roofOf(tier, passed.peaks[0], value))}`).join("");
    return [svg("path", { d: path, class: "roof", "stroke-dasharray": ROOFS[i % ROOFS.length] }),
            text(x.at(low) + 6, y.at(roofOf(tier, passed.peaks[0], low)) + 15, `${tier.name} ${number(tier.sustained / 1e12)} TB/s`, { class: "roof-name" })];
  });
  const fastest = Math.max(...passed.tiers.map((tier) => tier.sustained));
  const peaks = passed.peaks.flatMap((peak, i) => [
    ...(i ? [svg("path", { d: `M${x.at(peak / fastest)} ${y.at(peak / 1e12)}H${x.at(high)}`, class: "roof", "stroke-dasharray": "2 3" })] : []),
    text(x.at(high), y.at(peak / 1e12) - 5, `peak ${number(peak / 1e12)} Top/s`, { class: "roof-name", "text-anchor": "end" })]);
  return [...roofs, ...peaks];
}

/* A dot for each operator, the largest behind. */
function dotsOf(passed, [, high], { x, y }) {
  const known = passed.operators.filter((one) => one.rate > 0).sort((a, b) => b.share - a.share);
  return known.map((one) => {
    const lines = [`${one.name}, ${percent(one.share)} of the time`,
                   finite(one.intensity) ? `${number(one.intensity)} op/B of ${one.tier}` : "reads nothing",
                   `${number(one.rate / 1e12)} Top/s, ${percent(one.rate / one.roof)} of its roof`, `bound by ${label(one.bound)}`];
    const dot = svg("circle", { cx: x.at(finite(one.intensity) ? one.intensity : high), cy: y.at(one.rate / 1e12), r: 23 * Math.sqrt(Math.max(one.share, 0.02)),
                                class: "operator", tabindex: 0, role: "img", "aria-label": lines.join(", ") });
    dot.style.fill = causeColour(one.bound);
    return telling(dot, lines);
  });
}

function rooflinePicture(passed, width, height) {
  const span = rooflineSpan(passed);
  const rates = [...passed.operators.map((one) => one.rate).filter((rate) => rate > 0), ...passed.peaks,
                 ...passed.tiers.map((tier) => 1e12 * roofOf(tier, passed.peaks[0], span[0]))].map((rate) => rate / 1e12);
  const axes = axesIn(width, height, [span, domainOf(rates, true)], [true, true]);
  const [roofs, names] = [(one) => one.tagName !== "text", (one) => one.tagName === "text"].map((kind) => roofsOf(passed, span, axes).filter(kind));
  return picture(width, height, `Roofline of a ${passed.pass}: operations per byte across, Top/s of a chip up`,
                 ...gridOf(axes, ["operations per byte", "Top/s of a chip"]), ...roofs, ...dotsOf(passed, span, axes), ...names);
}

const rooflineLine = (passed) => `Modelled. Of a ${passed.pass} of ${number(passed.seconds * 1e3)} ms: a dot for each operator, `
  + `its area its share of the time, its colour what bounds it (as in the legend of causes). A dot under its roof loses time `
  + `to starts, to other bounds or to what cannot be filled. The roofs of memory are what a stream of reads reaches.`;

function drawRooflines() {
  for (const plot of document.querySelectorAll("#details-of-point [data-plot]")) {
    const passed = closely.machines[plot.dataset.machine].roofline[Number(plot.dataset.plot)];
    plot.replaceChildren(rooflinePicture(passed, plot.clientWidth || 420, 384));
  }
}

/* Every number of a machine, from the table of assumptions. */
function sourceList(name) {
  const lines = [...document.querySelectorAll("#assumptions-table tbody tr")];
  const rows = closely.machines[name].sources.map((place) => lines[place]).filter(Boolean);
  if (!rows.length) return "";
  const heads = [...document.querySelectorAll("#assumptions-table thead th")].map((head) => head.cloneNode(true));
  const copies = rows.map((row) => { const copy = row.cloneNode(true); copy.hidden = false; return copy; });
  const body = make("tbody", {}, ...copies);
  for (const row of [...body.rows, make("tr", {}, ...heads)]) row.firstElementChild?.remove();
  const frame = make("div", { class: "scroll long", role: "region", "aria-label": `Numbers of ${name}`, tabindex: 0 });
  frame.append(make("table", {}, make("thead", {}, make("tr", {}, ...heads.slice(1))), body));
  return make("details", {}, make("summary", {}, `all ${rows.length} numbers`), frame);
}

const openParts = new Set(); // titles of the parts that are open, whichever machine is shown

/* One part of a machine as a column: what the section of all machines has, with its charts. */
function columnOf(name, part, place) {
  const copy = part.cloneNode(true);
  copy.querySelector("h3")?.remove();
  copy.querySelectorAll("[data-pass]").forEach((box) => {
    const passed = closely.machines[name].roofline[Number(box.dataset.pass)];
    const plot = make("div", { id: `roofline-plot-${place ? "against-" : ""}${box.dataset.pass}`, class: "plot", "data-plot": box.dataset.pass, "data-machine": name });
    box.querySelector("h4").after(make("figure", {}, plot, make("figcaption", {}, place ? "" : rooflineLine(passed))));
  });
  copy.querySelector("[data-sources]")?.after(sourceList(name));
  return make("div", {}, make("h4", {}, name), ...copy.childNodes);
}

/* The parts of the selected machine beside those of the one that it is held against, each folded. */
function showCloser(name) {
  const place = $("details-of-point");
  const blockOf = (one) => document.querySelector(`#details [data-details="${CSS.escape(one ?? "")}"] .body`);
  const names = [...new Set([name, state.against])].filter(blockOf);
  const missing = names.includes(name) ? "" : `${name} is not among the machines that were looked at closely.`;
  const said = missing || (names.length > 1 ? `${names[0]} beside ${names[1]}; both are chosen above.` : `${name} alone.`);
  const parts = new Map();
  for (const one of missing ? [] : names)
    for (const part of blockOf(one).children) {
      const title = part.querySelector("h3")?.textContent ?? "What could not be worked out";
      parts.set(title, [...(parts.get(title) ?? []), [one, part]]);
    }
  place.replaceChildren(make("p", { class: "aside" }, said), ...[...parts].map(([title, columns]) => {
    const fold = make("details", { class: "fold" }, make("summary", {}, title),
                      make("div", { class: columns.some(([, part]) => part.classList.contains("across")) ? "versus across" : "versus" }, ...columns.map(([one, part]) => columnOf(one, part, names.indexOf(one)))));
    fold.open = openParts.has(title);
    fold.addEventListener("toggle", () => { if (fold.open) openParts.add(title); else openParts.delete(title); drawRooflines(); });
    return fold;
  }));
  drawRooflines();
}

document.addEventListener("pointselected", ({ detail }) => { colourCurve(detail.name); showCloser(detail.name); drawCurves(); });
