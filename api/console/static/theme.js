// Sets the colours before the page is drawn. Without script, a page without a choice is light.
(() => {
  const page = document.documentElement;
  if (page.dataset.theme !== "auto") return;
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const set = () => { page.dataset.bsTheme = dark.matches ? "dark" : "light"; };
  dark.addEventListener("change", set);
  set();
})();
