export type Theme = "auto" | "light" | "dark";

const KEY = "hublet-demo-theme";
const NEXT: Record<Theme, Theme> = { auto: "light", light: "dark", dark: "auto" };

export function theme(): Theme {
  const known = localStorage.getItem(KEY);
  return known === "light" || known === "dark" ? known : "auto";
}

/** `auto` leaves the choice to the system's setting. */
export function showTheme(): void {
  const chosen = theme();
  if (chosen === "auto") delete document.documentElement.dataset["theme"];
  else document.documentElement.dataset["theme"] = chosen;
}

export function nextTheme(): void {
  localStorage.setItem(KEY, NEXT[theme()]);
  showTheme();
}
