// Draws a PDF page by page, when a page comes into view. pdf.js runs no script of the document, and evaluates nothing.
const frame = document.getElementById("pdf");
const state = document.getElementById("pdf-state");
const absolute = (path) => new URL(path, window.location.href).href;
const WIDTH_PX = 900;

const draw = async (pdf, number, holder) => {
  const page = await pdf.getPage(number);
  const plain = page.getViewport({ scale: 1 });
  const scale = Math.min(3, (WIDTH_PX / plain.width) * (window.devicePixelRatio || 1));
  const viewport = page.getViewport({ scale });
  const canvas = document.createElement("canvas");
  canvas.width = viewport.width;
  canvas.height = viewport.height;
  await page.render({ canvas, canvasContext: canvas.getContext("2d"), viewport }).promise;
  const text = await page.getTextContent();
  const read = document.createElement("div");
  read.className = "visually-hidden";
  read.dir = "auto";
  read.textContent = text.items.map((each) => each.str).join(" ");
  holder.replaceChildren(canvas, read);
  holder.dataset.drawn = "";
};

try {
  const pdfjs = await import(absolute(frame.dataset.library));
  pdfjs.GlobalWorkerOptions.workerSrc = absolute(frame.dataset.worker);
  const pdf = await pdfjs.getDocument({
    url: absolute(frame.dataset.file),
    isEvalSupported: false,
    useWasm: false,
    enableXfa: false,
    standardFontDataUrl: absolute(frame.dataset.fonts),
    wasmUrl: absolute(frame.dataset.decoders),
  }).promise;
  const watcher = new IntersectionObserver((seen) => {
    for (const each of seen.filter((one) => one.isIntersecting)) {
      watcher.unobserve(each.target);
      draw(pdf, Number(each.target.dataset.number), each.target);
    }
  }, { rootMargin: "600px" });
  const first = (await pdf.getPage(1)).getViewport({ scale: 1 });
  for (let number = 1; number <= pdf.numPages; number += 1) {
    const holder = document.createElement("section");
    holder.className = "pdf-page";
    holder.dataset.number = number;
    holder.setAttribute("aria-label", `${frame.dataset.page} ${number}`);
    holder.style.aspectRatio = `${first.width} / ${first.height}`;
    frame.append(holder);
    watcher.observe(holder);
  }
  state.remove();
} catch {
  state.textContent = frame.dataset.failed;
}
