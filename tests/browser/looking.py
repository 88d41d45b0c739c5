"""What a person sees on the page, and does with it, in the words of the tests."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

from selenium.webdriver import ActionChains
from selenium.webdriver import Chrome
from selenium.webdriver.common.by import By
from selenium.webdriver.support.ui import WebDriverWait

LIMIT_S = 10.0
LOOK_EVERY_S = 0.05


class Page:
    """In a browser. Everything is read in one step: an element that was found before may be another one by then."""

    def __init__(self, browser: Chrome, url: str) -> None:
        self.browser = browser
        self.url = url
        self.statuses_expected: set[int] = set()
        """Refusals that a test provokes; Chromium tells its console of each."""

    def open(self) -> Page:
        """Load it, and wait for the first news."""
        self.browser.get(self.url)
        self.until(lambda: self.has("#connection.live") and self.has("[data-action=add]"))
        return self

    def run(self, script: str, *arguments: Any) -> Any:
        """JavaScript, in the page."""
        return self.browser.execute_script(script, *arguments)

    def until(self, what: Callable[[], Any], limit_s: float = LIMIT_S) -> Any:
        """Wait for something true; fails with what the page shows."""
        wait = WebDriverWait(self.browser, limit_s, poll_frequency=LOOK_EVERY_S)
        try:
            return wait.until(lambda _: what())
        except Exception as error:
            raise AssertionError(f"not seen within {limit_s:g} s; the page shows:\n{self.shown()}") from error

    def until_text(self, text: str, selector: str = "body") -> None:
        self.until(lambda: text in self.text(selector))

    def shown(self) -> str:
        return self.text("body")

    def text(self, selector: str) -> str:
        """Of the first element of that kind; empty when there is none."""
        return str(self.run("return document.querySelector(arguments[0])?.innerText ?? ''", selector))

    def texts(self, selector: str) -> list[str]:
        script = "return [...document.querySelectorAll(arguments[0])].map((each) => each.innerText)"
        return [str(each) for each in self.run(script, selector)]

    def numbers(self) -> list[int]:
        """Of the events in the list of the history, as they stand there."""
        script = "return [...document.querySelectorAll('.history tbody tr')].map((each) => each.dataset.key)"
        return [int(str(each).removeprefix("history-")) for each in self.run(script)]

    def has(self, selector: str) -> bool:
        return bool(self.run("return document.querySelector(arguments[0]) !== null", selector))

    def attribute(self, selector: str, name: str) -> str | None:
        found: str | None = self.run(
            "return document.querySelector(arguments[0])?.getAttribute(arguments[1]) ?? null", selector, name
        )
        return found

    def colour(self, selector: str) -> str:
        """In which its text is drawn."""
        return str(self.run("return getComputedStyle(document.querySelector(arguments[0])).color", selector))

    def focused(self) -> str:
        """What has the keyboard: its id, or its text."""
        return str(self.run("const e = document.activeElement; return e.id || e.innerText || e.tagName"))

    def press(self, selector: str) -> None:
        """Click it, once it is there and can be clicked."""
        script = "const e = document.querySelector(arguments[0]); return e !== null && !e.disabled"
        self.until(lambda: self.run(script, selector))
        self.browser.find_element(By.CSS_SELECTOR, selector).click()

    def type(self, name: str, text: str) -> None:
        """Into the field of that name, in place of what is there."""
        field = self.browser.find_element(By.CSS_SELECTOR, f"dialog [name={name}]")
        field.clear()
        field.send_keys(text)

    def keys(self, *keys: str) -> None:
        """On the keyboard, one after the other, wherever the focus is."""
        for key in keys:
            ActionChains(self.browser).send_keys(key).perform()

    def expected(self, lines: list[str]) -> list[str]:
        """Those of the console's lines that tell of refusals which the test has provoked."""
        return [line for line in lines if any(f"status of {status} " in line for status in self.statuses_expected)]
