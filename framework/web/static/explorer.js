"use strict";
(() => {
	const doc = document, base = doc.body.dataset.base;
	const find = (s, e = doc) => e.querySelector(s), all = (s, e = doc) => e.querySelectorAll(s);
	const gone = "The explorer no longer answers. Is it still running?";
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
			const id = doc.activeElement?.id;
			live().replaceWith(doc.importNode(next, true));
			if (id && doc.activeElement.id !== id) { doc.getElementById(id)?.focus(); }
			if (done) done();
			watch();
		};
		x.onerror = () => { if (number === asked) say(fresh(), gone, "bad"); };
		x.send(body ? JSON.stringify(body) : null);
	}
	const again = (done) => wanted ? load(wanted[0], wanted[1], done) : load(location.href, null, done);

	// Look again only while something is under way, and only if somebody can see it.
	function watch() {
		clearTimeout(timer);
		if (live().dataset.busy !== "yes") { pause = 0.4; return; }
		if (doc.hidden) return;
		timer = setTimeout(again, pause * 1000);
		pause = Math.min(5, pause * 1.5);
	}

	function say(place, text, how, more) {
		place.className = "result " + (how || "");
		place.replaceChildren();
		for (const [tag, words] of [["p", text], ...(more || [])]) {
			if (!words) continue;
			place.append(Object.assign(doc.createElement(tag), { textContent: words }));
		}
	}

	const shown = new Set();
	function hide() { for (const place of shown) place.replaceChildren(); shown.clear(); }

	async function post(path, body) {
		const headers = { "Content-Type": "application/json" };
		return (await fetch(base + path, { method: "POST", headers, body: JSON.stringify(body) })).json();
	}

	async function act(from, body) {
		const action = from.dataset.do;
		const place = find(".result", from) || find(".result", from.closest("details") || doc) || live();
		let wait = 0.4, answer;
		try {
			answer = await post("/do/" + action, body);
			while (answer.state === "running") {
				if (place !== live()) say(place, `Waiting for ${answer.seconds.toFixed(0)} s …`, "", lines(answer));
				if (action === "ask") { again(); break; }
				await new Promise((go) => setTimeout(go, wait * 1000));
				wait = Math.min(5, wait * 1.5);
				answer = await post("/job", { job: answer.job });
			}
		} catch { answer = { state: "failed", message: gone }; }
		const warnings = (answer.warnings || []).map((text) => ["p", "Warning: " + text]);
		if (answer.state === "failed") return say(place === live() ? fresh() : place, answer.message, "bad", warnings);
		if (action === "reveal") {
			if (doc.hidden) return say(place, "Not shown, because the page is hidden.");
			say(place, `${answer.link ? `From ${answer.link}, hidden` : "Hidden"} again after 30 s:`, "", [["pre", answer.value], ...warnings]);
			shown.add(place);
			setTimeout(() => { place.replaceChildren(); shown.delete(place); }, 30000);
			return;
		}
		if (answer.message && place !== live()) say(place, answer.message, answer.ok === false ? "bad" : "good", [...lines(answer), ...warnings]);
		else if (place !== live()) place.replaceChildren();
		if (action === "reload") location.reload();
		else if (action !== "test") { pause = 0.4; again(); }
	}
	const lines = (answer) => (answer.steps || []).map((s) => ["p", `${s.ok ? "✓" : "✗"} ${s.step}: ${s.result} (${s.ms} ms)`]);
	function fresh() { live().prepend(doc.createElement("div")); return live().firstChild; }

	function search(form, page) {
		const body = Object.fromEntries(new FormData(form));
		if (page) body.page = page;
		wanted = [form.getAttribute("action"), body];
		again(page && (() => live().scrollIntoView()));
	}

	doc.addEventListener("click", (event) => {
		const button = event.target.closest("button[data-do], button[data-page]");
		if (!button) return;
		const data = button.dataset;
		if (data.page) {
			const form = find("form[data-search]");
			if (form) search(form, data.page);
		} else act(button, { kind: data.kind, name: data.name, stores: data.stores === "yes" });
	});
	doc.addEventListener("submit", (event) => {
		const form = event.target;
		if (form.matches("[data-search]")) { event.preventDefault(); search(form); }
		if (!form.matches("[data-do]")) return;
		event.preventDefault();
		const fields = {};
		for (const e of all("[data-field]", form)) fields[e.dataset.field] = e.value;
		const name = form.dataset.name || encodeURIComponent(fields.name);
		empty(form, "password value uri extra");
		act(form, { kind: form.dataset.kind, name, new: form.dataset.new === "yes", fields });
	});
	function empty(place, which) {
		for (const e of all("[data-field]", place)) if (!which || which.includes(e.dataset.field)) e.value = "";
	}
	let typing = 0;
	doc.addEventListener("input", (event) => {
		const form = event.target.closest("form[data-search]");
		if (!form) return;
		clearTimeout(typing);
		typing = setTimeout(() => search(form), 120);
	});
	doc.addEventListener("change", async (event) => {
		if (!event.target.matches("[data-compare]") || !event.target.files[0]) return;
		wanted = [base + "/compare", { text: await event.target.files[0].text() }];
		again();
	});
	doc.addEventListener("keydown", (event) => {
		if (event.key !== "/" || event.ctrlKey || event.metaKey || event.target.closest("input, textarea, select")) return;
		const q = find("#q");
		if (q) { event.preventDefault(); q.focus(); q.select(); }
	});
	doc.addEventListener("visibilitychange", () => { if (doc.hidden) hide(); else watch(); });
	addEventListener("pagehide", () => {
		hide();
		empty(doc);
	});
	watch();
})();
