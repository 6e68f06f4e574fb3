// A formula within a line cannot be broken: one that is wider than its paragraph gets a line of its own, and scrolls there.
window.addEventListener("load", async () => {
  await window.MathJax?.startup?.promise;
  for (const formula of document.querySelectorAll("span.math")) {
    const room = formula.parentElement.closest("p, li, dd, dt, td, th, div");
    formula.classList.toggle("wide", formula.getBoundingClientRect().width > room.clientWidth + 1); // + 1: clientWidth is rounded
  }
});
