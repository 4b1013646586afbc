"""A headless chromium under its own driver, for tests and for the benchmark of the HTML page."""

import contextlib
import json
import os
import pathlib
import shutil
import tempfile
import time

from selenium import webdriver
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service

CHROMIUM_ARGUMENTS = [
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
    "--hide-scrollbars",
    "--force-device-scale-factor=1",
]


def missing():
    """What a machine lacks for these tests, in words; None when all is there."""
    for program in ("chromium", "chromedriver"):
        if shutil.which(program) is None:
            return f"{program} is not installed"
    return None


@contextlib.contextmanager
def chromium(width=1440, height=900, dark=False):
    """A driver with a profile of its own that is thrown away."""
    profile = tempfile.mkdtemp(prefix="memlens-chromium-")
    options = Options()
    options.binary_location = shutil.which("chromium")
    for argument in CHROMIUM_ARGUMENTS:
        options.add_argument(argument)
    options.add_argument(f"--user-data-dir={profile}")
    options.add_argument(f"--window-size={width},{height}")
    options.set_capability("goog:loggingPrefs", {"browser": "ALL", "performance": "ALL"})
    driver = webdriver.Chrome(
        options=options, service=Service(shutil.which("chromedriver"), log_path=os.devnull))
    try:
        driver.set_script_timeout(60)
        resize(driver, width, height)
        set_dark(driver, dark)
        yield driver
    finally:
        driver.quit()
        shutil.rmtree(profile, ignore_errors=True)


def resize(driver, width, height):
    """The size of the page itself, not of a window around it."""
    driver.execute_cdp_cmd("Emulation.setDeviceMetricsOverride", {
        "width": width, "height": height, "deviceScaleFactor": 1, "mobile": False})


def set_dark(driver, dark, reduced_motion=False):
    driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": [
        {"name": "prefers-color-scheme", "value": "dark" if dark else "light"},
        {"name": "prefers-reduced-motion", "value": "reduce" if reduced_motion else "no-preference"},
    ]})


def open_page(driver, path, fragment="", timeout_seconds=60):
    """Opens a report from disk and waits until it says it is ready. Seconds from navigation."""
    address = pathlib.Path(path).resolve().as_uri()
    driver.get("about:blank")
    started = time.monotonic()
    driver.get(address + (f"#{fragment}" if fragment else ""))
    while time.monotonic() - started < timeout_seconds:
        if driver.execute_script("return document.documentElement.dataset.ready !== undefined"):
            return time.monotonic() - started
        time.sleep(0.005)
    raise TimeoutError(f"{path} is not ready: " + "; ".join(console(driver)))


def console(driver):
    """What the page wrote to the browser's console, errors and CSP refusals among it."""
    return [entry["message"] for entry in driver.get_log("browser")]


def requested_addresses(driver):
    """Every address the page asked for since the last call."""
    addresses = []
    for entry in driver.get_log("performance"):
        message = json.loads(entry["message"])["message"]
        if message["method"] == "Network.requestWillBeSent":
            addresses.append(message["params"]["request"]["url"])
    return addresses
