"""Draws a glance: badges in three styles, the card as SVG, and the picture that chat tools show as PNG.

Pure: a `Glance` in, text or bytes out. Everything that came from outside is escaped, and nothing in a picture refers to
another host: image proxies strip that. Times are absolute, because pictures are kept for a while.
"""

from __future__ import annotations

import re
from datetime import UTC, datetime
from functools import cache, lru_cache
from pathlib import Path
from xml.sax.saxutils import escape, quoteattr

import resvg_py

from provisioning.errors import BadInput
from views.glances import Glance
from views.presentation import duration
from views.text_widths import fitting, text_width

STYLES = ("flat", "flat-square", "for-the-badge", "card")
LOOKS = ("light", "dark", "auto")

MOST_LABEL = 60

# The tones of static/slipway.css, (light, dark). White text on the light ones has a contrast of at least 4.5.
TONES = {
    "idle": ("#666b77", "#9298a5"),
    "validating": ("#7443c9", "#b490ff"),
    "provisioning": ("#1f5fd0", "#6da8ff"),
    "success": ("#137446", "#4cc38a"),
    "error": ("#c0272d", "#ff7a80"),
    "stalled": ("#935600", "#f5b34f"),
}
_LABEL_GROUND = "#3b3f48"
_INKS = {  # surface, line, ink, ink-2, ink-3, sunk
    "light": ("#ffffff", "#e6e7eb", "#17181c", "#565b66", "#666b77", "#f0f1f4"),
    "dark": ("#16181d", "#262a32", "#edeef2", "#a8aeba", "#9298a5", "#22262e"),
}
_ROLES = ("surface", "line", "ink", "ink2", "ink3", "sunk")
_STATIC = Path(__file__).resolve().parent.parent / "static"
_FONTS = [str(_STATIC / "vendor/fonts" / name) for name in ("DejaVuSans-subset.ttf", "DejaVuSans-Bold-subset.ttf")]
_BADGE_FONT = "Verdana,'DejaVu Sans',Geneva,sans-serif"
_CARD_FONT = "'DejaVu Sans',Verdana,ui-sans-serif,system-ui,sans-serif"


def badge(*, label: str, message: str, tone: str, style: str = "flat") -> str:
    """A badge: what it is about on the left, how it stands on the right. The same text is its accessible title."""
    label, message = _clean(label)[:MOST_LABEL], _clean(message)[:MOST_LABEL]
    if style == "for-the-badge":
        return _big_badge(label, message, tone)
    return _flat_badge(label, message, tone, round_by=3 if style == "flat" else 0)


def check_style(style: str, look: str = "light") -> None:
    """Raise `BadInput` where there is no such style or look."""
    if style not in STYLES:
        raise BadInput(f"style is {style[:40]!r}.", field="style", remedy=f"One of {', '.join(STYLES)}.")
    if look not in LOOKS:
        raise BadInput(f"look is {look[:40]!r}.", field="look", remedy=f"One of {', '.join(LOOKS)}.")


def _flat_badge(label: str, message: str, tone: str, *, round_by: int) -> str:
    left = round(text_width(label, 11)) + 12 if label else 0
    right = round(text_width(message, 11)) + 12
    title = f"{label}: {message}" if label else message
    shine = (
        '<linearGradient id="s" x2="0" y2="100%"><stop offset="0" stop-color="#bbb" stop-opacity=".1"/>'
        '<stop offset="1" stop-opacity=".1"/></linearGradient>'
        if round_by
        else ""
    )
    shone = f'<rect width="{left + right}" height="20" fill="url(#s)"/>' if round_by else ""
    texts = "".join(
        f'<text x="{x}" y="14" textLength="{width}">{escape(text)}</text>'
        for text, x, width in ((label, 6, left - 12), (message, left + 6, right - 12))
        if text
    )
    return (
        f'{_head(left + right, 20, title)}{shine}<clipPath id="r"><rect width="{left + right}" height="20" '
        f'rx="{round_by}"/></clipPath><g clip-path="url(#r)"><rect width="{left}" height="20" fill="{_LABEL_GROUND}"/>'
        f'<rect x="{left}" width="{right}" height="20" fill="{_ground(tone)}"/>{shone}</g>'
        f'<g fill="#fff" font-family="{_BADGE_FONT}" font-size="11" text-rendering="geometricPrecision">'
        f"{texts}</g></svg>\n"
    )


