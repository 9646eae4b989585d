"use strict";
(() => {
  const table = document.getElementById("machines"), body = table.tBodies[0], rows = [...body.rows];
  const heads = [...table.tHead.rows[0].cells];
  const find = document.getElementById("find"), kind = document.getElementById("kind");
  const order = document.getElementById("sort"), shown = document.getElementById("shown");

  function value(row, column) {
    const given = row.cells[column].dataset.value;
    if (given === undefined) return null;
    return heads[column].classList.contains("number") ? Number(given) : given;
  }

  function compare(column, falling) {
    return (one, other) => {
      const a = value(one, column), b = value(other, column);
      if (a === null || b === null) return (a === null) - (b === null); // what has no figure stays last
      const found = typeof a === "number" ? a - b : a.localeCompare(b);
      return falling ? -found : found;
    };
  }

  function sort(column, falling) {
    heads.forEach((head) => head.removeAttribute("aria-sort"));
    heads[column].setAttribute("aria-sort", falling ? "descending" : "ascending");
    rows.sort(compare(column, falling)).forEach((row) => body.append(row));
    order.value = String(column);
  }

  function filter() {
    const wanted = find.value.toLowerCase().split(/\s+/).filter(Boolean);
    let count = 0;
    for (const row of rows) {
      row.hidden = !wanted.every((word) => row.dataset.words.includes(word))
        || (kind.value !== "" && row.dataset.kind !== kind.value);
      count += row.hidden ? 0 : 1;
    }
    shown.textContent = `${count} of ${rows.length} shown`;
  }

  heads.forEach((head, column) => {
    const button = document.createElement("button");
    button.type = "button";
    button.textContent = head.textContent;
    head.replaceChildren(button);
    const numeric = head.classList.contains("number");
    button.addEventListener("click", () => {
      const now = head.getAttribute("aria-sort");
      sort(column, now === null ? numeric : now === "ascending");
    });
    order.add(new Option(button.textContent, String(column)));
  });
  order.addEventListener("change", () => sort(Number(order.value), heads[order.value].classList.contains("number")));
  find.addEventListener("input", filter);
  kind.addEventListener("change", filter);
  find.form.addEventListener("submit", (event) => event.preventDefault());
  heads[0].setAttribute("aria-sort", "ascending");
  filter();
})();
