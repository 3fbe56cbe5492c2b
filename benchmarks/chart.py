"""Draws two panels of bars as SVG for `docs/operate.md`, readable on light and dark pages."""

from collections.abc import Mapping
from xml.sax.saxutils import escape

Bars = Mapping[str, Mapping[str, float]]
"""Values by group and name."""

_NAMES = {
    "cellar": "cellar",
    "floor": "bare socket to disk, no check",
    "nginx": "nginx, body to file, no sync",
    "streaming": "FastAPI stream, no check",
    "whole": "request.body(), kept nowhere",
    "parameter": "pydantic, kept nowhere",
}
_PANEL, _ROW, _GAP, _LABEL, _BAR = 520, 18, 26, 210, 230
_COLOURS = {"cellar": "#c2571a"}
_OTHER = "#8a94a0"


def drawn(speed: Bars, memory: Bars) -> str:
    """Return the picture: MB/s on the left, growth of peak memory in MB on the right."""
    panels = [_panel("MB/s, one sender", speed, 0), _panel("growth of peak memory, MB", memory, _PANEL)]
    height = 44 + max(sum(_GAP + _ROW * len(bars) for bars in each.values()) for each in (speed, memory))
    style = "text{font:12px system-ui,sans-serif;fill:#57606a}.t{font-weight:600;font-size:14px}.v{font-size:11px}"
    size = f'width="{2 * _PANEL}" height="{height}" viewBox="0 0 {2 * _PANEL} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{style}</style>{"".join(panels)}</svg>\n'


def _panel(title: str, groups: Bars, left: int) -> str:
    largest = max(value for bars in groups.values() for value in bars.values())
    made, top = [f'<text class="t" x="{left + 8}" y="20">{escape(title)}</text>'], 34
    for group, bars in groups.items():
        made.append(f'<text class="t" x="{left + 8}" y="{top + 14}">{escape(group)}</text>')
        top += _GAP - 6
        for name, value in bars.items():
            made.append(_bar(name, value, value / largest, left + 8, top))
            top += _ROW
        top += 6
    return "".join(made)


def _bar(name: str, value: float, part: float, left: int, top: int) -> str:
    begin, width = left + _LABEL, max(1, round(part * _BAR))
    return (
        f'<text x="{begin - 6}" y="{top + 12}" text-anchor="end">{escape(_NAMES[name])}</text>'
        f'<rect x="{begin}" y="{top + 2}" width="{width}" height="12" rx="2" fill="{_COLOURS.get(name, _OTHER)}"/>'
        f'<text class="v" x="{begin + width + 5}" y="{top + 12}">{value:,.0f}</text>'
    )