def _big_badge(label: str, message: str, tone: str) -> str:
    label, message = label.upper(), message.upper()
    spacing = 1.2

    def width(text: str, *, bold: bool) -> int:
        return round(text_width(text, 10, bold=bold) + spacing * len(text))

    left = width(label, bold=False) + 24 if label else 0
    right = width(message, bold=True) + 24
    title = f"{label}: {message}" if label else message
    texts = ""
    if label:
        texts = f'<text x="12" y="18" textLength="{left - 24}">{escape(label)}</text>'
    texts += f'<text x="{left + 12}" y="18" textLength="{right - 24}" font-weight="700">{escape(message)}</text>'
    return (
        f'{_head(left + right, 28, title)}<rect width="{left}" height="28" fill="{_LABEL_GROUND}"/>'
        f'<rect x="{left}" width="{right}" height="28" fill="{_ground(tone)}"/>'
        f'<g fill="#fff" font-family="{_BADGE_FONT}" font-size="10" letter-spacing="{spacing}" '
        f'text-rendering="geometricPrecision">{texts}</g></svg>\n'
    )


def card(glance: Glance, *, look: str = "auto", width: int = 480) -> str:
    """The card as a picture. With `auto` it follows the reader's colour scheme, where the picture is shown as a file
    of its own; colours stand in attributes too, for what knows no style sheet."""
    first = "dark" if look == "dark" else "light"
    paint = dict(zip(_ROLES, _INKS[first], strict=True)) | {"tone": TONES[glance.tone][first == "dark"]}
    style = ""
    if look == "auto":
        dark = dict(zip(_ROLES, _INKS["dark"], strict=True)) | {"tone": TONES[glance.tone][1]}
        rules = "".join(f".{role}{{fill:{colour}}}.{role}-s{{stroke:{colour}}}" for role, colour in dark.items())
        style = f"<style>@media (prefers-color-scheme:dark){{{rules}}}</style>"
    rows, height = _card_rows(glance, paint, width)
    title = f"{glance.name}: {glance.verb}"
    return (
        f"{_head(width, height, title)}{style}"
        f'<rect class="surface line-s" x=".5" y=".5" width="{width - 1}" height="{height - 1}" rx="10" '
        f'fill="{paint["surface"]}" stroke="{paint["line"]}"/>'
        f'<g font-family="{_CARD_FONT}" text-rendering="geometricPrecision">{rows}</g></svg>\n'
    )


def _card_rows(glance: Glance, paint: dict[str, str], width: int) -> tuple[str, int]:
    room = width - 54 - 16

    def line(text: str, y: int, role: str, size: float, *, bold: bool = False) -> str:
        weight = ' font-weight="700"' if bold else ""
        shown = escape(fitting(_clean(text), size, room, bold=bold))
        return f'<text class="{role}" x="54" y="{y}" fill="{paint[role]}" font-size="{size}"{weight}>{shown}</text>'

    parts = [
        f'<circle class="tone" cx="29" cy="29" r="14" fill="{paint["tone"]}" opacity=".14"/>',
        f'<g class="tone-s" transform="translate(20.5 20.5) scale(.71)" fill="none" stroke="{paint["tone"]}" '
        f'stroke-width="2.4" stroke-linecap="round" stroke-linejoin="round">{_icon(glance.icon)}</g>',
        line(glance.name, 26, "ink", 13.5, bold=True),
        line(glance.verb, 44, "tone", 12, bold=True),
    ]
    y = 44
    # The end of a line that is too long is cut: of what is silent, when it spoke last must not be.
    facts = (
        (glance.kind, _times(glance), glance.detail)
        if glance.is_quiet
        else (glance.kind, glance.detail, _times(glance))
    )
    y += 18
    parts.append(line(" · ".join(one for one in facts if one), y, "ink3", 11))
    if glance.percent is not None:
        y += 12
        parts.append(f'<rect class="sunk" x="54" y="{y}" width="{room}" height="5" rx="2.5" fill="{paint["sunk"]}"/>')
        if glance.done:
            long = max(5, room * glance.percent / 100)
            parts.append(
                f'<rect class="tone" x="54" y="{y}" width="{long:.1f}" height="5" rx="2.5" fill="{paint["tone"]}"/>'
            )
        y += 6
    if glance.fault:
        y += 20
        parts.append(line(glance.fault.summary, y, "ink2", 11.5))
    return "".join(parts), y + 16


