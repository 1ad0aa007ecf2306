/** The theme that somebody chose; storage may be switched off, and then the choice lasts as long as the page. */

const KEY = "windtunnel-theme";
let chosen = null;

/** "dark", "light", or null where nobody has chosen. */
export function keptTheme() {
  try {
    return chosen ?? localStorage.getItem(KEY);
  } catch {
    return chosen;
  }
}

/** Keep a theme. */
export function keepTheme(theme) {
  chosen = theme;
  try {
    localStorage.setItem(KEY, theme);
  } catch {
    // kept above
  }
}
