"""HTML pages from templates: `NAME.html.j2` beside the module that fills it; every value is escaped."""

from __future__ import annotations

from pathlib import Path
from typing import Any
from urllib.parse import quote

from jinja2 import Environment, FileSystemLoader, StrictUndefined

_ENVIRONMENT = Environment(
    loader=FileSystemLoader(Path(__file__).parent),
    autoescape=True,
    undefined=StrictUndefined,
    trim_blocks=True,
    lstrip_blocks=True,
)
_ENVIRONMENT.filters["href"] = quote


def render(template: str, **values: Any) -> str:
    """Fill a template, such as `attention/picture.html.j2`."""
    return _ENVIRONMENT.get_template(template).render(**values)
