// Shows a PDF whose bytes are those that were archived: its pages when they come into view, their text, and where fields
// and signatures stand. pdf.js runs no script of the document, and evaluates nothing.
const [frame, pages, state] = ["pdf", "pdf-pages", "pdf-state"].map((id) => document.getElementById(id));
const [numberInput, words, count] = ["pdf-number", "pdf-words", "pdf-hits"].map((id) => document.getElementById(id));
const absolute = (path) => new URL(path, window.location.href).href;
const MOST_PIXELS = 1 << 24;
const MOST_PAGES = 10000; // a document may say that it has any number
const texts = new Map(); // the text of a page, and where each of its pieces begins
const layers = new Map(); // the elements of these pieces, of pages that are drawn
let pdfjs, pdf, watcher, zoom = 1, turns = 0, hits = [], here = -1, lit = null;

const holderOf = (number) => pages.children[number - 1];
const part = (tag, className, parent) => parent.appendChild(Object.assign(document.createElement(tag), { className }));

const textOf = async (number) => {
  if (!texts.has(number)) {
    const content = await (await pdf.getPage(number)).getTextContent();
    const starts = [];
    const text = content.items.reduce((all, each) => {
      starts.push(all.length);
      return all + each.str + (each.hasEOL ? "\n" : "");
    }, "");
    texts.set(number, { content, text, starts });
  }
  return texts.get(number);
};

const release = (holder) => {
  layers.delete(Number(holder.dataset.number));
  delete holder.dataset.drawn;
  delete holder.dataset.turn;
  holder.replaceChildren();
};

// A box on a page, in parts of its width and height.
const boxOn = (holder, tag, [left, top, width, height]) => {
  const box = part(tag, "pdf-box", holder);
  const place = { left, top, width: Math.min(width, 1 - left), height: Math.min(height, 1 - top) };
  Object.entries(place).forEach(([side, share]) => { box.style[side] = `${100 * share}%`; });
  return box;
};

const drawFields = (holder) => {
  for (const link of document.querySelectorAll(`[data-place^="${holder.dataset.number} "]`)) {
    const box = boxOn(holder, "div", link.dataset.place.split(" ").slice(1).map((each) => each / 100));
    [box.title, box.dataset.field] = [link.textContent, link.hash];
    box.classList.toggle("lit", link === lit);
  }
};

// The verdict that the facts have of a signature, where its field stands. What only has the name of a field is none.
const drawSignatures = async (holder, page, plain) => {
  const within = (a, b, all) => [Math.min(a, b), Math.max(a, b)].map((each) => Math.min(1, Math.max(0, each / all)));
  for (const { id, fieldType, fieldName, rect } of await page.getAnnotations()) {
    const its = fieldType === "Sig" && document.querySelector(`[data-signature="${CSS.escape(fieldName)}"]`);
    const named = its ? (await pdf.getFieldObjects())?.[fieldName] ?? [] : [];
    const [x1, y1, x2, y2] = plain.convertToViewportRectangle(rect);
    const [[left, right], [top, bottom]] = [within(x1, x2, plain.width), within(y1, y2, plain.height)];
    if (named.length !== 1 || named[0]?.id !== id || left === right || top === bottom) continue;
    const box = boxOn(holder, "a", [left, top, right - left, bottom - top]);
    box.href = `#${its.id}`;
    const label = part("span", "pdf-verdict", box); // beside the signature, towards the middle of the page
    label.append(...its.querySelector("h3").cloneNode(true).childNodes);
    [label.style[top > 0.5 ? "bottom" : "top"], label.style[left > 0.5 ? "right" : "left"]] = ["100%", 0];
  }
};

