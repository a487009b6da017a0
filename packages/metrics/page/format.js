// Numbers as people read them: with units, and never more digits than matter.

export const number = (value) => {
  const size = Math.abs(value);
  if (size >= 1e6) return `${trim(value / 1e6)} M`;
  if (size >= 10000) return `${trim(value / 1e3)} k`;
  return trim(value);
};
export const trim = (value) => {
  if (value === 0 || Math.abs(value) < 1e-9) return "0";
  if (Math.abs(value) >= 100) return Math.round(value).toString();
  return Number(value.toPrecision(Math.abs(value) >= 10 ? 3 : 2)).toString();
};
export const count = (value) => Math.round(value).toLocaleString("en").replaceAll(",", " ");
export const seconds = (value) => {
  if (value < 0.001) return `${trim(value * 1e6)} µs`;
  if (value < 1) return `${trim(value * 1000)} ms`;
  return value < 120 ? `${trim(value)} s` : `${Math.round(value / 60)} min`;
};
export const age = (value) => {
  if (value < 120) return `${Math.round(value)} s`;
  if (value < 7200) return `${Math.round(value / 60)} min`;
  return value < 172_800 ? `${Math.round(value / 3600)} h` : `${Math.round(value / 86_400)} d`;
};
export const bytes = (value) => {
  if (value < 2 ** 20) return `${trim(value / 1024)} kB`;
  return value < 2 ** 30 ? `${trim(value / 2 ** 20)} MB` : `${trim(value / 2 ** 30)} GB`;
};
export const percent = (part) => (part > 0 && part < 0.001 ? "< 0.1 %" : `${Number((part * 100).toFixed(part < 0.1 ? 1 : 0))} %`);
const pad = (value) => String(value).padStart(2, "0");
export const clock = (time, withSeconds = true) => {
  const at = new Date(time);
  return `${pad(at.getHours())}:${pad(at.getMinutes())}${withSeconds ? `:${pad(at.getSeconds())}` : ""}`;
};

/** An element; attributes that are `undefined` are left out. */
export function element(name, attributes = {}, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) if (value !== undefined) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

export const byId = (id) => document.getElementById(id);

/** The value below which a part of what was counted lies; `null` where nothing was. */
export function quantile(part, bounds, counts) {
  const total = counts.reduce((sum, each) => sum + Math.max(0, each), 0);
  if (total <= 0) return null;
  let below = 0;
  for (let n = 0; n < bounds.length; n++) {
    const here = Math.max(0, counts[n] ?? 0);
    if (here > 0 && below + here >= part * total) {
      const low = n === 0 ? 0 : bounds[n - 1];
      return low + ((bounds[n] - low) * (part * total - below)) / here;
    }
    below += here;
  }
  return bounds.at(-1) ?? null;
}
