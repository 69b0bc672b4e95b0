// Draws each diagram in the colours of the page, and draws it again when the reader changes them.
const sources = new Map([...document.querySelectorAll("pre.mermaid")].map((element) => [element, element.textContent]));
const system = window.matchMedia("(prefers-color-scheme: dark)");

function isDark() {
  const chosen = document.body.dataset.theme;
  return chosen === "dark" || (chosen !== "light" && system.matches);
}

async function draw() {
  for (const [element, source] of sources) {
    element.textContent = source;
    element.removeAttribute("data-processed");
  }
  mermaid.initialize({ startOnLoad: false, securityLevel: "strict", theme: isDark() ? "dark" : "neutral" });
  await mermaid.run({ nodes: [...sources.keys()] });
}

let drawing = draw();
const drawAgain = () => (drawing = drawing.then(draw));
new MutationObserver(drawAgain).observe(document.body, { attributes: true, attributeFilter: ["data-theme"] });
system.addEventListener("change", drawAgain);
