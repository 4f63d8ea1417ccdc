"use strict";
const $ = (id) => document.getElementById(id);
const SVG = "http://www.w3.org/2000/svg";
const CLUSTERS = document.body.dataset.clusters.split(" ");
let picture = null, cells = [], chosen = -1;
let pixels = "";  // their size as typed, for pictures that do not say theirs

function element(name, attributes, text) {
  const made = document.createElementNS(SVG, name);
  for (const [key, value] of Object.entries(attributes || {})) made.setAttribute(key, value);
  if (text !== undefined) made.textContent = text;
  return made;
}
function html(name, className, text) {
  const made = document.createElement(name);
  if (className) made.className = className;
  if (text !== undefined) made.textContent = text;
  return made;
}
function complain(text) { $("error").textContent = text; $("error").hidden = !text; }
const address = (rest) => `api/pictures/${picture.id}/${rest}`;

async function ask(path, options) {
  let answer;
  try { answer = await fetch(path, options); }
  catch { throw new Error("fastpgs does not answer; is it still running in the terminal?"); }
  if (!answer.ok) {
    let reason = `${answer.status} ${answer.statusText}`;
    try { reason = (await answer.json()).error || reason; } catch { /* not JSON */ }
    throw new Error(reason);
  }
  return answer;
}

async function open(request) {
  complain("");
  $("drop").setAttribute("aria-busy", "true");
  try {
    picture = await (await request()).json();
    show();
    segment();
    await judge();
  } catch (error) { complain(error.message); $("status").textContent = ""; }
  $("drop").removeAttribute("aria-busy");
}
function upload(file) {
  if (!file) return;
  if (file.size > Number(document.body.dataset.bytes)) {
    complain(`${file.name}: a file may have ${document.body.dataset.megabytes} MB, this one has more`);
    return;
  }
  open(() => ask("api/pictures", {
    method: "POST", body: file,
    headers: { "X-Fastpgs": "1", "X-Filename": encodeURIComponent(file.name), "Content-Type": "application/octet-stream" },
  }));
}

function show() {
  cells = []; chosen = -1;
  $("drop").hidden = true; $("work").hidden = false; $("another").hidden = false;
  $("name").textContent = picture.name;
  $("pixel-size").value = picture.pixel_size ?? pixels;
  $("status").textContent = "finding cells …";
  for (const id of ["call", "field-p", "n-cells", "n-blast", "n-uncertain", "n-normal"]) $(id).textContent = "…";
  $("tile-call").className = "tile";
  $("reason").textContent = "the picture as a whole";
  $("cells").tBodies[0].replaceChildren();
  $("why").hidden = true; $("why-hint").hidden = false;
  const { width, height } = picture;
  const view = $("picture");
  view.setAttribute("viewBox", `0 0 ${width} ${height}`);
  view.classList.toggle("sharp", Math.max(width, height) < 200);
  view.replaceChildren(
    element("image", { href: address("picture"), width, height, preserveAspectRatio: "none" }),
    element("image", { id: "clusters-image", width, height, preserveAspectRatio: "none" }),
    element("g", { id: "outlines" }), element("g", { id: "nuclei" }), element("g", { id: "light" }));
  for (const kind of ["csv", "geojson", "labels"]) $(`get-${kind}`).removeAttribute("href");
  toggles();
}

async function judge() {
  const mine = picture.id;
  const start = performance.now();
  const size = $("pixel-size").value;
  const found = await (await ask(address(`cells?pixel_size=${size}`))).json();
  if (picture.id !== mine || $("pixel-size").value !== size) return;
  cells = found.cells;
  const count = (call) => String(cells.filter((cell) => cell.call === call).length);
  $("call").textContent = found.call;
  $("call").className = "figure word";
  $("tile-call").className = `tile call-${found.call}`;
  $("reason").textContent = found.reason || "the picture as a whole";
  $("field-p").textContent = found.p === null ? "–" : found.p.toFixed(2);
  $("n-cells").textContent = String(cells.length);
  for (const call of ["blast", "uncertain", "normal"]) $(`n-${call}`).textContent = count(call);
  $("mask-figure").hidden = !found.has_masks;
  $("status").textContent = `${picture.width} × ${picture.height} pixels, judged in ${((performance.now() - start) / 1000).toFixed(1)} s`
    + (picture.note ? ` · ${picture.note}` : "");
  draw();
  for (const kind of ["csv", "geojson", "labels"]) $(`get-${kind}`).href = address(`download/${kind}`);
}

