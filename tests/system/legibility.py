"""Can a page be read: contrast, width and requests, in a real browser without a window."""

from __future__ import annotations

import shutil
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

CHROMIUM = shutil.which("chromium") or shutil.which("google-chrome")
#: A desk and a phone, by day and by night.
SCREENS = [(width, scheme) for width in (1280, 390) for scheme in ("light", "dark")]
#: WCAG 2.1, level AA, of text that is not large.
CONTRAST = 4.5
_FLAGS = ["--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-sync"]
#: Every text with less contrast to what lies under it, by its ratio.
_FAINT = """
(least) => {
  const light = c => {
    const [r, g, b] = c.map(v => {
      v /= 255;
      return v <= 0.03928 ? v / 12.92 : Math.pow((v + 0.055) / 1.055, 2.4);
    });
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const parsed = text => {
    const found = text.match(/[\\d.]+/g).map(Number);
    return found.length < 4 ? [...found, 1] : found;
  };
  const over = (top, below) => below.map((v, i) => v * (1 - top[3]) + top[i] * top[3]);
  const ground = element => {
    const layers = [];
    for (; element; element = element.parentElement)
      layers.push(parsed(getComputedStyle(element).backgroundColor));
    return layers.reverse().reduce((below, top) => over(top, below), [255, 255, 255]);
  };
  const faint = [];
  const texts = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (texts.nextNode()) {
    const text = texts.currentNode.textContent.trim(), element = texts.currentNode.parentElement;
    if (!text || !element.getClientRects().length) continue;
    const style = getComputedStyle(element), below = ground(element);
    const ink = over(parsed(element.closest("svg") ? style.fill : style.color), below);
    const [high, low] = [light(ink), light(below)].sort((a, b) => b - a);
    const ratio = (high + 0.05) / (low + 0.05);
    if (ratio < least) faint.push(`${ratio.toFixed(2)}: ${text.slice(0, 60)}`);
  }
  return faint;
}
"""


@contextmanager
def browser() -> Iterator[Any]:
    """Start a browser without a window."""
    from playwright.sync_api import sync_playwright

    with sync_playwright() as playwright:
        yield playwright.chromium.launch(executable_path=CHROMIUM, args=_FLAGS)


def faults_of(found: Any, file: Path, width: int, scheme: str, picture: Path) -> list[str]:
    """Open a page on a screen, take its picture, and say what a person would stumble over."""
    context = found.new_context(viewport={"width": width, "height": 900}, color_scheme=scheme)
    page, asked = context.new_page(), []
    page.on("request", lambda request: asked.append(request.url))
    page.goto(file.as_uri())
    page.screenshot(path=picture, full_page=True)
    faults = list(page.evaluate(_FAINT, CONTRAST))
    wide = page.evaluate("document.documentElement.scrollWidth")
    if wide > width:
        faults.append(f"{wide} pixels wide on a screen of {width}")
    faults += [f"loads {url}" for url in asked if url != file.as_uri()]
    context.close()
    return faults
