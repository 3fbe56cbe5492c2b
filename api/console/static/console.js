// Makes the pages pleasant: keys, copying, choosing rows. Every page works without it.
(() => {
  document.documentElement.classList.add("has-script");
  const typed = "input:not([type=checkbox]), textarea, select, [contenteditable]";
  const lead = "a, summary, button, input";
  const rows = () => [...document.querySelectorAll("main tbody tr")].filter((row) => row.querySelector(lead));
  const boxes = () => [...document.querySelectorAll("main tbody input[type=checkbox]")];
  let afterG = false;
  let lastBox = null;

  const search = () => {
    const field = document.getElementById("search");
    field?.focus();
    field?.select();
    return field;
  };
  const goTo = (step) => {
    const all = rows();
    const row = all[all.findIndex((each) => each.contains(document.activeElement)) + step] ?? (step > 0 ? null : all[0]);
    row?.querySelector(lead).focus();
    row?.scrollIntoView({ block: "nearest" });
    return row;
  };
  // A box with Shift gives its state to all boxes since the last one.
  const choose = (box, isRange) => {
    const all = boxes();
    const [first, last] = [all.indexOf(lastBox), all.indexOf(box)].sort((a, b) => a - b);
    if (isRange && first >= 0) all.slice(first, last + 1).forEach((each) => { each.checked = box.checked; });
    lastBox = box;
    const shown = document.querySelector("[data-chosen]");
    if (shown) shown.textContent = all.filter((each) => each.checked).length;
  };
  const toggle = (isRange) => {
    const box = document.activeElement.closest("main tbody tr")?.querySelector("input[type=checkbox]");
    if (!box) return false;
    box.checked = !box.checked;
    choose(box, isRange);
    return true;
  };
  const open = () => {
    if (!document.activeElement.matches("main tbody input")) return false;
    return document.activeElement.closest("tr").querySelector("a")?.click();
  };
  const place = (code) => {
    const found = [...document.querySelectorAll("[data-key]")].find((each) => `Key${each.dataset.key.toUpperCase()}` === code);
    found?.click();
    return found ?? false;
  };
  // What a page offers by a key of its own: a field gets the focus, a button is pressed.
  const press = (code) => {
    const found = document.querySelector(`[data-press="${code}"]`);
    if (found) found[found.matches(typed) ? "focus" : "click"]();
    return found;
  };
  // By the place on the keyboard, so that keys are the same in a Hebrew layout.
  const keys = {
    KeyJ: () => goTo(1), KeyK: () => goTo(-1), KeyX: toggle, Enter: open,
    Slash: (isShift) => (isShift ? document.getElementById("keys")?.showModal() : search()),
  };

  document.addEventListener("keydown", (event) => {
    if (event.repeat && !["KeyJ", "KeyK"].includes(event.code)) return; // a key that is held decides once
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches(typed) || document.querySelector("dialog[open]")) return;
    const code = ["/", "?"].includes(event.key) ? "Slash" : event.code; // other layouts have them elsewhere
    const act = afterG ? () => place(code) : keys[code] ?? (() => press(code) ?? false);
    if (act(event.key !== "/" && (event.shiftKey || event.key === "?")) !== false) event.preventDefault();
    afterG = !afterG && code === "KeyG";
  });

  document.addEventListener("click", async (event) => {
    if (event.target.matches("main tbody input[type=checkbox]")) choose(event.target, event.shiftKey);
    const button = event.target.closest("[data-copy]");
    if (!button) return;
    await navigator.clipboard.writeText(button.dataset.copy);
    button.dataset.copied = "";
    const status = button.querySelector("[role=status]");
    if (status) status.textContent = button.dataset.copiedText;
  });

  // A part that asks by itself rests while nobody sees it, and while the mouse or the focus is on a link of its timeline.
  document.addEventListener("htmx:beforeRequest", (event) => {
    const part = event.target.closest("[hx-trigger^=every]");
    if (part && (document.hidden || part.querySelector(".timeline-list a:is(:hover, :focus)"))) event.preventDefault();
  });

  // Filters that are left empty stay out of the address.
  document.addEventListener("htmx:configRequest", ({ detail: { formData } }) => new Set(formData.keys()).forEach((name) => {
    const filled = formData.getAll(name).filter(Boolean);
    formData.delete(name);
    filled.forEach((value) => formData.append(name, value));
  }));

  // A form that htmx sends shows its failure as any other does. A page whose person may no longer see it goes away.
  document.addEventListener("htmx:beforeSwap", ({ detail }) => {
    if (detail.requestConfig.verb === "post") detail.shouldSwap = true;
    else if (detail.xhr.status === 403) window.location.reload();
  });

  // Of a day and the words for a time, the later counts.
  document.addEventListener("change", (event) => {
    const pair = event.target.closest(".moment");
    if (pair && event.target.value) pair.querySelectorAll("input").forEach((each) => { if (each !== event.target) each.value = ""; });
  }, true);
})();