function draw() {
  const outlines = $("outlines"), nuclei = $("nuclei"), body = $("cells").tBodies[0];
  outlines.replaceChildren(element("path", { class: "casing", d: cells.map((cell) => cell.path).join("") }));
  for (const old of [nuclei, body, $("light")]) old.replaceChildren();
  $("why").hidden = true; $("why-hint").hidden = false;
  chosen = -1;
  cells.forEach((cell, i) => {
    const path = element("path", {
      class: `cell${cell.call === "uncertain" ? " dashed" : ""}`, d: cell.path, stroke: cell.colour, "data-i": i,
      tabindex: i ? -1 : 0, role: "button", "aria-label": `cell ${cell.cell}: p_blast ${cell.p.toFixed(2)}, ${cell.call}`,
    });
    path.append(element("title", {}, `cell ${cell.cell}: p_blast ${cell.p.toFixed(2)}, ${cell.call}`));
    outlines.append(path);
    nuclei.append(element("path", { class: "nucleus", d: cell.nucleus }));
    body.append(row(cell, i));
  });
}
function row(cell, i) {
  const made = html("tr");
  made.dataset.i = i;
  const head = html("th", "n");
  head.scope = "row";
  const button = html("button", "", String(cell.cell));
  button.type = "button";
  button.setAttribute("aria-label", `cell ${cell.cell}, show why`);
  head.append(button);
  const p = html("div", "p"), bar = html("span", "bar"), level = html("span");
  level.style.width = `${100 * cell.p}%`;
  level.style.background = cell.colour;
  bar.append(level);
  p.append(bar, cell.p.toFixed(2));
  const data = html("td"); data.append(p);
  const call = html("td"); call.append(html("span", `tag call-${cell.call}`, cell.call));
  made.append(head, data, call, html("td", "n", cell.area.toLocaleString("en")), html("td", "n", cell.nucleus_ratio.toFixed(2)));
  return made;
}

function choose(i, focus) {
  if (!cells.length) return;
  chosen = (i + cells.length) % cells.length;
  const cell = cells[chosen];
  document.querySelectorAll("#picture .cell").forEach((path, at) => {
    path.classList.toggle("lit", at === chosen);
    path.setAttribute("tabindex", at === chosen ? 0 : -1);
    if (at === chosen && focus) path.focus({ preventScroll: true });
  });
  document.querySelectorAll("#cells tbody tr").forEach((one, at) => {
    one.classList.toggle("lit", at === chosen);
    if (at !== chosen) return;
    const box = one.closest(".scroll"), top = one.offsetTop - box.offsetTop;
    if (top < box.scrollTop + 30 || top + one.offsetHeight > box.scrollTop + box.clientHeight) box.scrollTop = top - 60;
  });
  $("light").replaceChildren(element("path", { class: "ring", d: cell.path }));
  $("why-hint").hidden = true; $("why").hidden = false;
  const facts = $("why-facts");
  facts.replaceChildren(html("strong", "", `Cell ${cell.cell} `), html("span", `tag call-${cell.call}`, cell.call),
    ` p = ${cell.p.toFixed(3)}; ${cell.area.toLocaleString("en")} px, nucleus ${Math.round(100 * cell.nucleus_ratio)} % of it`);
  const size = $("pixel-size").value;  // part of the address, so that the browser keeps one picture a size
  $("crop").src = address(`cells/${cell.cell}/crop.png?${size}`);
  $("crop").alt = `Crop of cell ${cell.cell}`;
  if (!$("mask-figure").hidden) {
    $("mask").src = address(`cells/${cell.cell}/mask.png?${size}`);
    $("mask").alt = `Mask map of cell ${cell.cell}`;
  }
}

