const UNKNOWN = "–";

/** @param {number | undefined} perHour USD */
export function money(perHour) {
  if (perHour === undefined) return "unknown";
  return perHour === 0 ? "$0" : `$${perHour < 0.1 ? perHour.toFixed(3) : perHour.toFixed(2)}/h`;
}

/** @param {number | undefined} minutes */
export function idleTime(minutes) {
  if (minutes === undefined) return UNKNOWN;
  if (minutes < 60) return `${minutes} min`;
  return minutes < 2880 ? `${Math.round(minutes / 60)} h` : `${Math.round(minutes / 1440)} d`;
}

/** @param {string} at RFC 3339 */
export function clockTime(at) {
  const date = new Date(at);
  if (Number.isNaN(date.getTime())) return at;
  const today = date.toDateString() === new Date().toDateString();
  const time = date.toLocaleTimeString([], { hour12: false });
  return today ? time : `${date.toLocaleDateString()} ${time}`;
}

/** A measured value with its unit. @param {number} value @param {string | undefined} unit */
export function measured(value, unit) {
  if (unit === "bytes") {
    const steps = ["B", "kB", "MB", "GB", "TB"];
    let step = 0;
    while (value >= 1000 && step < steps.length - 1) {
      value /= 1000;
      step += 1;
    }
    return `${short(value)} ${steps[step]}`;
  }
  if (unit === "seconds") return value < 1 ? `${short(value * 1000)} ms` : `${short(value)} s`;
  return unit === "percent" ? `${short(value)} %` : short(value);
}

/** @param {number} value */
function short(value) {
  return Number.isInteger(value) ? String(value) : String(Number(value.toPrecision(3)));
}

/** What a tool does, for a title: `scale_endpoint_to_zero` is `Scale to zero`. @param {string} tool */
export function verbOf(tool) {
  const verb = words(tool.replace("_endpoint", ""));
  return verb.charAt(0).toUpperCase() + verb.slice(1);
}

/** A state as words: `scaledToZero` is `scaled to zero`. @param {string} state */
export function words(state) {
  return state.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).replaceAll("_", " ");
}
