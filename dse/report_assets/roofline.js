
/* Rooflines, and what is told of the selected machine: its part of the details, copied to where it is looked at. */

/* Operations per second that a pass can reach at an intensity: of a tier, under the highest peak. */
function roofOf(tier, peak, intensity) { return Math.min(peak, tier.sustained * intensity) / 1e12; }

function rooflineSpan(passed) {
  const intensities = passed.operators.map((one) => one.intensity).filter(finite);
  const read = new Set(passed.operators.map((one) => one.tier)); // the others' roofs are drawn as far as they reach
  const ridges = passed.tiers.filter((tier) => read.has(tier.name)).map((tier) => passed.peaks[0] / tier.sustained);
  return [Math.min(...intensities, ...ridges) / 2, Math.max(...intensities, ...ridges) * 3];
}

function roofTraces(passed, [low, high]) {
  const dashes = ["solid", "dash", "dot", "dashdot"];
  const slopes = passed.tiers.map((tier, i) => {
    const ridge = passed.peaks[0] / tier.sustained;
    const x = [low, Math.min(ridge, high), high].filter((value, j, all) => j === 0 || value > all[j - 1]);
    return { type: "scatter", mode: "lines", x, y: x.map((value) => roofOf(tier, passed.peaks[0], value)), hoverinfo: "skip",
             line: { color: css("--muted"), width: 1.6, dash: dashes[i % 4] } };
  });
  const flats = passed.peaks.slice(1).map((peak) => ({
    type: "scatter", mode: "lines", hoverinfo: "skip", x: [peak / Math.max(...passed.tiers.map((tier) => tier.sustained)), high],
    y: [peak / 1e12, peak / 1e12], line: { color: css("--muted"), width: 1, dash: "dot" } }));
  return [...slopes, ...flats];
}

function dotTrace(passed, [, high]) {
  const known = passed.operators.filter((one) => one.rate > 0).sort((a, b) => b.share - a.share);
  const tip = (one) => `<b>${plain(one.name)}</b>, ${percent(one.share)} of the time<br>`
    + `${finite(one.intensity) ? `${number(one.intensity)} op/B of ${plain(one.tier)}` : "reads nothing"}<br>`
    + `${number(one.rate / 1e12)} Top/s, ${percent(one.rate / one.roof)} of its roof<br>bound by ${plain(label(one.bound))}`;
  return { type: "scatter", mode: "markers", cliponaxis: false, hoverinfo: "text", hovertext: known.map(tip),
           x: known.map((one) => (finite(one.intensity) ? one.intensity : high)), y: known.map((one) => one.rate / 1e12),
           marker: { size: known.map((one) => Math.max(one.share, 0.004)), sizemode: "area", sizeref: 1 / 46 ** 2, opacity: 0.75,
                     color: known.map((one) => causeColour(one.bound)), line: { color: css("--ink"), width: 1 } } };
}

/* Names beside the roofs: of tiers on their slope, of the peak above its line. */
function roofNames(passed, [low, high]) {
  const note = (x, y, text, more) => ({ x: Math.log10(x), y: Math.log10(y), text: plain(text), showarrow: false,
    font: { size: 12, color: css("--muted") }, bgcolor: css("--ground"), borderpad: 1, opacity: 0.85, ...more });
  const slopes = passed.tiers.map((tier) => {
    const end = Math.min(passed.peaks[0] / tier.sustained, high);
    const x = 10 ** (0.92 * Math.log10(low) + 0.08 * Math.log10(end));
    return note(x, roofOf(tier, passed.peaks[0], x), `${tier.name} ${number(tier.sustained / 1e12)} TB/s`, { xanchor: "left", yanchor: "top", yshift: -2, xshift: 8, bgcolor: "rgba(0,0,0,0)" });
  });
  return [...slopes, ...passed.peaks.map((peak) =>
    note(high, peak / 1e12, `peak ${number(peak / 1e12)} Top/s`, { xanchor: "right", yanchor: "bottom", yshift: 2, bgcolor: "rgba(0,0,0,0)" }))];
}

function rooflineFigure(passed) {
  const span = rooflineSpan(passed);
  const data = [...roofTraces(passed, span), dotTrace(passed, span)];
  const all = (key) => data.flatMap((trace) => trace[key]);
  return { data, layout: layoutOf({ margin: { l: 56, r: 16, t: 18, b: 48 }, annotations: roofNames(passed, span),
    xaxis: logAxis("operations per byte", span), yaxis: logAxis("Top/s of a chip", all("y")) }) };
}

const rooflineLine = (passed) => `Modelled. Of a ${passed.pass} of ${number(passed.seconds * 1e3)} ms: a dot for each operator, `
  + `its area its share of the time, its colour what bounds it (as in the legend of causes). A dot under its roof loses time `
  + `to starts, to other bounds or to what cannot be filled. The roofs of memory are what a stream of reads reaches.`;

function drawRooflines(name) {
  (closely.machines[name]?.roofline ?? []).forEach((passed, place) => {
    if ($(`roofline-plot-${place}`)) draw(`roofline-plot-${place}`, rooflineFigure(passed));
  });
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

function showCloser(name) {
  const place = $("details-of-point");
  if (!place) return;
  const block = document.querySelector(`#details [data-details="${CSS.escape(name)}"] .body`);
  if (!block) return place.replaceChildren(make("p", { class: "aside" }, `${name} is not among the machines that were looked at closely.`));
  const copy = block.cloneNode(true);
  place.replaceChildren(copy);
  copy.querySelectorAll("[data-pass]").forEach((box) => {
    const passed = closely.machines[name].roofline[Number(box.dataset.pass)];
    const plot = make("div", { id: `roofline-plot-${box.dataset.pass}`, class: "plot square", role: "img", "aria-label": `Roofline, ${passed.pass}` });
    box.querySelector("h4").after(make("figure", {}, plot, make("figcaption", {}, rooflineLine(passed))));
  });
  copy.querySelector("[data-sources]")?.after(sourceList(name));
  drawRooflines(name);
}

document.addEventListener("pointselected", ({ detail }) => { showCloser(detail.name); drawCurves(); });
