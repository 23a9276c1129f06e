"use strict";
(function () {
  const root = document.documentElement;
  const chosen = document.getElementById("theme");
  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  const probe = document.createElement("span");
  document.body.append(probe);
  probe.hidden = true;

  function remember(value) {
    try { localStorage.setItem("connectome2net-theme", value); } catch (error) { /* a page may have no storage */ }
  }
  function remembered() {
    try { return localStorage.getItem("connectome2net-theme") || ""; } catch (error) { return ""; }
  }
  function colour(name) {  // what a variable of the style sheet is in the theme that is shown
    probe.style.color = "var(--" + name + ")";
    return getComputedStyle(probe).color;
  }
  function setTheme(value) {
    if (value) { root.dataset.theme = value; } else { delete root.dataset.theme; }
    chosen.value = value;
    draw();
  }

  const holder = document.getElementById("scene-data");
  const data = holder && JSON.parse(holder.textContent);
  const symbols = ["diamond", "circle", "square"];
  const side = { eye: { x: 0.05, y: -2.3, z: 0.1 }, up: { x: 0, y: 0, z: 1 }, center: { x: 0, y: 0, z: 0 } };
  const above = { eye: { x: 0, y: -0.02, z: 2.1 }, up: { x: 0, y: 0, z: 1 }, center: { x: 0, y: 0, z: 0 } };
  const start = { eye: { x: 1.6, y: -1.95, z: 0.4 }, up: { x: 0, y: 0, z: 1 }, center: { x: 0, y: 0, z: -0.08 } };
  let scene = null;

  function colourOf(key, at) {
    return key === "lamina" ? colour("lamina-" + at) : colour(data.classes[at]);
  }
  function cells(key) {
    return data.classes.map(function (name, at) {
      const mine = data.x.map((_, i) => i).filter((i) => data.ei_class[i] === at);
      return {
        type: "scatter3d", mode: "markers", name: name, hoverinfo: "text",
        x: mine.map((i) => data.x[i]), y: mine.map((i) => data.y[i]), z: mine.map((i) => data.z[i]),
        text: mine.map((i) => escapeText(data.type[i]) + ", " + data.laminae[data.lamina[i]] + ", " + name + "<br>" + Math.round(-data.z[i]) + " \u00b5m below the pia"),
        marker: { symbol: symbols[at], size: at === 0 ? 3 : 4, opacity: 0.9, line: { width: 0 }, color: mine.map((i) => colourOf(key, data[key][i])) }
      };
    }).filter((trace) => trace.x.length);
  }
  function escapeText(text) {
    return text.replace(/&/g, "&amp;").replace(/</g, "&lt;").replace(/>/g, "&gt;");
  }
  function edges(choice) {
    const set = data.edges[choice];
    return data.classes.map(function (name, at) {
      const trace = { type: "scatter3d", mode: "lines", name: "edges", hoverinfo: "skip", x: [], y: [], z: [], line: { width: 1.5, color: colour(name) }, opacity: 0.35 };
      set.pre.forEach(function (pre, i) {
        if (data.ei_class[pre] !== at) { return; }
        const post = set.post[i];
        for (const axis of ["x", "y", "z"]) { trace[axis].push(data[axis][pre], data[axis][post], null); }
      });
      return trace;
    }).filter((trace) => trace.x.length);
  }
  function range(values) {
    return [Math.min.apply(null, values), Math.max.apply(null, values)];
  }
  function borders() {
    const [left, right] = range(data.x), [front, back] = range(data.y), [low, high] = range(data.z);
    const depths = [...new Set(data.borders.flatMap((border) => [border[1], border[2]]))].filter((depth) => -depth >= low && -depth <= high);
    const trace = { type: "scatter3d", mode: "lines", name: "borders of laminae", hoverinfo: "skip", x: [], y: [], z: [], line: { width: 1, color: colour("quiet") }, opacity: 0.6 };
    for (const depth of depths) {
      trace.x.push(left, right, right, left, left, null);
      trace.y.push(front, front, back, back, front, null);
      trace.z.push(-depth, -depth, -depth, -depth, -depth, null);
    }
    return depths.length ? [trace] : [];
  }
  function axis(title) {
    return { title: { text: title, font: { size: 12 } }, color: colour("quiet"), gridcolor: colour("rule"), showbackground: false, zeroline: false, nticks: 4, tickfont: { size: 11 } };
  }
  function ratio() {  // true proportions, but for a narrow column, which the caption tells
    const [dx, dy, dz] = ["x", "y", "z"].map((name) => { const [low, high] = range(data[name]); return high - low || 1; });
    const x = dx * data.stretch, y = dy * data.stretch, most = Math.max(x, y, dz) / 1.7;
    return { x: x / most, y: y / most, z: dz / most };
  }
  function layout() {
    const [low] = range(data.z), step = low < -600 ? 200 : 100, ticks = [];
    for (let depth = 0; depth <= -low + step; depth += step) { ticks.push(-depth); }
    const down = Object.assign(axis("depth below pia, \u00b5m"), { tickvals: ticks, ticktext: ticks.map((z) => String(-z)) });
    return {
      scene: { xaxis: axis("x, \u00b5m"), yaxis: axis("z, \u00b5m"), zaxis: down, aspectmode: "manual", aspectratio: ratio(), camera: start, dragmode: "orbit", uirevision: "kept" },
      showlegend: false, margin: { l: 0, r: 0, t: 0, b: 0 }, uirevision: "kept",
      paper_bgcolor: colour("paper"), font: { family: getComputedStyle(document.body).fontFamily, color: colour("ink") },
      hoverlabel: { bgcolor: colour("pale"), font: { color: colour("ink") } }
    };
  }
  function legend(key) {
    const list = document.getElementById("scene-legend"), names = key === "lamina" ? data.laminae : data.classes;
    const entries = [];
    names.forEach(function (name, at) {
      const number = data[key].filter((value) => value === at).length;
      if (!number) { return; }
      const entry = document.createElement("li"), chip = document.createElement("span");
      chip.style.background = colourOf(key, at);
      if (key === "ei_class") { chip.className = symbols[at]; }
      entry.append(chip, name + ": " + number.toLocaleString("en"));
      entries.push(entry);
    });
    list.replaceChildren(...entries);
  }
  function draw() {
    if (!scene) { return; }
    const key = document.getElementById("scene-colour").value, choice = document.getElementById("scene-edges").value;
    const traces = [...borders(), ...(choice === "" ? [] : edges(Number(choice))), ...cells(key)];
    const options = { responsive: true, displaylogo: false, scrollZoom: false, modeBarButtonsToRemove: ["tableRotation", "resetCameraLastSave3d", "hoverClosest3d"] };
    legend(key);
    return Plotly.react(scene, traces, layout(), options);
  }
  function hasWebGL() {
    try { return Boolean(document.createElement("canvas").getContext("webgl")); } catch (error) { return false; }
  }
  function look(camera) {
    Plotly.relayout(scene, { "scene.camera": camera });
  }
  function turn(degrees) {
    const camera = scene._fullLayout.scene._scene.getCamera(), angle = degrees * Math.PI / 180, eye = camera.eye;
    const x = eye.x * Math.cos(angle) - eye.y * Math.sin(angle), y = eye.x * Math.sin(angle) + eye.y * Math.cos(angle);
    look(Object.assign({}, camera, { eye: { x: x, y: y, z: eye.z } }));
  }

  if (data && window.Plotly && hasWebGL()) {
    scene = document.getElementById("scene");
    document.querySelector(".turning").hidden = false;
    root.classList.add("has-scene");
    for (const id of ["scene-colour", "scene-edges"]) { document.getElementById(id).addEventListener("change", draw); }
    for (const button of document.querySelectorAll("[data-turn]")) { button.addEventListener("click", () => turn(Number(button.dataset.turn))); }
    for (const button of document.querySelectorAll("[data-view]")) { button.addEventListener("click", () => look(button.dataset.view === "top" ? above : side)); }
  } else if (holder) {
    holder.remove();
  }
  chosen.addEventListener("change", function () { remember(chosen.value); setTheme(chosen.value); });
  dark.addEventListener("change", draw);
  window.addEventListener("beforeprint", () => document.querySelectorAll("details").forEach((part) => { part.open = true; }));
  setTheme(remembered());
})();
