"""Compares an open page with what a reload would show."""

from __future__ import annotations

import time

from playwright.sync_api import Page

# What is written by the script or belongs to the way of swapping, and what ticks, is left out on both sides.
_COMPARE = """
async () => {
  const fresh = new DOMParser().parseFromString(await (await fetch(location.href)).text(), 'text/html');
  const dropped = new Set(['data-now', 'data-htmx-powered', 'hx-swap-oob', 'open']);
  const lines = [];
  function write(node, to, depth) {
    if (node.nodeType === Node.TEXT_NODE) {
      const text = node.data.replace(/\\s+/g, ' ').trim();
      if (text) to.push(' '.repeat(depth) + text);
      return;
    }
    if (node.nodeType !== Node.ELEMENT_NODE) return;
    const ticks = node.matches('time');
    const attributes = [...node.attributes]
      .filter(one => !dropped.has(one.name))
      .filter(one => !(ticks && one.name === 'title'))
      .filter(one => !(node.matches('rect') && ['x', 'width'].includes(one.name)))
      // A token is good however often it is signed anew.
      .filter(one => !(node.name === 'csrf_token' && one.name === 'value'))
      .filter(one => !(node.hasAttribute('data-shown-from') && one.name === 'hidden'))
      .map(one => one.name === 'class'
        ? `class="${one.value.split(' ').filter(name => name && !name.startsWith('htmx-')).join(' ')}"`
        : `${one.name}="${one.value}"`)
      .filter(one => one !== 'class=""')
      .sort();
    to.push(' '.repeat(depth) + `<${node.localName} ${attributes.join(' ')}>`);
    if (!ticks) for (const child of node.childNodes) write(child, to, depth + 1);
  }
  const shown = [], reloaded = [];
  write(document.querySelector('main'), shown, 0);
  write(fresh.querySelector('main'), reloaded, 0);
  const difference = [];
  for (let at = 0; at < Math.max(shown.length, reloaded.length) && difference.length < 12; at += 1) {
    if (shown[at] !== reloaded[at]) difference.push(`shown:    ${shown[at]}`, `reloaded: ${reloaded[at]}`);
  }
  return difference.join('\\n');
}
"""


def wait_until_as_reloaded(page: Page, what: str = "", *, seconds: float = 30) -> None:
    """Wait until the page shows what a reload of it would."""
    deadline = time.monotonic() + seconds
    while difference := page.evaluate(_COMPARE):
        assert time.monotonic() < deadline, f"{page.url} is not as reloaded{what and ' after '}{what}:\n{difference}"
        page.wait_for_timeout(50)