const draw = async (holder) => {
  const turn = holder.dataset.turn = String(turns += 1); // the last drawing counts
  const number = Number(holder.dataset.number);
  const page = await pdf.getPage(number);
  const plain = page.getViewport({ scale: 1 });
  holder.style.aspectRatio = `${plain.width} / ${plain.height}`;
  const shown = holder.clientWidth / plain.width;
  const most = Math.sqrt(MOST_PIXELS / (plain.width * plain.height));
  const viewport = page.getViewport({ scale: Math.min(shown * (window.devicePixelRatio || 1), most) });
  const canvas = document.createElement("canvas");
  [canvas.width, canvas.height] = [viewport.width, viewport.height];
  await page.render({ canvas, canvasContext: canvas.getContext("2d"), viewport }).promise;
  if (holder.dataset.turn !== turn) return;
  holder.replaceChildren(canvas);
  const layer = Object.assign(document.createElement("div"), { className: "pdf-text" });
  const text = new pdfjs.TextLayer({
    textContentSource: (await textOf(number)).content, container: layer, viewport: page.getViewport({ scale: shown }),
  });
  await text.render();
  if (holder.dataset.turn !== turn) return;
  holder.style.setProperty("--total-scale-factor", shown);
  holder.append(layer);
  layers.set(number, text.textDivs);
  drawFields(holder);
  await drawSignatures(holder, page, plain);
  if (holder.dataset.turn !== turn) return;
  holder.dataset.drawn = "";
  light();
};

// Of the pages in view and around, draws those that are not drawn for this width; the others are let go.
const fit = () => {
  pages.style.setProperty("--zoom", zoom);
  [...pages.children].forEach((each) => { watcher.unobserve(each); watcher.observe(each); });
};

const reveal = (element) => {
  const [its, all] = [element.getBoundingClientRect(), pages.getBoundingClientRect()];
  pages.scrollTop += its.top - all.top - Math.max(8, (all.height - its.height) / 3);
  pages.scrollLeft += its.left - all.left - Math.max(8, (all.width - its.width) / 2);
};

const goTo = async (number) => {
  const holder = holderOf(number);
  while (!("drawn" in holder.dataset)) await draw(holder); // another drawing may have begun since
  return holder;
};

const pageHere = () => {
  const middle = pages.getBoundingClientRect().top + pages.clientHeight / 3;
  const found = [...pages.children].findIndex((each) => each.getBoundingClientRect().bottom > middle);
  return found < 0 ? pdf.numPages : found + 1;
};

const turnTo = (number) => {
  const wanted = Math.min(Math.max(1, Math.trunc(number) || 1), pdf.numPages);
  pages.scrollTop += holderOf(wanted).getBoundingClientRect().top - pages.getBoundingClientRect().top - 8;
};

// Where a field stands: its box is lit up, and the document scrolls to it.
const showField = async () => {
  const link = [...document.querySelectorAll("[data-place]")].find((each) => each.hash === window.location.hash);
  if (!link) return;
  document.querySelectorAll(".pdf-box.lit").forEach((each) => each.classList.remove("lit"));
  lit = link;
  const number = parseInt(link.dataset.place, 10);
  state.textContent = number > pdf.numPages ? `${frame.dataset.beyond} (${number} / ${pdf.numPages})` : "";
  if (number > pdf.numPages) return;
  const box = (await goTo(number)).querySelector(`[data-field="${link.hash}"]`);
  box.classList.add("lit");
  reveal(box);
};

const rangeOf = ({ number, start, end }) => {
  const [divs, { starts }] = [layers.get(number), texts.get(number)];
  const at = (offset) => {
    const piece = starts.findLastIndex((each) => each <= offset);
    const node = divs[piece].firstChild ?? divs[piece];
    return [node, Math.min(offset - starts[piece], node.textContent.length)];
  };
  const range = document.createRange();
  range.setStart(...at(start));
  const [node, offset] = at(end - 1);
  range.setEnd(node, Math.min(offset + 1, node.textContent.length));
  return range;
};

const light = () => {
  if (!CSS.highlights) return;
  const seen = (found) => found.filter((each) => each && layers.has(each.number)).map(rangeOf);
  CSS.highlights.set("found", new Highlight(...seen(hits)));
  CSS.highlights.set("found-here", new Highlight(...seen([hits[here]])));
};

const step = async (by) => {
  if (!hits.length) return;
  here = (here + by + hits.length) % hits.length;
  count.textContent = `${here + 1} / ${hits.length}`;
  await goTo(hits[here].number);
  light();
  reveal(rangeOf(hits[here]).startContainer.parentElement);
};

