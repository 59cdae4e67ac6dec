/** Colours of the host that this page adopts. Fonts are not: they would be requests. */
const ADOPTED = /^--(color-(background|text|border|ring)-[a-z]+|border-radius-[a-z]+)$/;

/**
 * @param {any} context of a host of MCP Apps
 */
export function applyHostStyle(context) {
  const style = document.documentElement.style;
  if (context.theme === "light" || context.theme === "dark") style.colorScheme = context.theme;
  for (const [name, value] of Object.entries(context.styles?.variables ?? {})) {
    if (ADOPTED.test(name) && typeof value === "string") style.setProperty(name, value);
  }
  if (context.theme || context.styles) window.dispatchEvent(new Event("themechange"));
}

/** Calls a listener when colours change. @param {() => void} listener */
export function onThemeChange(listener) {
  window.addEventListener("themechange", listener);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", listener);
}

/** A colour of the style sheet as it is now, for a canvas. @param {string} variable */
export function colourOf(variable) {
  const probe = document.createElement("span");
  probe.style.color = `var(${variable})`;
  document.body.append(probe);
  const colour = getComputedStyle(probe).color;
  probe.remove();
  return colour;
}
