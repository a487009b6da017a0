// Tables: on a narrow screen, each row is a small list with the names of its columns, so that nothing is cut.
import { byId, element } from "./format.js";

/**
 * Writes a table anew, but leaves what has not changed: whoever has a header's button in focus keeps it.
 *
 * @param columns title, what a row shows there, whether it is a text, and how it is to be looked at
 */
export function table(id, columns, rows, { none, sort } = {}) {
  const target = byId(id);
  if (target.tHead === null) target.append(head(columns, sort), element("tbody"));
  if (sort !== undefined)
    [...target.tHead.rows[0].cells].forEach((cell, n) => {
      if (sort.column === n) cell.setAttribute("aria-sort", sort.isAscending ? "ascending" : "descending");
      else cell.removeAttribute("aria-sort");
    });
  const body = target.tBodies[0];
  if (rows.length === 0) {
    body.replaceChildren(element("tr", {}, element("td", { class: "none", colspan: columns.length }, none ?? "None.")));
    return;
  }
  while (body.rows.length > rows.length || body.rows[0]?.cells.length === 1) body.deleteRow(-1);
  rows.forEach((row, n) => {
    const line = body.rows[n] ?? body.insertRow();
    columns.forEach(({ title, show, isText, weigh, prefix }, m) => {
      const cell = line.cells[m] ?? line.insertCell();
      const text = String(show(row) ?? "–");
      const classes = [isText ? "text" : "", m === 0 ? "first" : "", weigh?.(row) ?? ""].filter(Boolean).join(" ");
      if (cell.textContent !== text) cell.textContent = text;
      if (cell.className !== classes) cell.className = classes;
      if (cell.dataset.label !== title) cell.dataset.label = title;
      if (prefix !== undefined) cell.dataset.prefix = prefix;
    });
  });
}

function head(columns, sort) {
  const cells = columns.map(({ title, isText }, n) => {
    const cell = element("th", { scope: "col", class: isText ? "text" : undefined });
    if (sort === undefined) cell.append(title);
    else {
      const button = element("button", { type: "button" }, title);
      button.addEventListener("click", () => sort.by(n));
      cell.append(button);
    }
    return cell;
  });
  return element("thead", {}, element("tr", {}, ...cells));
}
