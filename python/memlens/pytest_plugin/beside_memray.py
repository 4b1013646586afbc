"""Beside pytest-memray, which has markers and options of the same names: who measures, and who adds them."""
import importlib.util
import os
import sys

import pytest

#: As its entry point calls it, and as -p does.
_NAMES = ("memray", "pytest_memray.plugin", "pytest_memray")


def has_options(pluginmanager):
    """Whether pytest-memray adds, or will add, options of the same names."""
    if any(pluginmanager.is_blocked(name) for name in _NAMES[:2]):
        return False
    if any(pluginmanager.hasplugin(name) for name in _NAMES):
        return True
    return importlib.util.find_spec("pytest_memray") is not None and _will_be_loaded()


def _will_be_loaded():
    words = sys.argv[1:] + [os.environ.get("PYTEST_ADDOPTS", ""), os.environ.get("PYTEST_PLUGINS", "")]
    if os.environ.get("PYTEST_DISABLE_PLUGIN_AUTOLOAD") or "--disable-plugin-autoload" in words:
        return any("memray" in word for word in words)
    return True


def measures(config, memlens_is_asked_for):
    """Whether pytest-memray is to enforce the markers: unless memlens alone was asked for.

    Raises UsageError where both are, since one sees the memory of the other.
    """
    if not any(config.pluginmanager.hasplugin(name) for name in _NAMES):
        return False
    if not memlens_is_asked_for:
        return True
    if config.getoption("memray", False):
        raise pytest.UsageError("--memlens and --memray: only one of them can measure; leave one out, or "
                                "a plugin by `-p no:memray`")
    # Its manager comes with its pytest_configure, which runs before or after ours.
    config.pluginmanager.set_blocked("memray_manager")
    if config.pluginmanager.hasplugin("memray_manager"):
        config.pluginmanager.unregister(name="memray_manager")
    return False
