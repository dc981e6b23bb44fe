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
  const isIndented = (row) => row.cells[0].classList.contains("indent");
  // Rows stay in their group, and under a heading or under the row that they are indented below:
  // a block is such a row with those below it.
  const blocksOf = (rows, heading) => {
    const blocks = [];
    for (const row of rows) {
      if (!heading && isIndented(row) && blocks.length) blocks.at(-1).below.push(row);
      else blocks.push({ row, below: [] });
    }
    return blocks;
  };
  const groupsOf = (table) => [...table.querySelectorAll("tbody")].map((body) => {
    const rows = [...body.rows];
    const heading = rows.find(isHeading);
    return { body, heading, blocks: blocksOf(rows.filter((row) => row !== heading), heading) };
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
    const ordered = (items, rowOf) => {
      const keys = new Map(items.map((item) => [item, keyOf(rowOf(item), column)]));
      // Sorting keeps the order of the analysis among equals.
      return way === "none" ? items : [...items].sort((one, other) => {
        const [first, second] = [keys.get(one), keys.get(other)];
        if (first === null || second === null) return (first === null) - (second === null);
        return compare(first, second) * (way === "ascending" ? 1 : -1);
      });
    };
    for (const { body, blocks } of groups.get(table)) {
      for (const { row, below } of ordered(blocks, (block) => block.row)) {
        body.append(row, ...ordered(below, (under) => under));
      }
    }
    const grouped = groups.get(table).length > 1 ? " within each group" : "";
    spoken.textContent = way === "none"
      ? "Rows in the order of the analysis."
      : `Rows sorted by ${squeezed(heading.textContent)}, ${way}${grouped}.`;
  };

  for (const table of tables) {
    const most = Math.max(...groups.get(table).map(({ blocks }) => blocks.length));
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
  const all = tables.reduce((sum, table) => sum + groups.get(table).reduce(
    (n, { blocks }) => n + blocks.reduce((m, { below }) => m + 1 + below.length, 0), 0), 0);
  const filter = () => {
    const words = squeezed(search.value.toLowerCase()).split(" ").filter(Boolean);
    const matches = (...parts) => {
      const text = parts.map((part) => (part ? part.textContent : "")).join(" ").toLowerCase();
      return words.every((word) => text.includes(word));
    };
    let shown = 0;
    let shownTables = 0;
    for (const table of tables) {
      let here = 0;
      for (const { heading, blocks } of groups.get(table)) {
        let inGroup = 0;
        for (const { row, below } of blocks) {
          // What stands above a row is what it is about, and stays with it.
          for (const under of below) under.hidden = !matches(heading, row, under);
          const left = below.filter((under) => !under.hidden).length;
          row.hidden = !left && !matches(heading, row);
          inGroup += left + (row.hidden ? 0 : 1);
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
