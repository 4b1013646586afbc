"""Sizes as people write them, the same as on memlens's command line."""
import re

_FACTORS = {"": 1, "k": 10**3, "m": 10**6, "g": 10**9, "t": 10**12,
            "ki": 2**10, "mi": 2**20, "gi": 2**30, "ti": 2**40}
_SIZE = re.compile(r"\s*(\d+(?:\.\d*)?|\.\d+)\s*([a-z]*)\s*\Z", re.IGNORECASE)


def parse_size(text):
    """Bytes of "512K", "24 MB", "1.5GiB": K, M, G are powers of 1000, Ki, Mi, Gi of 1024.

    A number is bytes. Raises ValueError for anything else.
    """
    if isinstance(text, (int, float)) and not isinstance(text, bool) and text >= 0:
        return int(text)
    match = _SIZE.match(text) if isinstance(text, str) else None
    unit = match.group(2).lower() if match else None
    if unit and unit.endswith("b"):
        unit = unit[:-1]
    if unit not in _FACTORS:
        raise ValueError("no size: %r; sizes are '512K', '24 MB', '1.5GiB'" % (text,))
    return int(float(match.group(1)) * _FACTORS[unit])


def format_size(size):
    """Three digits and a decimal unit: "999 B", "1.00 kB", "31.2 MB"."""
    value = float(size)
    for unit in ("B", "kB", "MB", "GB"):
        if value < 999.5:
            break
        value /= 1000
    else:
        unit = "TB"
    if unit == "B":
        return "%d B" % value
    return "%.*f %s" % (2 if value < 9.995 else 1 if value < 99.95 else 0, value, unit)
