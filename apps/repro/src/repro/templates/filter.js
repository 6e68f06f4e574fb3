// Shows the experiments of some papers, or those that hold every word asked for; the state stands in the address.
(() => {
  const form = document.getElementById("filter");
  const all = selector => [...document.querySelectorAll(selector)];
  const boxes = all('#filter [name="paper"]'), output = form.querySelector("output");
  const articles = all("article[data-name]").map(e => ({ e, name: e.dataset.name, paper: e.dataset.paper, text: e.textContent.toLowerCase() }));
  const rows = all("tr[data-of]");

  function apply() {
    const wanted = new Set(boxes.filter(box => box.checked).map(box => box.value));
    const words = form.elements.text.value.toLowerCase().split(/\s+/).filter(Boolean);
    const seen = new Set();
    for (const { e, name, paper, text } of articles) {
      const shown = wanted.has(paper) && words.every(word => text.includes(word));
      e.hidden = !shown;
      if (shown) seen.add(name);
    }
    for (const row of rows) row.hidden = !seen.has(row.dataset.of);
    for (const e of all("[data-group]")) e.hidden = !e.querySelector("article[data-name]:not([hidden]), tr[data-of]:not([hidden])");
    output.textContent = `${seen.size} of ${articles.length} experiments shown`;
  }

  function state(at) {
    const entries = [];
    const wanted = boxes.filter(box => box.checked).map(box => box.value);
    if (wanted.length < boxes.length) entries.push("papers=" + wanted.map(encodeURIComponent).join(","));
    if (form.elements.text.value.trim()) entries.push("text=" + encodeURIComponent(form.elements.text.value.trim()));
    if (entries.length && at) entries.push("at=" + encodeURIComponent(at));
    return "#" + (entries.length ? entries.join("&") : at);
  }

  function decoded(text) {
    try { return decodeURIComponent(text); } catch { return text; }  // an address that somebody cut short
  }

  // the address decides: when the page is opened, and when the reader goes back
  function read() {
    const fragment = location.hash.slice(1);
    if (!fragment.includes("=")) {  // a plain link: if what it names is hidden, everything is shown
      const target = document.getElementById(decoded(fragment));
      if (!fragment || target?.closest("[hidden]")) { form.elements.text.value = ""; for (const box of boxes) box.checked = true; }
      apply();
      if (fragment) target?.scrollIntoView();
      return;
    }
    const found = new Map(fragment.split("&").map(part => { const k = part.indexOf("="); return [part.slice(0, k), part.slice(k + 1)]; }));
    const wanted = found.has("papers") ? new Set(found.get("papers").split(",").map(decoded)) : null;
    for (const box of boxes) box.checked = !wanted || wanted.has(box.value);
    form.elements.text.value = decoded(found.get("text") ?? "");
    apply();
    if (found.has("at")) document.getElementById(decoded(found.get("at")))?.scrollIntoView();
  }

  form.addEventListener("input", () => { apply(); history.replaceState(null, "", state("")); });
  form.addEventListener("submit", event => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(() => { apply(); history.replaceState(null, "", state("")); }));
  document.addEventListener("click", event => {  // a link on the page keeps the filter
    const link = event.target.closest('a[href^="#"]');
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    const name = decoded(link.getAttribute("href").slice(1));
    const address = state(name);
    if (!address.includes("=")) return;
    event.preventDefault();
    history.pushState(null, "", address);
    document.getElementById(name)?.scrollIntoView();
  });
  addEventListener("popstate", read);
  addEventListener("hashchange", read);
  form.hidden = false;
  read();
})();
