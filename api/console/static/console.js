// Makes the pages pleasant: keys, copying, choosing all rows. Every page works without it.
(() => {
  document.documentElement.classList.add("has-script");
  const isTyping = (element) => element.matches("input, textarea, select, [contenteditable]");
  let afterG = false;

  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || isTyping(event.target)) return;
    const search = document.getElementById("search");
    const keys = document.getElementById("keys");
    if (event.key === "/" && search) {
      event.preventDefault();
      search.focus();
      search.select();
    } else if (event.key === "?" && keys && !keys.open) {
      keys.showModal();
    } else if (afterG) {
      const place = [...document.querySelectorAll("[data-key]")].find((each) => each.dataset.key === event.key);
      if (place) place.click();
    }
    afterG = event.key === "g";
  });

  document.addEventListener("click", async (event) => {
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    button.dataset.copied = "";
    const status = button.querySelector("[role=status]");
    if (status) status.textContent = button.dataset.copiedText;
  });
})();
