// What the pages do by script: polls that rest, back off and catch up; times that tick; copying, keys, announcements.
// Every page works without it.
(() => {
  "use strict";

  // --- The server's clock

  // Client clocks are wrong by minutes; every time on a page is the server's.
  let offset = 0;
  let lastTold = 0;
  const now = () => Date.now() + offset;

  function startClock() {
    const told = Number(document.body.dataset.now);
    lastTold = told;
    const visit = performance.getEntriesByType("navigation")[0];
    // A page from the browser's own store tells an old time.
    if (told && visit && visit.transferSize > 0) {
      offset = told - (Date.now() - (performance.now() - visit.responseStart));
    }
  }

  function readClock(element) {
    const told = Number(element?.dataset?.now);
    // A poll that brought nothing leaves the old time standing.
    if (!told || told === lastTold) return;
    lastTold = told;
    offset = told - Date.now();
  }

  function checkClock(response) {
    const told = Date.parse(response?.headers?.get("Date") ?? "");
    // The header tells whole seconds.
    if (told && Math.abs(told + 500 - now()) > 2500) offset = told + 500 - Date.now();
  }

  // --- Times: written as views/presentation.py writes them

  const two = (number) => String(number).padStart(2, "0");

  function duration(ms) {
    const s = Math.floor(Math.max(0, ms) / 1000);
    if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
    if (s < 86400) return `${Math.floor(s / 3600)}h ${two(Math.floor((s % 3600) / 60))}m`;
    return `${Math.floor(s / 86400)}d ${two(Math.floor((s % 86400) / 3600))}h`;
  }

  function ago(moment) {
    const s = Math.floor((now() - moment) / 1000);
    if (s < 10) return "just now";
    if (s < 60) return `${s} s ago`;
    if (s < 3600) return `${Math.floor(s / 60)} min ago`;
    if (s < 86400) return `${Math.floor(s / 3600)} h ago`;
    const days = Math.floor(s / 86400);
    if (days < 30) return days === 1 ? "1 day ago" : `${days} days ago`;
    return day(new Date(moment));
  }

  function since(ms) {
    const s = Math.floor(Math.max(0, ms) / 1000);
    const hours = Math.floor(s / 3600);
    const rest = `${hours ? two(Math.floor((s % 3600) / 60)) : Math.floor(s / 60)}:${two(s % 60)}`;
    return hours ? `${hours}:${rest}` : rest;
  }

  const day = (date) => `${date.getFullYear()}-${two(date.getMonth() + 1)}-${two(date.getDate())}`;
  const minute = (date) => `${two(date.getHours())}:${two(date.getMinutes())}`;
  const second = (date) => `${minute(date)}:${two(date.getSeconds())}`;

  const WRITE = {
    elapsed: (moment) => duration(now() - moment),
    ago,
    since: (moment) => since(now() - moment),
    clock: (moment) => {
      const date = new Date(moment);
      return Math.abs(now() - moment) < 86400000 ? minute(date) : `${day(date)} ${minute(date)}`;
    },
  };

  function tick() {
    for (const element of document.querySelectorAll("time[data-tick]")) {
      const moment = Date.parse(element.dateTime);
      const text = WRITE[element.dataset.tick](moment);
      // Writing the same text again would lose a selection in it.
      if (element.textContent !== text) element.textContent = text;
      const exact = `${day(new Date(moment))} ${second(new Date(moment))}`;
      if (element.title !== exact) element.title = exact;
    }
    for (const element of document.querySelectorAll("[data-shown-from]")) {
      element.hidden = now() < Number(element.dataset.shownFrom);
    }
    drawTracks();
  }

  // The bars of an unfinished run: its time grows, so all of them move.
  function drawTracks() {
    for (const list of document.querySelectorAll("[data-run-from]")) {
      const from = Number(list.dataset.runFrom);
      const span = Math.max(1, now() - from);
      for (const bar of list.querySelectorAll("rect[data-from]")) {
        const begin = Number(bar.dataset.from);
        const end = bar.dataset.to ? Number(bar.dataset.to) : now();
        const x = Math.min(100, Math.max(0, ((begin - from) * 100) / span));
        bar.setAttribute("x", `${x.toFixed(2)}%`);
        bar.setAttribute("width", `${Math.max(0.4, Math.min(100 - x, ((end - begin) * 100) / span)).toFixed(2)}%`);
      }
    }
  }

  // --- Polls

  let fails = 0;
  let notBefore = 0;
  let asOf = 0;
  let again = 0;

  const isPoll = (element) => element instanceof Element && element.hasAttribute("data-poll");

  function showLiveness() {
    const live = document.getElementById("live");
    if (!live || !document.querySelector("[data-poll]")) return;
    live.hidden = false;
    live.classList.toggle("is-late", fails > 0);
    const text = fails > 0 ? `Reconnecting, as of ${second(new Date(asOf))}` : "Live";
    if (live.textContent !== text) live.textContent = text;
  }

  function pollNow() {
    notBefore = 0;
    document.dispatchEvent(new Event("poll-now"));
  }

  document.addEventListener("htmx:config:request", (event) => {
    if (!isPoll(event.detail.ctx.sourceElement)) return;
    if (document.hidden || Date.now() < notBefore) event.preventDefault();
  });

  document.addEventListener("htmx:finally:request", (event) => {
    const { sourceElement, response } = event.detail.ctx;
    if (!isPoll(sourceElement)) return;
    if (response && (response.status < 300 || response.status === 304)) {
      fails = 0;
      notBefore = 0;
      clearTimeout(again);
      checkClock(response);
      asOf = now();
    } else {
      fails += 1;
      // A second longer each time than twice before, half a minute at most; a slow poller need not wait for its turn.
      const wait = Math.min(30000, 1000 * 2 ** Math.min(fails, 5));
      notBefore = Date.now() + wait;
      clearTimeout(again);
      again = setTimeout(pollNow, wait);
    }
    showLiveness();
  });

  // htmx listens for the same event and asks at once; this must come first.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) return;
    notBefore = 0;
    tick();
  }, { capture: true });

  window.addEventListener("online", pollNow);
  window.addEventListener("pageshow", (event) => {
    if (event.persisted) pollNow();
  });

  // --- What changed, for those who listen

  const SPOKEN = new Set(["error", "success", "stalled"]);
  const statuses = new Map();

  function readStatuses(isFirst) {
    const news = [];
    const seen = new Set();
    for (const card of document.querySelectorAll("[data-card]")) {
      const before = statuses.get(card.id);
      const status = card.dataset.status;
      seen.add(card.id);
      if (before !== status) {
        statuses.set(card.id, status);
        if (!isFirst && before !== undefined && SPOKEN.has(status)) {
          const name = card.querySelector(".name")?.textContent.trim() ?? "";
          news.push(`${name}: ${card.querySelector(".verb")?.textContent.trim() ?? status}`);
        }
      }
    }
    for (const id of statuses.keys()) if (!seen.has(id)) statuses.delete(id);
    if (!news.length) return;
    const more = news.length > 3 ? `, and ${news.length - 3} more` : "";
    document.getElementById("announcer").textContent = news.slice(0, 3).join(". ") + more;
  }

  document.addEventListener("htmx:after:swap", () => {
    const poller = document.getElementById("page-poll");
    readClock(poller);
    tick();
    readStatuses(false);
  });

  // --- Copying

  async function copy(text) {
    if (navigator.clipboard && window.isSecureContext) {
      await navigator.clipboard.writeText(text);
      return;
    }
    // Plain http on a local network has no clipboard; the old way has.
    const area = document.createElement("textarea");
    area.value = text;
    area.className = "visually-hidden";
    document.body.append(area);
    area.select();
    const done = document.execCommand("copy");
    area.remove();
    if (!done) throw new Error("The browser does not let this page copy.");
  }

  document.addEventListener("click", (event) => {
    const button = event.target.closest("[data-copy], [data-copy-text]");
    if (button) {
      const text = button.dataset.copyText ?? document.querySelector(button.dataset.copy)?.textContent ?? "";
      const label = button.querySelector("span") ?? button;
      const before = label.dataset.label ?? label.textContent;
      label.dataset.label = before;
      copy(text).then(() => "Copied", () => "Press Ctrl+C").then((said) => {
        label.textContent = said;
        button.focus();
        setTimeout(() => {
          label.textContent = before;
          delete label.dataset.label;
        }, 1800);
      });
      return;
    }
    const opener = event.target.closest("[data-opens]");
    if (opener) openDialog(opener.dataset.opens);
    const menu = document.getElementById("menu");
    if (menu?.open && !menu.contains(event.target)) menu.open = false;
  });

  // --- Filters

  document.addEventListener("change", (event) => {
    const form = event.target.closest("form[data-submit-on-change]");
    if (form && event.target.matches("select")) form.requestSubmit();
  });
  // An emptied search field, by its own cross.
  document.addEventListener("search", (event) => {
    if (event.target.value === "") event.target.form?.requestSubmit();
  }, { capture: true });
  // The address stays short: what is not narrowed is not in it.
  document.addEventListener("submit", (event) => {
    if (!event.target.matches("form[data-submit-on-change]")) return;
    for (const field of event.target.elements) if (field.name && !field.value) field.disabled = true;
  });
  window.addEventListener("pageshow", () => {
    for (const field of document.querySelectorAll("form[data-submit-on-change] :disabled")) field.disabled = false;
  });

  // --- Keys

  function openDialog(id) {
    const dialog = document.getElementById(id);
    const menu = document.getElementById("menu");
    if (menu) menu.open = false;
    if (dialog && !dialog.open) dialog.showModal();
  }

  function walk(step) {
    const links = [...document.querySelectorAll("main .name a, main a.opens")];
    if (!links.length) return;
    const at = links.findIndex((link) => link.closest("article, li")?.contains(document.activeElement));
    const next = links[at < 0 ? (step > 0 ? 0 : links.length - 1) : Math.min(links.length - 1, Math.max(0, at + step))];
    next.focus();
    next.closest("article, li")?.scrollIntoView({ block: "nearest" });
  }

  document.addEventListener("keydown", (event) => {
    const menu = document.getElementById("menu");
    if (event.key === "Escape" && menu?.open) {
      menu.open = false;
      menu.querySelector("summary").focus();
      return;
    }
    if (event.ctrlKey || event.metaKey || event.altKey || event.defaultPrevented) return;
    if (event.target.closest("input, select, textarea, [contenteditable], dialog")) return;
    if (event.key === "/") {
      const search = document.querySelector("input[type=search]");
      if (!search) return;
      search.focus();
      search.select();
    } else if (event.key === "j" || event.key === "k") {
      walk(event.key === "j" ? 1 : -1);
    } else if (event.key === "?") {
      openDialog("keys");
    } else {
      return;
    }
    event.preventDefault();
  });

  // --- The start

  startClock();
  asOf = now();
  showLiveness();
  tick();
  readStatuses(true);
  setInterval(() => {
    if (!document.hidden) tick();
  }, 1000);
  requestAnimationFrame(() => requestAnimationFrame(() => document.documentElement.classList.add("is-open")));
  // A page that the browser kept may be old: ask once htmx listens.
  window.addEventListener("load", () => {
    if (performance.getEntriesByType("navigation")[0]?.type === "back_forward") pollNow();
  });
})();
