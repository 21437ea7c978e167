"""Parser of HTML pages: tags, loaded files, inline code."""

from __future__ import annotations

from html.parser import HTMLParser


class Page(HTMLParser):
    """Tags with their attributes, and the addresses of everything that is loaded."""

    LOADING = ("script", "link", "img", "iframe", "source", "object", "embed", "audio", "video", "use")

    def __init__(self, text: str) -> None:
        super().__init__()
        self.tags: list[tuple[str, dict[str, str]]] = []
        self.feed(text)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.tags.append((tag, {name: value or "" for name, value in attrs}))

    def loads(self) -> list[str]:
        return [
            attributes[name]
            for tag, attributes in self.tags
            for name in ("src", "href", "data")
            if tag in self.LOADING and name in attributes
        ]

    def inline(self) -> list[str]:
        """Inline code that a policy without `unsafe-inline` would block."""
        return [
            tag
            for tag, attributes in self.tags
            if tag == "style"
            or (tag == "script" and "src" not in attributes)
            or any(name == "style" or name.startswith("on") for name in attributes)
        ]