const find = async () => {
  const sought = words.value.trim();
  const its = hits = []; // the last search counts
  here = -1;
  count.textContent = "";
  light();
  if (!sought) return;
  const escaped = sought.split(/\s+/).map((each) => each.replace(/[.*+?^${}()|[\]\\]/g, "\\$&"));
  const pattern = new RegExp(escaped.join("\\s*"), "giu");
  for (let number = 1; number <= pdf.numPages; number += 1) {
    const { text } = await textOf(number);
    if (hits !== its) return;
    for (const each of text.matchAll(pattern)) {
      hits.push({ number, start: each.index, end: each.index + each[0].length });
    }
  }
  count.textContent = hits.length ? "" : "0";
  hits.sort((a, b) => a.number - b.number || a.start - b.start);
  const from = hits.findIndex((each) => each.number >= pageHere());
  here = from < 0 ? -1 : from - 1;
  await step(1);
};

const listen = () => {
  frame.addEventListener("click", ({ target }) => {
    const { step: by, zoom: factor } = target.closest("button")?.dataset ?? {};
    if (target.dataset.field) window.location.hash = target.dataset.field;
    if (by) turnTo(pageHere() + Number(by));
    if (!factor) return;
    const number = pageHere();
    zoom = Number(factor) ? Math.min(4, Math.max(0.4, zoom * factor)) : 1;
    fit();
    turnTo(number);
  });
  document.addEventListener("click", (event) => {
    if (event.target.closest("a")?.hash === window.location.hash) showField(); // the hash stays as it is
  });
  window.addEventListener("hashchange", showField);
  numberInput.addEventListener("change", () => turnTo(Number(numberInput.value)));
  pages.addEventListener("scroll", () => { numberInput.value = pageHere(); }, { passive: true });
  words.addEventListener("input", find);
  document.getElementById("pdf-find").addEventListener("submit", (event) => {
    event.preventDefault();
    step(1);
  });
  document.getElementById("pdf-back").addEventListener("click", () => step(-1));
  words.addEventListener("keydown", (event) => {
    if (event.key !== "Enter" || !event.shiftKey) return;
    event.preventDefault();
    step(-1);
  });
  let width = 0;
  new ResizeObserver(() => {
    if (pages.clientWidth !== width) fit();
    width = pages.clientWidth;
  }).observe(pages);
};

// Only what arrives whole is shown: the last bytes come only if all of them are those that were archived. What breaks off
// twice is damaged; once, its way may be at fault.
const received = async (isAgain) => {
  const answer = await fetch(absolute(frame.dataset.file)).catch(() => ({}));
  if (answer.status === 409) return "lost";
  if (!answer.ok || answer.redirected) return "away";
  return answer.arrayBuffer().catch(() => (isAgain ? "lost" : received(true)));
};

const open = async () => {
  const library = import(absolute(frame.dataset.library));
  const data = await received();
  if (typeof data === "string") return data;
  pdfjs = await library;
  pdfjs.GlobalWorkerOptions.workerSrc = absolute(frame.dataset.worker);
  pdf = await pdfjs.getDocument({
    data,
    isEvalSupported: false,
    useWasm: false,
    enableXfa: false,
    verbosity: 0,
    standardFontDataUrl: absolute(frame.dataset.fonts),
    wasmUrl: absolute(frame.dataset.decoders),
  }).promise;
  if (pdf.numPages > MOST_PAGES) return "failed";
  document.getElementById("pdf-count").textContent = pdf.numPages;
  watcher = new IntersectionObserver((seen) => {
    for (const { isIntersecting, target } of seen) {
      if (isIntersecting) draw(target).catch(() => { state.textContent = frame.dataset.failed; });
      else release(target);
    }
  }, { root: pages, rootMargin: "600px" });
  const first = (await pdf.getPage(1)).getViewport({ scale: 1 });
  for (let number = 1; number <= pdf.numPages; number += 1) {
    const holder = part("section", "pdf-page", pages);
    holder.dataset.number = number;
    holder.setAttribute("aria-label", `${frame.dataset.page} ${number}`);
    holder.style.aspectRatio = `${first.width} / ${first.height}`;
  }
  state.textContent = "";
  listen();
  await showField();
  return "";
};

const trouble = await open().catch(() => "failed");
state.textContent = frame.dataset[trouble] ?? state.textContent;
if (trouble) frame.querySelector(".pdf-tools").remove();
if (trouble === "lost") {
  state.textContent = "";
  document.querySelectorAll("[data-when-whole]").forEach((each) => each.remove());
  document.querySelectorAll("[data-when-lost]").forEach((each) => { each.hidden = false; });
}
