"""Text from templates, `NAME.j2` beside the module that fills them; in HTML, `NAME.html.j2`, every value is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=lambda name: str(name).endswith(".html.j2"),
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
    keep_trailing_newline=True,
)
_ENVIRONMENT.filters["href"] = quote


def render(template: str, **values: Any) -> str:
    """Fill a template, such as `attention/page.html.j2`."""
    return _ENVIRONMENT.get_template(template).render(**values)
