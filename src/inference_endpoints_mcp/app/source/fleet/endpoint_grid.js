import { el, fill, refill } from "../dom.js";

const ROW_HEIGHT = 44;
const MOST_HEIGHT = 560;
const SPARE_ROWS = 6;

/**
 * A grid of which only the rows in sight are in the document, however many there are. Arrows, Page, Home and End move
 * the active row, Enter opens it. To a screen reader it says how many rows there are, and which these are.
 *
 * @template Row
 */
export class VirtualGrid {
  /**
   * @param {string} label
   * @param {{title: string, cells: (row: Row) => Node | string, sort?: (row: Row) => string | number}[]} columns
   * @param {(row: Row) => string} keyOf
   * @param {(row: Row) => void} open
   */
  constructor(label, columns, keyOf, open) {
    this.columns = columns;
    this.keyOf = keyOf;
    this.open = open;
    /** @type {Row[]} */
    this.rows = [];
    this.activeKey = "";
    this.sorting = { column: -1, descending: false };
    this.heads = columns.map((column, index) => this.head(column, index));
    this.body = el("div", { role: "rowgroup", class: "rows" });
    this.scroller = el("div", { class: "scroller", role: "presentation" }, this.body);
    this.element = el(
      "div",
      {
        role: "grid",
        class: "grid",
        tabindex: "0",
        "aria-label": label,
        onkeydown: (/** @type {KeyboardEvent} */ event) => this.press(event),
      },
      el(
        "div",
        { role: "rowgroup" },
        el("div", { role: "row", class: "row heads", "aria-rowindex": "1" }, ...this.heads),
      ),
      this.scroller,
    );
    let painting = false;
    this.scroller.addEventListener("scroll", () => {
      if (painting) return;
      painting = true;
      requestAnimationFrame(() => {
        painting = false;
        this.paint();
      });
    });
  }

  /** @param {Row[]} rows */
  show(rows) {
    const column = this.columns[this.sorting.column];
    this.rows = column?.sort ? sorted(rows, column.sort, this.sorting.descending) : rows;
    this.unsorted = rows;
    this.element.setAttribute("aria-rowcount", String(rows.length + 1));
    this.body.style.height = `${rows.length * ROW_HEIGHT}px`;
    this.scroller.style.height = `${Math.min(rows.length * ROW_HEIGHT, MOST_HEIGHT)}px`;
    this.paint();
  }

  paint() {
    const height = this.scroller.clientHeight || 600;
    const first = Math.max(0, Math.floor(this.scroller.scrollTop / ROW_HEIGHT) - SPARE_ROWS);
    const last = Math.min(this.rows.length, Math.ceil((this.scroller.scrollTop + height) / ROW_HEIGHT) + SPARE_ROWS);
    const inSight = this.rows.slice(first, last);
    refill(this.body, [first, this.activeKey, inSight], () => inSight.map((row, at) => this.line(row, first + at)));
    const active = this.activeIndex();
    if (active >= first && active < last) this.element.setAttribute("aria-activedescendant", `row-${active}`);
    else this.element.removeAttribute("aria-activedescendant");
  }

  /** @param {Row} row @param {number} index */
  line(row, index) {
    const active = this.keyOf(row) === this.activeKey;
    const line = el(
      "div",
      {
        role: "row",
        id: `row-${index}`,
        class: active ? "row active" : "row",
        "aria-rowindex": index + 2,
        "aria-selected": String(active),
        onclick: () => {
          this.activeKey = this.keyOf(row);
          this.open(row);
        },
      },
      ...this.columns.map((column) => el("div", { role: "gridcell" }, column.cells(row))),
    );
    line.style.transform = `translateY(${index * ROW_HEIGHT}px)`;
    return line;
  }

  /** @param {{title: string, sort?: any}} column @param {number} index */
  head(column, index) {
    const head = el("div", { role: "columnheader", "aria-sort": "none" });
    if (!column.sort) fill(head, column.title);
    else fill(head, el("button", { type: "button", onclick: () => this.sortBy(index) }, column.title));
    return head;
  }

  /** @param {number} index */
  sortBy(index) {
    const descending = this.sorting.column === index && !this.sorting.descending;
    this.sorting = { column: index, descending };
    for (const [at, head] of this.heads.entries()) {
      head.setAttribute("aria-sort", at !== index ? "none" : descending ? "descending" : "ascending");
    }
    this.show(this.unsorted ?? []);
  }

  activeIndex() {
    return this.activeKey === "" ? -1 : this.rows.findIndex((row) => this.keyOf(row) === this.activeKey);
  }

  /** @param {KeyboardEvent} event */
  press(event) {
    if (event.target !== this.element) return;
    const at = this.activeIndex();
    const page = Math.max(1, Math.floor(this.scroller.clientHeight / ROW_HEIGHT) - 1);
    /** @type {Record<string, number>} */
    const targets = {
      ArrowDown: at + 1,
      ArrowUp: at - 1,
      PageDown: at + page,
      PageUp: at - page,
      Home: 0,
      End: this.rows.length - 1,
    };
    const target = targets[event.key];
    const active = this.rows[at];
    if (event.key === "Enter" && active) this.open(active);
    else if (target !== undefined && this.rows.length)
      this.activate(Math.min(Math.max(target, 0), this.rows.length - 1));
    else return;
    event.preventDefault();
  }

  /** @param {number} index */
  activate(index) {
    this.activeKey = this.keyOf(/** @type {Row} */ (this.rows[index]));
    const top = index * ROW_HEIGHT;
    const bottom = top + ROW_HEIGHT - this.scroller.clientHeight;
    this.scroller.scrollTop = Math.min(Math.max(this.scroller.scrollTop, bottom), top);
    this.paint();
  }
}

/**
 * @template Row
 * @param {Row[]} rows
 * @param {(row: Row) => string | number} by
 * @param {boolean} descending
 */
function sorted(rows, by, descending) {
  const sign = descending ? -1 : 1;
  return [...rows].sort((one, other) => {
    const [left, right] = [by(one), by(other)];
    return sign * (typeof left === "number" ? left - Number(right) : left.localeCompare(String(right)));
  });
}
