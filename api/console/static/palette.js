// Finds pages, actions of the open page, and archives while a person types. Archives come from the search of the list.
(() => {
  const palette = document.getElementById("palette");
  const field = palette.querySelector("input");
  const [pages, actions, archives] = palette.querySelectorAll("[role=group]");
  const ACTIONS = "main :is(button, summary, a.btn):not(:disabled, .without-script, [data-copy], tbody *, .chart *), .console-person button";
  const options = () => [...palette.querySelectorAll("[role=option]:not([hidden])")];
  const chosen = () => options().find((each) => each.ariaSelected === "true");
  let isAwaited = false; // Enter came before the archives

  // What a form of the page sends asks for one more Enter, on its own button: a name may be a word of an action.
  const press = (source) => {
    palette.close();
    const isFolded = source.matches("summary");
    for (let each = source.closest("details"); each; each = each.parentElement.closest("details")) each.open = true;
    if (!isFolded && !(source.closest("main") && source.form?.method === "post")) return source.click();
    const lacking = isFolded ? null : source.form.querySelector(":is(input, select, textarea):invalid");
    (lacking ?? source).focus();
    return source.scrollIntoView({ block: "nearest" });
  };
  const fill = (group, selector) => {
    const made = new Map();
    document.querySelectorAll(selector).forEach((source) => {
      const text = (source.title || source.textContent).replace(/\s+/g, " ").trim();
      if (!text || made.has(text)) return;
      const option = Object.assign(document.createElement("div"), { role: "option", textContent: text, onclick: () => press(source) });
      option.words = `${text} ${source.dataset.words ?? ""} ${source.form?.ariaLabel ?? ""}`.toLowerCase().split(" ");
      made.set(text, option);
    });
    group.replaceChildren(...made.values());
  };

  const select = (option) => {
    options().forEach((each) => { each.ariaSelected = each === option; });
    field.setAttribute("aria-activedescendant", option?.id ?? "");
    option?.scrollIntoView({ block: "nearest" });
  };
  const settle = (isSearching) => {
    palette.querySelectorAll("[role=option]").forEach((each, at) => { each.id = `palette-${at}`; });
    const all = options();
    select(chosen() ?? all[0]);
    field.ariaExpanded = all.length > 0;
    document.getElementById("palette-found").hidden = !all.length;
    palette.querySelector("[role=status] span").hidden = all.length || isSearching;
  };
  const filter = () => {
    const typed = field.value.toLowerCase().split(/\s+/).filter(Boolean);
    const isFound = (option) => typed.every((each) => option.words.some((word) => word.startsWith(each)));
    [...pages.children, ...actions.children].forEach((each) => { each.hidden = !isFound(each); each.ariaSelected = false; });
    htmx.trigger(field, "htmx:abort"); // the answer about what was typed before
    archives.replaceChildren();
    isAwaited = false;
    settle(field.hasAttribute("hx-get") && typed.length);
  };
  const open = () => {
    field.value = "";
    fill(pages, ".console-places a, .console-name");
    fill(actions, ACTIONS);
    palette.showModal();
    filter();
  };

  field.addEventListener("input", filter);
  field.addEventListener("htmx:beforeRequest", (event) => { if (!field.value.trim()) event.preventDefault(); });
  archives.addEventListener("htmx:afterSwap", () => {
    archives.querySelectorAll(".match").forEach((each) => each.previousElementSibling.append(" ", each));
    [...archives.children].forEach((each) => Object.assign(each, { role: "option", tabIndex: -1 }));
    settle(false);
    if (isAwaited) chosen()?.click();
  });
  field.addEventListener("keydown", (event) => {
    const step = { ArrowDown: 1, ArrowUp: -1 }[event.key];
    if (event.isComposing || !(step || event.key === "Enter")) return;
    event.preventDefault();
    const all = options();
    if (step) select(all.at((all.indexOf(chosen()) + step) % all.length));
    else if (!event.repeat) (isAwaited = !chosen()) || chosen().click();
  });
  document.addEventListener("click", (event) => { if (event.target.closest("[data-palette]")) open(); else if (event.target === palette) palette.close(); });
  document.addEventListener("keydown", (event) => {
    if (event.repeat && event.key === "Enter" && event.target.matches("button")) event.preventDefault(); // held since the palette
    if (event.code !== "KeyK" || !(event.ctrlKey || event.metaKey) || event.altKey || event.shiftKey) return;
    event.preventDefault();
    if (palette.open) palette.close();
    else if (!document.querySelector("dialog[open]")) open();
  });
})();