// --- live segmentation: one request under way, the newest values next
let busy = false, again = false;
function threshold() {
  const step = Number($("threshold").value);
  return step >= 40 ? null : Math.round(4 * 2 ** (step / 4));
}
async function segment() {
  $("k-out").textContent = $("k").value;
  $("threshold-out").textContent = threshold() === null ? "no limit" : `${threshold().toLocaleString("en")} CIELAB²`;
  $("threshold").setAttribute("aria-valuetext", $("threshold-out").textContent);
  if (!picture) return;
  if (busy) { again = true; return; }
  busy = true;
  try {
    const start = performance.now();
    const query = new URLSearchParams({ k: $("k").value, threshold: threshold() ?? "", connectivity: $("grow").value });
    const answer = await ask(address(`segment.png?${query}`));
    const facts = JSON.parse(answer.headers.get("x-segmentation"));
    const image = $("clusters-image"), old = image.getAttribute("href");
    image.setAttribute("href", URL.createObjectURL(await answer.blob()));
    if (old) setTimeout(() => URL.revokeObjectURL(old), 1000);
    clusters(facts);
    $("pgs-facts").textContent = `${facts.iterations} iterations, ${facts.ms} ms; ${Math.round(performance.now() - start)} ms with transfer`;
  } catch (error) { $("pgs-facts").textContent = error.message; }
  busy = false;
  if (again) { again = false; segment(); }
}
function clusters(facts) {
  const lines = facts.shares.slice(1).map((share, i) => {
    const line = html("li"), swatch = element("svg", { width: 16, height: 16, "aria-hidden": "true" });
    swatch.append(element("rect", { width: 16, height: 16, fill: CLUSTERS[i % CLUSTERS.length] }));
    const name = i === 0 ? "1, the darkest: nuclei" : i === facts.shares.length - 2 ? `${i + 1}, the brightest` : String(i + 1);
    line.append(swatch, html("span", "", name), html("span", "", `${(100 * share).toFixed(1)} %`));
    return line;
  });
  if (facts.shares[0]) {
    const line = html("li");
    line.append(html("span"), html("span", "dim", "reached by no pivot"), html("span", "dim", `${(100 * facts.shares[0]).toFixed(1)} %`));
    lines.push(line);
  }
  $("clusters").replaceChildren(...lines);
}
function turn() {
  if (!$("show-clusters").checked) { $("show-clusters").checked = true; toggles(); }
  segment();
}
function toggles() {
  const show = (id, on) => { if ($(id)) $(id).style.display = on ? "" : "none"; };
  show("outlines", $("show-cells").checked);
  show("light", $("show-cells").checked);
  show("nuclei", $("show-nuclei").checked);
  show("clusters-image", $("show-clusters").checked);
}

$("pixel-size").addEventListener("change", async () => {
  if (!picture) return;
  if (picture.pixel_size === null) pixels = $("pixel-size").value;
  complain("");
  $("status").textContent = "judging …";
  try {
    if (!$("pixel-size").checkValidity()) throw new Error($("pixel-size").validationMessage);
    await judge();
  } catch (error) { complain(error.message); $("status").textContent = ""; }
});
for (const id of ["k", "threshold", "grow"]) $(id).addEventListener("input", turn);
for (const id of ["show-cells", "show-nuclei", "show-clusters"]) $(id).addEventListener("change", toggles);
$("choose").addEventListener("click", () => $("file").click());
$("another").addEventListener("click", () => { $("drop").hidden = false; $("choose").focus(); $("drop").scrollIntoView(); });
$("file").addEventListener("change", () => { upload($("file").files[0]); $("file").value = ""; });
$("sample").addEventListener("click", () => open(() => ask("api/sample", { method: "POST", headers: { "X-Fastpgs": "1" } })));
document.addEventListener("dragover", (event) => { event.preventDefault(); $("drop").classList.add("over"); });
document.addEventListener("dragleave", (event) => { if (!event.relatedTarget) $("drop").classList.remove("over"); });
document.addEventListener("drop", (event) => { event.preventDefault(); $("drop").classList.remove("over"); upload(event.dataTransfer.files[0]); });
$("picture").addEventListener("click", (event) => { if (event.target.dataset.i) choose(Number(event.target.dataset.i), true); });
$("picture").addEventListener("focusin", (event) => { if (event.target.dataset.i && Number(event.target.dataset.i) !== chosen) choose(Number(event.target.dataset.i), false); });
$("picture").addEventListener("keydown", (event) => {
  const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
  if (step) { event.preventDefault(); choose(chosen + step, true); }
  if (event.key === "Home") { event.preventDefault(); choose(0, true); }
  if (event.key === "End") { event.preventDefault(); choose(cells.length - 1, true); }
});
$("cells").addEventListener("click", (event) => {
  const line = event.target.closest("tr[data-i]");
  if (line) choose(Number(line.dataset.i), false);
});
function theme(dark) {
  document.documentElement.dataset.theme = dark ? "dark" : "light";
  $("theme").textContent = dark ? "Light theme" : "Dark theme";
}
theme(matchMedia("(prefers-color-scheme: dark)").matches);
$("theme").addEventListener("click", () => theme(document.documentElement.dataset.theme !== "dark"));
