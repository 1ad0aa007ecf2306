// Before the first paint, so that a remembered theme does not flash the other one.
(() => {
  let remembered = null;
  try {
    remembered = localStorage.getItem("windtunnel-theme");
  } catch {
    // storage may be switched off; the system's preference holds then
  }
  const dark = remembered ? remembered === "dark" : matchMedia("(prefers-color-scheme: dark)").matches;
  document.documentElement.dataset.theme = dark ? "dark" : "light";
})();
