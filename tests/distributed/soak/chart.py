"""Draws lines over time as SVG, readable on light and dark pages."""

from collections.abc import Mapping, Sequence
from xml.sax.saxutils import escape

Lines = Mapping[str, Sequence[float]]
"""Values over time by name."""

_WIDTH, _HEIGHT, _LEFT, _TOP, _LEGEND = 520, 190, 64, 28, 150
_COLOURS = (
    "#c2571a",
    "#2f6fb0",
    "#4d8b31",
    "#8a5fb0",
    "#b08a2f",
    "#3a9a9a",
    "#b03a5f",
    "#6e7781",
    "#555",
    "#a0522d",
    "#1f8f5f",
)
_STYLE = "text{font:11px system-ui,sans-serif;fill:#57606a}.t{font-weight:600;font-size:13px}"


def drawn(minutes: Sequence[float], panels: Mapping[str, Lines]) -> str:
    """Return a picture with a panel for each title, two in a row."""
    parts = []
    for number, (title, lines) in enumerate(panels.items()):
        parts.append(_panel(title, minutes, lines, (number % 2) * (_WIDTH + _LEGEND), number // 2 * _HEIGHT))
    width, height = 2 * (_WIDTH + _LEGEND), (len(panels) + 1) // 2 * _HEIGHT
    size = f'width="{width}" height="{height}" viewBox="0 0 {width} {height}"'
    return f'<svg xmlns="http://www.w3.org/2000/svg" {size}><style>{_STYLE}</style>{"".join(parts)}</svg>\n'


def _panel(title: str, minutes: Sequence[float], lines: Lines, left: int, top: int) -> str:
    most = max((value for line in lines.values() for value in line), default=0) or 1
    longest = (minutes[-1] if minutes else 0) or 1
    width, height = _WIDTH - _LEFT - 10, _HEIGHT - _TOP - 30
    x0, y0 = left + _LEFT, top + _TOP + height
    made = [
        f'<text class="t" x="{left + 8}" y="{top + 18}">{escape(title)}</text>',
        f'<path d="M{x0} {top + _TOP}V{y0}H{x0 + width}" fill="none" stroke="#8a94a0"/>',
        f'<text x="{x0 - 6}" y="{top + _TOP + 8}" text-anchor="end">{most:,.{0 if most >= 10 else 2}f}</text>',
        f'<text x="{x0 - 6}" y="{y0}" text-anchor="end">0</text>',
        f'<text x="{x0 + width}" y="{y0 + 16}" text-anchor="end">{longest:.0f} min</text>',
    ]
    for number, (name, values) in enumerate(lines.items()):
        colour = _COLOURS[number % len(_COLOURS)]
        points = " ".join(
            f"{x0 + width * minute / longest:.1f},{y0 - height * value / most:.1f}"
            for minute, value in zip(minutes, values, strict=True)
        )
        made.append(f'<polyline points="{points}" fill="none" stroke="{colour}" stroke-width="1.5"/>')
        y = top + _TOP + 8 + 13 * number
        made.append(f'<text x="{x0 + width + 12}" y="{y}" style="fill:{colour}">{escape(name)}</text>')
    return "".join(made)
