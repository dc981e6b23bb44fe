"use strict";
// Makes the tables of the page sortable and searchable. Without it the page is complete: every row
// stands there in the order of the analysis.
(() => {
  const tables = [...document.querySelectorAll("#all-tables .table")];
  const tools = document.getElementById("table-tools");
  if (!tools || !tables.length) return;

  // The order of rows and columns of the matrix is what it says.
  const keepsOrder = new Set(["table-transition_matrix"]);
  const squeezed = (text) => text.replace(/\s+/g, " ").trim();
  const isHeading = (row) => row.querySelector("th.group") !== null;
  const groupsOf = (table) => [...table.querySelectorAll("tbody")].map((body) => {
    const rows = [...body.rows];
    return {
      body,
      heading: rows.find(isHeading),
      rows: rows.filter((row) => !isHeading(row)),
    };
  });
  const groups = new Map(tables.map((table) => [table, groupsOf(table)]));
  const spoken = tools.querySelector(".spoken");

  // What a cell is sorted by: a percentage, else the first number, else its text; "<.001" comes
  // before ".001", and what is empty or has no estimate comes last.
  const keyOf = (row, column) => {
    const cell = row.cells[column];
    if (!cell) return null;
    const copy = cell.cloneNode(true);
    copy.querySelectorAll("sup").forEach((mark) => mark.remove());
    const text = squeezed(copy.textContent).replace(/[\u2212]/g, "-");
    if (text === "" || text === "\u2014" || /^(not estimable|masked)\b/.test(text)) return null;
    if (column === 0 || cell.classList.contains("left")) return text.toLowerCase();
    const share = text.match(/\((-?[\d.]+)%\)/);
    const found = text.match(/([<>])?\s*(-?\d*\.?\d+)/);
    if (share) return Number(share[1]);
    if (!found) return text.toLowerCase();
    const nudge = { "<": -1e-9, ">": 1e-9 }[found[1]] || 0;
    return Number(found[2]) + nudge;
  };
  const compare = (one, other) => {
    if (typeof one === "number" && typeof other === "number") return one - other;
    return String(one).localeCompare(String(other), "en", { numeric: true });
  };

  const sort = (table, heading, column) => {
    const next = { none: "ascending", ascending: "descending", descending: "none" };
    const way = next[heading.getAttribute("aria-sort") || "none"];
    table.querySelectorAll("thead th").forEach((other) => other.removeAttribute("aria-sort"));
    if (way !== "none") heading.setAttribute("aria-sort", way);
    for (const { body, rows } of groups.get(table)) {
      const order = rows.map((row, place) => ({ row, place, key: keyOf(row, column) }));
      order.sort((one, other) => {
        if (way === "none") return one.place - other.place;
        if (one.key === null || other.key === null) {
          return (one.key === null) - (other.key === null) || one.place - other.place;
        }
        const apart = compare(one.key, other.key) * (way === "ascending" ? 1 : -1);
        return apart || one.place - other.place;
      });
      order.forEach(({ row }) => body.append(row));
    }
    const grouped = groups.get(table).length > 1 ? " within each group" : "";
    spoken.textContent = way === "none"
      ? "Rows in the order of the analysis."
      : `Rows sorted by ${squeezed(heading.textContent)}, ${way}${grouped}.`;
  };

  for (const table of tables) {
    const most = Math.max(...groups.get(table).map(({ rows }) => rows.length));
    if (keepsOrder.has(table.id) || most < 2) continue;
    [...table.querySelectorAll("thead th")].forEach((heading, column) => {
      if (!squeezed(heading.textContent)) return;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "sort";
      button.append(...heading.childNodes);
      button.addEventListener("click", () => sort(table, heading, column));
      heading.append(button);
    });
  }

  const search = tools.querySelector("input");
  const left = tools.querySelector("output");
  const all = tables.reduce(
    (sum, table) => sum + groups.get(table).reduce((n, { rows }) => n + rows.length, 0), 0);
  const filter = () => {
    const words = squeezed(search.value.toLowerCase()).split(" ").filter(Boolean);
    let shown = 0;
    let shownTables = 0;
    for (const table of tables) {
      let here = 0;
      for (const { heading, rows } of groups.get(table)) {
        const above = heading ? heading.textContent.toLowerCase() : "";
        let inGroup = 0;
        for (const row of rows) {
          const text = `${above} ${row.textContent.toLowerCase()}`;
          row.hidden = !words.every((word) => text.includes(word));
          inGroup += row.hidden ? 0 : 1;
        }
        if (heading) heading.hidden = words.length > 0 && inGroup === 0;
        here += inGroup;
      }
      table.hidden = words.length > 0 && here === 0;
      shown += here;
      shownTables += here ? 1 : 0;
    }
    left.textContent = words.length
      ? `${shown} of ${all} rows, in ${shownTables} of ${tables.length} tables`
      : `${all} rows in ${tables.length} tables`;
  };
  search.addEventListener("input", filter);
  search.addEventListener("keydown", (event) => {
    if (event.key !== "Escape" || !search.value) return;
    search.value = "";
    filter();
    event.preventDefault();
  });
  tools.hidden = false;
  filter();
})();
