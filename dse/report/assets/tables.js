
/* The tables: rows that are picked and sorted, assumptions that are searched, commands that are copied. */

const rows = [...document.querySelectorAll("#front-table tbody tr")];

/* The row within its own frame; the page stays where it is. */
function showRow(row) {
  row.setAttribute("aria-current", "true");
  const frame = row.closest(".scroll");
  const head = row.closest("table").tHead.offsetHeight;
  if (row.offsetTop - head < frame.scrollTop) frame.scrollTop = row.offsetTop - head;
  const below = row.offsetTop + row.offsetHeight - frame.clientHeight;
  if (below > frame.scrollTop) frame.scrollTop = below;
}

function markRow(name) {
  for (const row of rows) {
    const here = row.dataset.point === name;
    row.tabIndex = here ? 0 : -1;
    if (here) showRow(row);
    else row.removeAttribute("aria-current");
  }
  if (rows.length && !rows.some((row) => row.tabIndex === 0)) rows[0].tabIndex = 0;
  $("row-note").replaceChildren(`${name} is selected: `, make("a", { href: "#selected" }, "what it is made of"), ".");
}

function stepRow(event) {
  const shown = [...document.querySelectorAll("#front-table tbody tr")];
  const at = shown.indexOf(event.currentTarget);
  const to = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: shown.length - 1 }[event.key];
  if (event.key === "Enter" || event.key === " ") select(event.currentTarget.dataset.point);
  else if (to === undefined) return;
  else shown[Math.max(0, Math.min(to, shown.length - 1))].focus();
  event.preventDefault();
}

function sortBy(head, index) {
  const up = head.getAttribute("aria-sort") !== "ascending";
  for (const other of head.parentElement.children) other.removeAttribute("aria-sort");
  head.setAttribute("aria-sort", up ? "ascending" : "descending");
  const key = (row) => row.children[index].dataset.value ?? row.children[index].textContent;
  const body = rows[0].parentElement;
  const compare = (a, b) => key(a).localeCompare(key(b), "en", { numeric: true });
  const byNumber = (a, b) => Number(key(a)) - Number(key(b));
  const numbers = rows.some((row) => row.children[index].dataset.value !== undefined);
  const known = (row) => !numbers || finite(Number(key(row)));
  const sorted = rows.filter(known).sort((a, b) => (up ? 1 : -1) * (numbers ? byNumber : compare)(a, b));
  body.append(...sorted, ...rows.filter((row) => !known(row)));
}

function wireTable() {
  for (const row of rows) {
    row.addEventListener("click", () => select(row.dataset.point));
    row.addEventListener("keydown", stepRow);
  }
  document.querySelectorAll("#front-table thead tr:last-child th").forEach((head, index) =>
    head.querySelector("button").addEventListener("click", () => sortBy(head, index)));
}

function wireFilters() {
  const lines = [...document.querySelectorAll("#assumptions-table tbody tr")];
  if (!lines.length) return $("filters").remove();
  for (const key of ["kind", "machine"])
    $(`filter-${key}`).append(...[...new Set(lines.map((line) => line.dataset[key]))].map((name) => make("option", { value: name }, name)));
  const apply = () => {
    const [text, kind, owner] = ["text", "kind", "machine"].map((key) => $(`filter-${key}`).value);
    for (const line of lines)
      line.hidden = !((!kind || line.dataset.kind === kind) && (!owner || line.dataset.machine === owner)
                      && line.textContent.toLowerCase().includes(text.trim().toLowerCase()));
    $("filter-count").textContent = `${lines.filter((line) => !line.hidden).length} of ${lines.length} shown`;
  };
  const fold = document.querySelector("#assumptions details");
  for (const key of ["text", "kind", "machine"]) $(`filter-${key}`).addEventListener("input", () => { fold.open = true; apply(); });
  document.addEventListener("click", (event) => { if (event.target.closest('main a[href="#assumptions"]')) fold.open = true; });
  $("filters").addEventListener("submit", (event) => event.preventDefault());
  apply();
}

/* The assumptions about one number. */
function search(path) {
  if (!$("filter-text")) return;
  $("filter-text").value = path;
  $("filter-text").dispatchEvent(new Event("input"));
}

/* Rows that the limits of the axes leave out are faint. */
function markOut() {
  for (const row of rows) row.classList.toggle("out", !passes(machine(row.dataset.point)));
  drawOverviewIfAny();
}

/* To the clipboard, or at least marked, ready to be copied. */
async function copy(button) {
  const code = $(button.dataset.copy);
  try {
    await navigator.clipboard.writeText(code.textContent);
    button.textContent = "Copied";
  } catch {
    getSelection().selectAllChildren(code);
    button.textContent = "Marked";
  }
  setTimeout(() => { button.textContent = "Copy"; }, 1500);
}

