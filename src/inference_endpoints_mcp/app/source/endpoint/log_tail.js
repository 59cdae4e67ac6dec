import { unfenced } from "../answers.js";
import { el } from "../dom.js";

const LEVELS = { any: "All lines", warning: "Warnings and errors", error: "Errors" };

/** The newest lines of the log. A container wrote them: they are text, whatever they contain. */
export class LogTail {
  /** @param {() => void} reload */
  constructor(reload) {
    const options = Object.entries(LEVELS).map(([value, label]) => el("option", { value }, label));
    this.select = el("select", { "aria-label": "Lines", onchange: reload }, ...options);
    this.lines = el("pre", { class: "words log", role: "log", "aria-live": "off", "aria-label": "Log", tabindex: "0" });
    this.element = el(
      "section",
      { "aria-labelledby": "log-title" },
      el("h2", { id: "log-title" }, "Log"),
      this.select,
      this.lines,
    );
  }

  get level() {
    return this.select.value;
  }

  /** @param {any} answer of get_endpoint_logs */
  show({ lines, shown, now }) {
    this.tell(shown ? unfenced(lines) : now);
  }

  /** @param {string} text */
  tell(text) {
    if (this.lines.textContent === text) return;
    const atEnd = this.lines.scrollTop + this.lines.clientHeight >= this.lines.scrollHeight - 4;
    this.lines.textContent = text;
    if (atEnd) this.lines.scrollTop = this.lines.scrollHeight;
  }
}
