/** `auto` follows the system. */
export type Theme = "auto" | "light" | "dark";

const key = "theme";
const system = matchMedia("(prefers-color-scheme: dark)");
const listeners = new Set<() => void>();

export const chosenTheme = (): Theme => {
  const kept = localStorage.getItem(key);
  return kept === "light" || kept === "dark" ? kept : "auto";
};

/** What is shown now. */
export const shownTheme = (): "light" | "dark" => {
  const chosen = chosenTheme();
  return chosen === "auto" ? (system.matches ? "dark" : "light") : chosen;
};

export function chooseTheme(theme: Theme): void {
  localStorage.setItem(key, theme);
  show();
}

export function onTheme(listener: () => void): void {
  listeners.add(listener);
}

function show(): void {
  document.documentElement.dataset.theme = shownTheme();
  for (const listener of listeners) listener();
}

system.addEventListener("change", show);
show();
