// <slipway-card token="share_…"></slipway-card>: a share link's card in any page, live. No dependency, no innerHTML.
// Attributes: token; server (where it is not this script's own); look (light or dark; else the reader's).
// Custom properties: --slipway-font, -surface, -line, -ink, -ink-2, -radius, -idle, -validating, -provisioning,
// -success, -error, -stalled. Events: slipway-change {detail: the card's JSON}. Also sizes <iframe>s of /embed/….
(() => {
  "use strict";
  const HOME = new URL(".", document.currentScript?.src ?? location.href).href;
  const SVG = "http://www.w3.org/2000/svg";
  const ICONS = {
    error: ["M18 6 6 18", "m6 6 12 12"],
    success: ["M20 6 9 17l-5-5"],
    provisioning: ["M21 12a9 9 0 1 1-6.219-8.56"],
    validating: ["m21 21-4.34-4.34", "M11 3a8 8 0 1 0 0 16 8 8 0 0 0 0-16"],
    stalled: ["m21.73 18-8-14a2 2 0 0 0-3.48 0l-8 14A2 2 0 0 0 4 21h16a2 2 0 0 0 1.73-3", "M12 9v4", "M12 17h.01"],
    idle: ["M12 2a10 10 0 1 0 0 20 10 10 0 0 0 0-20"],
  };
  const tones = (look) => Object.entries({
    surface: ["#fff", "#16181d"], line: ["#d5d7dd", "#363b45"], ink: ["#17181c", "#edeef2"],
    "ink-2": ["#565b66", "#a8aeba"], idle: ["#666b77", "#9298a5"], validating: ["#7443c9", "#b490ff"],
    provisioning: ["#1f5fd0", "#6da8ff"], success: ["#137446", "#4cc38a"], error: ["#c0272d", "#ff7a80"],
    stalled: ["#935600", "#f5b34f"],
  }).map(([name, values]) => `--${name}:var(--slipway-${name},${values[look]});`).join("");
  const css = `
:host{display:block;margin-block:8px;contain:content;color-scheme:light;${tones(0)}}
@media (prefers-color-scheme:dark){:host(:not([look=light])){color-scheme:dark;${tones(1)}}}
:host([look=dark]){color-scheme:dark;${tones(1)}}
:host([hidden]){display:none}
article{all:initial;box-sizing:border-box;display:grid;grid-template-columns:26px minmax(0,1fr) auto;gap:2px 12px;
font:14px/1.45 var(--slipway-font,ui-sans-serif,system-ui,sans-serif);font-variant-numeric:tabular-nums;
color:var(--ink);background:var(--surface);border:1px solid var(--line);border-radius:var(--slipway-radius,10px);
padding:13px 16px;overflow-wrap:anywhere;--tone:var(--idle)}
${["validating", "provisioning", "success", "error", "stalled"].map((t) => `[data-tone=${t}]{--tone:var(--${t})}`).join("")}
svg{width:16px;height:16px;padding:5px;border-radius:50%;fill:none;stroke:var(--tone);stroke-width:2.2;
stroke-linecap:round;stroke-linejoin:round;background:color-mix(in oklab,var(--tone) 13%,transparent)}
strong{font-weight:600}b{color:var(--tone);font-weight:600;font-size:13px;margin-inline-start:8px}
.meta,time,.late{color:var(--ink-2);font-size:12.5px}time{white-space:nowrap}
.body{grid-column:2/-1}.body>*{margin:6px 0 0}[hidden]{display:none!important}
progress{appearance:none;display:block;width:100%;height:5px;border:0;border-radius:9px;overflow:hidden;
background:color-mix(in oklab,var(--tone) 16%,transparent)}
::-webkit-progress-bar{background:none}::-webkit-progress-value{background:var(--tone);transition:width .5s}
::-moz-progress-bar{background:var(--tone)}
.error{color:var(--error);font-weight:600;font-size:13px}
pre{font:12px/1.5 ui-monospace,monospace;white-space:pre-wrap;color:var(--ink-2);max-height:18em;overflow:auto}
.late{color:var(--stalled)}
@media (prefers-reduced-motion:no-preference){[data-tone=provisioning] svg.spin path{animation:t 1.1s linear infinite;
transform-origin:center}}@keyframes t{to{transform:rotate(1turn)}}`;
  let sheet;
  const two = (n) => String(n).padStart(2, "0");
  const clock = (ms) => {
    const d = new Date(ms);
    return `${two(d.getHours())}:${two(d.getMinutes())}:${two(d.getSeconds())}`;
  };
  const lasted = (ms) => {
    const s = Math.floor(Math.max(0, ms) / 1000);
    if (s < 3600) return `${Math.floor(s / 60)}m ${two(s % 60)}s`;
    if (s < 86400) return `${Math.floor(s / 3600)}h ${two(Math.floor((s % 3600) / 60))}m`;
    return `${Math.floor(s / 86400)}d ${two(Math.floor((s % 86400) / 3600))}h`;
  };
  const put = (node, text) => {
    node.hidden = !text;
    if (node.textContent !== text) node.textContent = text ?? "";
  };
  const make = (parent, name, kind) => {
    const node = document.createElement(name);
    if (kind) node.className = kind;
    parent.append(node);
    return node;
  };

  class SlipwayCard extends HTMLElement {
    static observedAttributes = ["token", "server"];
    #parts; #card; #timer; #fails = 0; #asOf = 0; #offset = 0; #run = 0; #over = "";

    connectedCallback() {
      if (!this.#parts) this.#build();
      document.addEventListener("visibilitychange", this.#seen);
      this.#start();
    }
    disconnectedCallback() {
      document.removeEventListener("visibilitychange", this.#seen);
      this.#run += 1;
      clearTimeout(this.#timer);
    }
    attributeChangedCallback(_, before, after) {
      // While the element is made, this comes before it is connected.
      if (this.#parts && this.isConnected && before !== after) this.#start();
    }
    #seen = () => {
      if (!document.hidden && !this.#over) this.#ask(this.#run);
    };
    #start() {
      this.#card = undefined;
      this.#over = "";
      this.#fails = this.#asOf = 0;
      this.#ask(++this.#run);
      this.#tick(this.#run);
    }
    #tick(run) {
      if (run !== this.#run) return;
      this.#show();
      setTimeout(() => this.#tick(run), 1000);
    }
    #later(run, ms) {
      clearTimeout(this.#timer);
      this.#timer = setTimeout(() => this.#ask(run), ms);
    }

    async #ask(run) {
      const token = this.getAttribute("token");
      if (run !== this.#run || !token || document.hidden) return;
      clearTimeout(this.#timer);
      const rev = this.#card ? `?rev=${this.#card.revision}` : "";
      const home = (this.getAttribute("server") ?? HOME).replace(/\/?$/, "/");
      try {
        const answer = await fetch(`${home}embed/${encodeURIComponent(token)}.json${rev}`, {
          credentials: "omit", referrerPolicy: "no-referrer", cache: "no-store", signal: AbortSignal.timeout(10000),
        });
        const told = answer.status === 204 ? null : await answer.json();
        if (run !== this.#run) return;
        if (answer.status === 410) this.#over = told.detail;
        else if (!answer.ok) throw new Error(answer.status);
        else if (told) {
          this.#card = told;
          this.#offset = told.now - Date.now();
          this.dispatchEvent(new CustomEvent("slipway-change", { detail: told, bubbles: true }));
        }
        this.#fails = 0;
        this.#asOf = Date.now();
      } catch {
        if (run !== this.#run) return;
        this.#fails += 1;
      }
      this.#show();
      if (this.#over) return;
      this.#later(run, this.#fails ? Math.min(30000, 1000 * 2 ** Math.min(5, this.#fails)) : this.#card?.poll ?? 30000);
    }

    #build() {
      const root = this.attachShadow({ mode: "open" });
      if (!sheet) {
        sheet = new CSSStyleSheet();
        sheet.replaceSync(css);
      }
      root.adoptedStyleSheets = [sheet];
      const card = make(root, "article");
      const icon = document.createElementNS(SVG, "svg");
      icon.setAttribute("viewBox", "0 0 24 24");
      icon.setAttribute("aria-hidden", "true");
      card.append(icon);
      const head = make(card, "div");
      const name = make(make(head, "strong"), "bdi");
      const verb = make(head, "b");
      verb.setAttribute("role", "status");
      const meta = make(head, "div", "meta");
      const when = make(card, "time");
      const body = make(card, "div", "body");
      this.#parts = {
        card, icon, name, verb, meta, when, bar: make(body, "progress"), error: make(body, "div", "error"),
        pre: make(body, "pre"), late: make(body, "div", "late"),
      };
      this.#parts.pre.tabIndex = 0;
    }

    #show() {
      const p = this.#parts;
      const c = this.#over ? undefined : this.#card;
      const tone = c?.tone ?? "idle";
      if (p.card.dataset.tone !== tone || !p.icon.firstChild) {
        p.card.dataset.tone = tone;
        p.icon.classList.toggle("spin", tone === "provisioning");
        p.icon.replaceChildren(...ICONS[tone].map((d) => {
          const path = document.createElementNS(SVG, "path");
          path.setAttribute("d", d);
          return path;
        }));
      }
      put(p.name, this.#over ? "This link has ended" : c?.name ?? "Slipway");
      put(p.verb, this.#over ? "" : c?.verb ?? (this.#fails ? "cannot be reached" : "…"));
      put(p.meta, this.#over || [c?.kind, c?.detail].filter(Boolean).join(" · "));
      const now = Date.now() + this.#offset;
      put(p.when, c?.moving && c.startedAt ? lasted(now - c.startedAt)
        : c?.startedAt && c.endedAt ? lasted(c.endedAt - c.startedAt) : "");
      p.bar.hidden = !(c?.total || (c?.moving && c.word === "RUNNING"));
      if (c?.total) {
        p.bar.max = c.total;
        p.bar.value = c.done;
      } else p.bar.removeAttribute("value");
      p.bar.setAttribute("aria-label", `Progress of ${c?.name ?? ""}`);
      put(p.error, c?.error);
      put(p.pre, c?.errorDetail);
      put(p.late, this.#fails && c ? `Reconnecting, as of ${clock(this.#asOf)}`
        : c?.lastWordAt ? `last word ${lasted(now - c.lastWordAt)} ago` : "");
    }
  }
  if (!customElements.get("slipway-card")) customElements.define("slipway-card", SlipwayCard);

  addEventListener("message", ({ data, source }) => {
    if (data?.type !== "slipway:height" || !(data.height > 0 && data.height < 5000)) return;
    for (const frame of document.querySelectorAll("iframe")) {
      if (frame.contentWindow === source && frame.src.startsWith(`${HOME}embed/`)) frame.height = data.height;
    }
  });
})();