def unfurled(glance: Glance) -> str:
    """The picture that chat tools show of a link, 1200 by 630: little text, in large letters."""
    paint = dict(zip(_ROLES, _INKS["light"], strict=True)) | {"tone": TONES[glance.tone][0]}
    room = 1200 - 2 * 90

    def line(text: str, y: int, role: str, size: int, *, bold: bool = False) -> str:
        weight = ' font-weight="700"' if bold else ""
        shown = escape(fitting(_clean(text), size, room, bold=bold))
        return f'<text x="90" y="{y}" fill="{paint[role]}" font-size="{size}"{weight}>{shown}</text>'

    bar = ""
    if glance.percent is not None:
        bar = f'<rect x="90" y="456" width="{room}" height="16" rx="8" fill="{paint["sunk"]}"/>'
        if glance.done:
            long = max(16, room * glance.percent / 100)
            bar += f'<rect x="90" y="456" width="{long:.0f}" height="16" rx="8" fill="{paint["tone"]}"/>'
    fault = line(glance.fault.summary, 414, "ink2", 34) if glance.fault else ""
    return (
        f"{_head(1200, 630, f'{glance.name}: {glance.verb}')}"
        f'<rect width="1200" height="630" fill="{paint["surface"]}"/>'
        f'<rect width="1200" height="14" fill="{paint["tone"]}"/><g font-family="DejaVu Sans">'
        f'<circle cx="126" cy="140" r="40" fill="{paint["tone"]}" opacity=".14"/>'
        f'<g transform="translate(102 116) scale(2)" fill="none" stroke="{paint["tone"]}" stroke-width="2.2" '
        f'stroke-linecap="round" stroke-linejoin="round">{_icon(glance.icon)}</g>'
        f"{line(glance.name, 262, 'ink', 60, bold=True)}{line(glance.verb, 346, 'tone', 46, bold=True)}"
        f"{fault}{bar}{line(' · '.join(one for one in (glance.kind, glance.detail) if one), 530, 'ink3', 30)}"
        f"{line(_times(glance), 576, 'ink3', 30)}</g></svg>"
    )


@lru_cache(maxsize=64)
def png(svg: str) -> bytes:
    """A picture of ours as PNG. Takes a tenth of a second, so the last ones are kept: thousands look at the same."""
    drawn = resvg_py.svg_to_bytes(
        svg_string=svg,
        font_files=_FONTS,
        skip_system_fonts=True,
        font_family="DejaVu Sans",
        sans_serif_family="DejaVu Sans",
    )
    return bytes(drawn)


def _head(width: int, height: int, title: str) -> str:
    return (
        f'<svg xmlns="http://www.w3.org/2000/svg" width="{width}" height="{height}" viewBox="0 0 {width} {height}" '
        f'role="img" aria-label={quoteattr(_clean(title))}><title>{escape(_clean(title))}</title>'
    )


def _ground(tone: str) -> str:
    return TONES[tone][0]


def _clean(text: str) -> str:
    """One line, without the characters that XML does not take and those that turn the direction of text around."""
    return "".join(
        character
        for character in " ".join(text.split())
        if character.isprintable() and not 0xD800 <= ord(character) <= 0xDFFF and character not in "\ufffe\uffff"
    )


def _times(glance: Glance) -> str:
    if glance.is_quiet and glance.last_word_at:
        return f"last word {_moment(glance.last_word_at)}"
    if glance.started_at and glance.ended_at:
        return f"took {duration(glance.ended_at - glance.started_at)}, {_moment(glance.ended_at)}"
    if glance.started_at and glance.is_moving:
        return f"since {_moment(glance.started_at)}"
    return _moment(glance.updated_at) if glance.updated_at else ""


def _moment(milliseconds: int) -> str:
    return datetime.fromtimestamp(milliseconds / 1000, UTC).strftime("%Y-%m-%d %H:%M UTC")


@cache
def _icons() -> dict[str, str]:
    sprite = (_STATIC / "icons.svg").read_text()
    return dict(re.findall(r'<symbol id="(\w+)"[^>]*>(.*?)</symbol>', sprite, re.S))


def _icon(name: str) -> str:
    return _icons()[name]
