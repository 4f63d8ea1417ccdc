"use strict";
(() => {
  const byId = (id) => document.getElementById(id);
  const root = document.documentElement;

  // Theme: the system's unless chosen here. Storage may be barred for local files.
  const remembered = () => { try { return localStorage.getItem("fastpgs-theme"); } catch { return null; } };
  const setTheme = (theme) => {
    root.dataset.theme = theme;
    byId("theme").textContent = theme === "dark" ? "Light theme" : "Dark theme";
  };
  setTheme(remembered() || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light"));
  byId("theme").hidden = false;
  byId("theme").addEventListener("click", () => {
    setTheme(root.dataset.theme === "dark" ? "light" : "dark");
    try { localStorage.setItem("fastpgs-theme", root.dataset.theme); } catch { /* not kept, then */ }
  });

  const table = byId("table");
  if (!table) return;
  const body = table.tBodies[0], gallery = byId("gallery");
  const rowsPerPage = 50, cardsPerStep = 30;
  const number = (text) => (text === "" ? null : Number(text));
  const rows = [...body.rows].map((row) => ({
    row, index: Number(row.dataset.i), p: number(row.dataset.p), call: row.dataset.call,
    cells: Number(row.dataset.cells), fraction: number(row.dataset.fraction),
    name: row.cells[0].textContent, reason: row.cells[5].textContent, card: null,
  }));
  const byIndex = new Map(rows.map((entry) => [entry.index, entry]));
  const loose = [];  // cards whose row is not listed
  for (const card of gallery.children) {
    const entry = byIndex.get(Number(card.dataset.i));
    if (entry) entry.card = card; else loose.push(card);
  }
  const state = { query: "", call: "", sort: "index", page: 0, cards: cardsPerStep };
  const text = new Intl.Collator(undefined, { numeric: true });

  const compare = (key) => {
    const down = key.startsWith("-"), name = down ? key.slice(1) : key;
    const value = name === "u" ? (e) => (e.p === null ? -1 : Math.abs(e.p - 0.5)) : (e) => e[name];
    return (a, b) => {
      const x = value(a), y = value(b);
      if (x === null || y === null) return (x === null) - (y === null) || a.index - b.index;
      const order = typeof x === "string" ? text.compare(x, y) : x - y;
      return (down ? -order : order) || a.index - b.index;
    };
  };

  const update = () => {
    const query = state.query.toLowerCase();
    const match = rows.filter((e) => (!state.call || e.call === state.call)
      && (!query || e.name.toLowerCase().includes(query) || e.reason.toLowerCase().includes(query)));
    match.sort(compare(state.sort));
    const pages = Math.max(1, Math.ceil(match.length / rowsPerPage));
    state.page = Math.min(state.page, pages - 1);
    const page = match.slice(state.page * rowsPerPage, (state.page + 1) * rowsPerPage);
    body.replaceChildren(...page.map((e) => e.row));
    const cards = match.map((e) => e.card).filter(Boolean);
    if (!state.call && !query) cards.push(...loose);
    gallery.replaceChildren(...cards.slice(0, state.cards));
    byId("more").hidden = cards.length <= state.cards;
    byId("more").textContent = `Show more pictures (${(cards.length - state.cards).toLocaleString()} left)`;
    byId("shown").textContent = match.length === rows.length
      ? `(${rows.length.toLocaleString()})` : `(${match.length.toLocaleString()} of ${rows.length.toLocaleString()})`;
    byId("pager").hidden = pages === 1;
    byId("page").textContent = `page ${state.page + 1} of ${pages}`;
    byId("previous").disabled = state.page === 0;
    byId("next").disabled = state.page === pages - 1;
    for (const head of table.tHead.rows[0].cells) {
      const key = head.dataset.key;
      if (state.sort === key) head.setAttribute("aria-sort", "ascending");
      else if (state.sort === `-${key}`) head.setAttribute("aria-sort", "descending");
      else head.removeAttribute("aria-sort");
    }
    const known = [...byId("sort").options].some((option) => option.value === state.sort);
    byId("sort").value = known ? state.sort : "";
  };
  const change = (values) => { Object.assign(state, { page: 0, cards: cardsPerStep }, values); update(); };

  for (const head of table.tHead.rows[0].cells) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    const key = head.dataset.key, first = head.dataset.kind === "text" ? key : `-${key}`;
    const second = first === key ? `-${key}` : key;
    button.addEventListener("click", () => change({ sort: state.sort === first ? second : first }));
  }
  for (const chip of document.querySelectorAll(".chip")) {
    chip.addEventListener("click", () => {
      for (const other of document.querySelectorAll(".chip")) {
        other.classList.toggle("on", other === chip);
        other.setAttribute("aria-pressed", String(other === chip));
      }
      change({ call: chip.dataset.call });
    });
  }
  byId("query").addEventListener("input", (event) => change({ query: event.target.value }));
  byId("sort").addEventListener("change", (event) => change({ sort: event.target.value }));
  byId("more").addEventListener("click", () => { state.cards += cardsPerStep; update(); });
  byId("previous").addEventListener("click", () => { state.page -= 1; update(); });
  byId("next").addEventListener("click", () => { state.page += 1; update(); });
  byId("outlines").addEventListener("click", (event) => {
    const bare = document.body.classList.toggle("bare");
    event.target.textContent = bare ? "Outlines off" : "Outlines on";
    event.target.setAttribute("aria-pressed", String(!bare));
  });
  byId("controls").hidden = false;

  // Details of one picture. Everything is set as text, never as markup.
  const dialog = byId("details");
  const make = (tag, content, name) => {
    const element = document.createElement(tag);
    if (content !== undefined) element.textContent = content;
    if (name) element.className = name;
    return element;
  };
  gallery.addEventListener("click", (event) => {
    const card = event.target.closest(".card");
    if (!card) return;
    byId("details-name").textContent = card.querySelector(".name").textContent;
    const entry = byIndex.get(Number(card.dataset.i));
    byId("details-facts").textContent = entry
      ? `${entry.call}${entry.p === null ? "" : `, p_blast ${entry.p.toFixed(3)}`}. ${entry.reason}` : "";
    const picture = card.querySelector(".picture").cloneNode(true);
    byId("details-picture").replaceChildren(picture);
    const paths = [...picture.querySelectorAll("path[data-p]")];
    paths.sort((a, b) => b.dataset.p - a.dataset.p);
    byId("details-cells").replaceChildren(...paths.map((path) => {
      const line = make("tr"), p = Number(path.dataset.p), cell = make("td"), pair = make("div", undefined, "p");
      const bar = make("span", undefined, "bar"), fill = make("span");
      fill.style.width = `${100 * p}%`;
      fill.style.background = path.getAttribute("stroke");
      bar.append(fill);
      pair.append(bar, make("span", p.toFixed(2)));
      cell.append(pair);
      const call = make("td");
      call.append(make("span", path.dataset.call, `tag call-${path.dataset.call}`));
      line.append(make("td", path.dataset.n, "n"), cell, call);
      line.addEventListener("mouseenter", () => path.classList.add("lit"));
      line.addEventListener("mouseleave", () => path.classList.remove("lit"));
      return line;
    }));
    dialog.showModal();
  });
  byId("close").addEventListener("click", () => dialog.close());
  dialog.addEventListener("click", (event) => { if (event.target === dialog) dialog.close(); });
  update();
})();
