// Opens a scene when its button is pressed; the library that draws it is unpacked then, once, and not before.
(() => {
  const nonce = document.currentScript.nonce;
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const schemes = {{ schemes_for_views|tojson }};
  let library = null;

  async function unpacked(text) {
    if (!("DecompressionStream" in window)) throw new Error("This browser is too old to turn it.");
    const bytes = Uint8Array.from(atob(text), letter => letter.charCodeAt(0));
    return new Response(new Blob([bytes]).stream().pipeThrough(new DecompressionStream("gzip"))).arrayBuffer();
  }

  function load() {
    library ??= unpacked(document.getElementById("library").textContent).then(bytes => {
      const script = document.createElement("script");
      script.nonce = nonce;
      script.textContent = new TextDecoder().decode(bytes);
      document.head.append(script);
      return window.Plotly;
    });
    return library;
  }

  // one trace of the library for each part
  function traces(scene, buffer) {
    let at = 0;
    const meshes = scene.parts.filter(part => part.corners === 3).length;
    let seen = 0;
    return scene.parts.map((part, number) => {
      const cells = new Uint32Array(buffer, at, part.cells * part.corners);
      at += cells.byteLength;
      const values = part.coloured ? new Float32Array(buffer, at, part.vertices) : null;
      at += values ? values.byteLength : 0;
      const steps = new Uint16Array(buffer, at, 3 * part.vertices);
      at += Math.ceil(steps.byteLength / 4) * 4;
      const axis = d => Float32Array.from({ length: part.vertices }, (_, k) => scene.low[d] + scene.size * steps[3 * k + d]);
      const [x, y, z] = [0, 1, 2].map(axis);
      const corner = c => Uint32Array.from({ length: part.cells }, (_, k) => cells[part.corners * k + c]);
      const common = { name: String(number), hoverinfo: "skip", showlegend: false };
      if (part.corners === 3) {
        const [i, j, k] = [0, 1, 2].map(corner);
        const visible = seen++ === 0 || meshes === 1;  // of several meshes the first; they would hide each other
        const light = { ambient: 0.45, diffuse: 0.75, specular: 0.12, roughness: 0.6, fresnel: 0.05, facenormalsepsilon: 0, vertexnormalsepsilon: 0 };
        const colour = values ? { intensity: values, colorscale: "Viridis", cmin: scene.range[0], cmax: scene.range[1], colorbar: { thickness: 10, len: 0.7, outlinewidth: 0 } } : {};
        return { ...common, type: "mesh3d", x, y, z, i, j, k, visible, flatshading: false, lighting: light, lightposition: { x: 4000, y: -9000, z: 12000 }, ...colour };
      }
      if (part.corners === 2) {
        const broken = array => Float32Array.from({ length: 3 * part.cells }, (_, k) => k % 3 === 2 ? NaN : array[cells[2 * Math.floor(k / 3) + k % 3]]);
        return { ...common, type: "scatter3d", mode: "lines", x: broken(x), y: broken(y), z: broken(z), connectgaps: false, line: { width: 3 } };
      }
      return { ...common, type: "scatter3d", mode: "markers", x, y, z, marker: { size: 2.5 } };
    });
  }

  function painted(traces) {
    const colours = schemes[dark.matches ? "dark" : "light"];
    traces.forEach((trace, number) => {
      const colour = colours.cycle[number % colours.cycle.length];
      if (trace.type === "mesh3d" && trace.intensity) trace.colorbar.tickfont = { color: colours.text };
      else if (trace.type === "mesh3d") trace.color = colour;
      else if (trace.mode === "lines") trace.line.color = colour;
      else trace.marker.color = colour;
    });
    return colours;
  }

  function camera(up) {
    const eye = { x: [0.9, -1.15, 0.85], y: [0.95, 0.55, 1.35], z: [1.2, -0.9, 0.9] }[up];
    return { up: { x: +(up === "x"), y: +(up === "y"), z: +(up === "z") }, eye: { x: eye[0], y: eye[1], z: eye[2] }, center: { x: 0, y: 0, z: 0 } };
  }

  // turns the eye about the upward axis, lifts it, or brings it closer
  function moved(eye, up, turn, lift, factor) {
    const [a, b] = { x: ["y", "z"], y: ["z", "x"], z: ["x", "y"] }[up];
    const around = Math.hypot(eye[a], eye[b]), radius = factor * Math.hypot(around, eye[up]);
    const longitude = Math.atan2(eye[b], eye[a]) + turn;
    const latitude = Math.max(-1.5, Math.min(1.5, Math.atan2(eye[up], around) + lift));
    return { [a]: radius * Math.cos(latitude) * Math.cos(longitude), [b]: radius * Math.cos(latitude) * Math.sin(longitude), [up]: radius * Math.sin(latitude) };
  }

  function button(text, label, act) {
    const e = document.createElement("button");
    e.type = "button"; e.textContent = text; e.setAttribute("aria-label", label); e.title = label;
    e.addEventListener("click", act);
    return e;
  }

  async function open(view, opener) {
    const stage = document.createElement("div");
    stage.className = "stage"; stage.tabIndex = 0; stage.setAttribute("role", "application");
    const tools = document.createElement("div");
    tools.className = "tools";
    const box = document.createElement("div");
    box.append(stage, tools);
    box.className = "space";
    stage.textContent = "One moment …";
    view.append(box);
    try {
      const scene = JSON.parse(view.querySelector("script").textContent);
      const [Plotly, buffer] = [await load(), await unpacked(scene.data)];
      const data = traces(scene, buffer);
      const start = camera(scene.up);
      // the box of all parts, whichever are shown, its longest side of one length: the view stays where it is
      const sides = scene.extent;
      const axes = Object.fromEntries(["x", "y", "z"].map((name, d) => [name + "axis", { visible: false, showspikes: false, range: [scene.low[d], scene.low[d] + sides[d]] }]));
      const aspectratio = Object.fromEntries(["x", "y", "z"].map((name, d) => [name, Math.max(0.001, 1.15 * sides[d] / Math.max(...sides))]));
      const layout = () => {
        const colours = painted(data);
        stage.setAttribute("aria-label", opener.textContent + ". Arrow keys turn it, plus and minus bring it closer and away.");
        [...tools.querySelectorAll("i")].forEach((e, k) => { e.style.background = data[k].intensity ? "linear-gradient(90deg, #440154, #21918c, #fde725)" : colours.cycle[k % colours.cycle.length]; });
        return { paper_bgcolor: colours.card, margin: { l: 0, r: 0, t: 0, b: 0 }, uirevision: 1, scene: { ...axes, aspectmode: "manual", aspectratio, dragmode: "orbit", camera: start } };
      };
      scene.parts.forEach((part, k) => {
        const label = document.createElement("label"), mark = document.createElement("input"), colour = document.createElement("i");
        mark.type = "checkbox"; mark.checked = data[k].visible !== false;
        mark.addEventListener("change", () => { data[k].visible = mark.checked; Plotly.restyle(stage, { visible: mark.checked }, [k]); });
        label.append(mark, colour, document.createTextNode(" " + part.label));
        tools.append(label);
      });
      stage.textContent = "";
      await Plotly.newPlot(stage, data, layout(), { displayModeBar: false, scrollZoom: false, responsive: true });
      const eye = (turn, lift, factor) => Plotly.relayout(stage, { "scene.camera.eye": moved(stage.layout.scene.camera.eye, scene.up, turn, lift, factor) });
      const keys = { ArrowLeft: [-0.15, 0, 1], ArrowRight: [0.15, 0, 1], ArrowUp: [0, 0.15, 1], ArrowDown: [0, -0.15, 1], "+": [0, 0, 0.85], "=": [0, 0, 0.85], "-": [0, 0, 1 / 0.85] };
      stage.addEventListener("keydown", event => {
        if (!(event.key in keys) || event.ctrlKey || event.metaKey || event.altKey) return;
        event.preventDefault();
        eye(...keys[event.key]);
      });
      tools.append(
        button("+", "Closer", () => eye(0, 0, 0.85)), button("−", "Away", () => eye(0, 0, 1 / 0.85)),
        button("⟲", "As it was", () => Plotly.relayout(stage, { "scene.camera": start })),
      );
      dark.addEventListener("change", () => { const next = layout(); delete next.scene.camera; Plotly.react(stage, data, { ...stage.layout, paper_bgcolor: next.paper_bgcolor }); });
      view.dataset.drawn = "";
    } catch (error) {
      stage.textContent = `It cannot be drawn here: ${error.message}`;
    }
  }

  for (const view of document.querySelectorAll("[data-scene]")) {
    const opener = view.querySelector("button");
    view.hidden = false;
    opener.addEventListener("click", () => {
      const box = view.querySelector(".space");
      const opens = !box || box.hidden;
      opener.setAttribute("aria-expanded", String(opens));
      if (!box) open(view, opener);
      else box.hidden = !opens;
    });
  }
})();
