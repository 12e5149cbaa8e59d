"""What a person sees of a widget, and what is asked of its kernel."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from playwright.sync_api import Locator

    from tests.browser.jupyter import Session


#: A chart that is the one that was asked for.
CHART = ".fw-chart:not(.fw-waiting):visible .fw-image > svg"


def rows(widget: Locator) -> list[str]:
    """The names of the rows, in their order on the screen."""
    script = """grid => [...grid.querySelectorAll('.fw-body > .fw-row')]
        .sort((a, b) => a.getAttribute('aria-rowindex') - b.getAttribute('aria-rowindex'))
        .map(row => row.querySelector('.fw-name').textContent)"""
    names: list[str] = widget.locator(".fw-grid").evaluate(script)
    return names


def row(widget: Locator, name: str) -> Locator:
    return widget.locator(".fw-body > .fw-row").filter(
        has=widget.page.locator(".fw-name", has_text=re.compile(f"^{re.escape(name)}$"))
    )


def cell(widget: Locator, name: str, column: str) -> str:
    """What stands in a column of a row."""
    titles = widget.locator(".fw-head .fw-title").all_inner_texts()
    return row(widget, name).first.locator(".fw-cell").nth(titles.index(column)).inner_text()


def active(widget: Locator) -> str:
    """The name of the row that has the focus."""
    script = """grid => document.getElementById(grid.getAttribute('aria-activedescendant'))
        .closest('.fw-row').querySelector('.fw-name').textContent"""
    name: str = widget.locator(".fw-grid").evaluate(script)
    return name


def parts(widget: Locator) -> list[str]:
    """The names in the parts of the icicle that have room for them, row by row."""
    script = """icicle => [...icicle.querySelectorAll('.fw-part')]
        .map((part) => [...part.querySelectorAll('.fw-start, .fw-end')]
            .map(one => one.textContent).join(''))
        .filter(Boolean)"""
    names: list[str] = widget.locator(".fw-icicle").evaluate(script)
    return names


def active_part(widget: Locator) -> str:
    """What is said of the part of the icicle that has the focus."""
    script = "icicle => document.getElementById(icicle.getAttribute('aria-activedescendant')).title"
    said: str = widget.locator(".fw-icicle").evaluate(script)
    return said


def chart(widget: Locator) -> str:
    """The chart, once it is the one that was asked for."""
    widget.locator(CHART).wait_for()
    picture: str = widget.locator(CHART).evaluate("svg => svg.outerHTML")
    return picture


def menu(widget: Locator, name: str) -> Locator:
    """Open a menu of the toolbar; gives the list."""
    opener = widget.locator(".fw-tools .fw-button", has_text=name)
    if opener.get_attribute("aria-expanded") == "false":
        opener.click()
    return widget.locator(".fw-menu:visible")


def expand(widget: Locator, name: str) -> None:
    """Open or close levels, as `Expand all` or `3 levels`."""
    menu(widget, "Expand").get_by_role("button", name=name, exact=True).click()


def choose(widget: Locator, label: str, value: str) -> None:
    """Choose a convention, or what the bars show."""
    menu(widget, "View").get_by_label(label, exact=True).select_option(value)
    widget.page.keyboard.press("Escape")


def ask(session: Session, code: str) -> str:
    """Run code in the kernel of the notebook that is open; gives what it prints."""
    script = """async code => {
        const kernel = window.jupyterapp.shell.currentWidget.sessionContext.session.kernel;
        const future = kernel.requestExecute({ code });
        let text = '';
        future.onIOPub = message => {
            text += message.content.text ?? (message.content.traceback ?? []).join('\\n');
        };
        await future.done;
        return text;
    }"""
    answer: str = session.page.evaluate(script, code)
    return answer.strip()


def eventually(session: Session, code: str, wanted: str) -> None:
    """Ask the kernel until it prints this: a widget's messages wait while Python draws a chart."""
    for _ in range(50):
        if ask(session, code) == wanted:
            return
        session.page.wait_for_timeout(200)
    assert ask(session, code) == wanted


#: The contrast of each text that is in sight with what is painted below it, as WCAG 2 defines it.
CONTRASTS = """([root, base]) => {
    const context = new OffscreenCanvas(1, 1).getContext('2d', { willReadFrequently: true });
    const painted = (colors) => {
        context.clearRect(0, 0, 1, 1);
        for (const color of colors) {
            context.fillStyle = color;
            context.fillRect(0, 0, 1, 1);
        }
        return [...context.getImageData(0, 0, 1, 1).data].slice(0, 3);
    };
    const luminance = (color) => {
        const [red, green, blue] = color.map((part) => part / 255).map(
            (part) => part <= 0.04045 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4);
        return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
    };
    const up = (at) => at.parentElement ?? at.getRootNode().host;
    const texts = [...root.querySelectorAll('*')].filter((one) => one.checkVisibility(
        { visibilityProperty: true }) && one.getClientRects().length &&
        [...one.childNodes].some((node) => node.nodeType === 3 && node.data.trim()));
    return texts.filter((one) => one.tagName !== 'STYLE').map((one) => {
        const grounds = [];
        for (let at = one; at; at = up(at)) grounds.unshift(getComputedStyle(at).backgroundColor);
        const ground = [base, ...grounds];
        const [dark, light] = [painted(ground), painted([...ground, getComputedStyle(one).color])]
            .map(luminance).sort((a, b) => a - b);
        return [(light + 0.05) / (dark + 0.05), one.className, one.textContent.slice(0, 40)];
    });
}"""


def weak_texts(widget: Locator, base: str = "white", least: float = 4.5) -> list[Any]:
    """The texts that can hardly be read on a page whose last ground is `base`."""
    found = widget.page.evaluate(CONTRASTS, [widget.element_handle(), base])
    assert len(found) > 30
    return [one for one in found if one[0] < least]
