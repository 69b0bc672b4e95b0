"use strict";
(() => {
  const base = document.body.dataset.base, find = (s, e = document) => e.querySelector(s);
  const live = () => find("#live");
  let wanted = null, pause = 0.4, timer = 0, asked = 0;

  // A page comes as a parsed document, in which no script runs, and a part of it takes the place of ours.
  function load(url, body, done) {
    const number = ++asked, x = new XMLHttpRequest();
    x.open(body ? "POST" : "GET", url);
    x.responseType = "document";
    if (body) x.setRequestHeader("Content-Type", "application/json");
    x.onload = () => {
      const next = x.response && find("#live", x.response);
      if (number !== asked || !next) return;
      const id = document.activeElement && document.activeElement.id;
      live().replaceWith(document.importNode(next, true));
      if (id && document.activeElement.id !== id) { const e = document.getElementById(id); if (e) e.focus(); }
      if (done) done();
      watch();
    };
    x.onerror = () => { if (number === asked) say(live(), "The explorer does not answer any more. Is it still running?", "bad"); };
    x.send(body ? JSON.stringify(body) : null);
  }
  const again = (done) => wanted ? load(wanted[0], wanted[1], done) : load(location.href, null, done);

  // Look again only while something is under way, and only if somebody can see it.
  function watch() {
    clearTimeout(timer);
    if (live().dataset.busy !== "yes") { pause = 0.4; return; }
    if (document.hidden) return;
    timer = setTimeout(again, pause * 1000);
    pause = Math.min(5, pause * 1.5);
  }

  function say(place, text, how, more) {
    place.className = "result " + (how || "");
    place.replaceChildren();
    for (const [tag, words] of [["p", text], ...(more || [])]) {
      if (!words) continue;
      const e = document.createElement(tag);
      e.textContent = words;
      place.append(e);
    }
  }

  const shown = new Set();
  function hide() { for (const place of shown) place.replaceChildren(); shown.clear(); }

  async function post(path, body) {
    const r = await fetch(base + path, { method: "POST", headers: { "Content-Type": "application/json" }, body: JSON.stringify(body) });
    return r.json();
  }

  async function act(from, body) {
    const action = from.dataset.do;
    const place = find(".result", from) || find(".result", from.closest("details") || document) || live();
    let wait = 0.4, answer;
    try {
      answer = await post("/do/" + action, body);
      while (answer.state === "running") {
        if (place !== live()) say(place, "Waiting for " + answer.seconds.toFixed(0) + " s …", "", lines(answer));
        if (action === "ask") { again(); break; }
        await new Promise((go) => setTimeout(go, wait * 1000));
        wait = Math.min(5, wait * 1.5);
        answer = await post("/job", { job: answer.job });
      }
    } catch { answer = { state: "failed", message: "The explorer does not answer any more. Is it still running?" }; }
    const warnings = (answer.warnings || []).map((text) => ["p", "Warning: " + text]);
    if (answer.state === "failed") return say(place === live() ? fresh() : place, answer.message, "bad", warnings);
    if (action === "reveal") {
      if (document.hidden) return say(place, "Not shown, because the page is hidden.");
      say(place, answer.link ? "From " + answer.link + ", hidden again after 30 s:" : "Hidden again after 30 s:", "", [["pre", answer.value], ...warnings]);
      shown.add(place);
      setTimeout(() => { place.replaceChildren(); shown.delete(place); }, 30000);
      return;
    }
    if (answer.message && place !== live()) say(place, answer.message, answer.ok === false ? "bad" : "good", [...lines(answer), ...warnings]);
    else if (place !== live()) place.replaceChildren();
    if (action === "reload") location.reload();
    else if (action !== "test") { pause = 0.4; again(); }
  }
  const lines = (answer) => (answer.steps || []).map((s) => ["p", (s.ok ? "✓ " : "✗ ") + s.step + ": " + s.result + " (" + s.ms + " ms)"]);
  function fresh() { const e = document.createElement("div"); live().prepend(e); return e; }

  function search(form, page) {
    const body = Object.fromEntries(new FormData(form));
    if (page) body.page = page;
    wanted = [form.getAttribute("action"), body];
    again(page && (() => live().scrollIntoView()));
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("button[data-do], button[data-page]");
    if (!button) return;
    const data = button.dataset;
    if (data.page) {
      const form = find("form[data-search]");
      if (form) search(form, data.page);
    } else act(button, { kind: data.kind, name: data.name, stores: data.stores === "yes" });
  });
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.matches("[data-search]")) { event.preventDefault(); search(form); }
    if (!form.matches("[data-do]")) return;
    event.preventDefault();
    const fields = {};
    for (const e of form.querySelectorAll("[data-field]")) fields[e.dataset.field] = e.value;
    const name = form.dataset.name || encodeURIComponent(fields.name);
    for (const e of form.querySelectorAll("[data-field]")) if (/^(password|value|uri|extra)$/.test(e.dataset.field)) e.value = "";
    act(form, { kind: form.dataset.kind, name, new: form.dataset.new === "yes", fields });
  });
  let typing = 0;
  document.addEventListener("input", (event) => {
    const form = event.target.closest("form[data-search]");
    if (!form) return;
    clearTimeout(typing);
    typing = setTimeout(() => search(form), 120);
  });
  document.addEventListener("change", async (event) => {
    if (!event.target.matches("[data-compare]") || !event.target.files[0]) return;
    wanted = [base + "/compare", { text: await event.target.files[0].text() }];
    again();
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input, textarea, select")) return;
    const q = find("#q");
    if (q) { event.preventDefault(); q.focus(); q.select(); }
  });
  document.addEventListener("visibilitychange", () => { if (document.hidden) hide(); else watch(); });
  addEventListener("pagehide", () => {
    hide();
    for (const e of document.querySelectorAll("[data-field]")) e.value = "";
  });
  watch();
})();
