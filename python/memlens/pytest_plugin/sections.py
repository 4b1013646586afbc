"""Stacks as the plugin prints them."""
import linecache
import os
import shlex
import sys

from .._sizes import format_size

_FRAMES_SHOWN = 6
_LEAST_SHARE = 0.01
_RUNNER = ("/_pytest/", "/pluggy/", "/memlens/pytest_plugin/", "/pytest_asyncio/")
#: What runs an async test: its outermost frames are not the test's either.
_LOOPS = ("/python%d.%d/asyncio/" % sys.version_info[:2], "/site-packages/anyio/",
          "/dist-packages/anyio/", "/site-packages/trio/", "/dist-packages/trio/",
          "/site-packages/outcome/", "/dist-packages/outcome/")
#: What is in them is named by its path from there.
_LIBRARIES = ("/site-packages/", "/dist-packages/", "/lib/python%d.%d/" % sys.version_info[:2])


def without_runner(frames):
    """A test's frames, innermost first, without those of pytest that lead to it.

    Of what pytest allocates itself, the first.
    """
    count = next((place for place, frame in enumerate(frames)
                  if any(part in frame["file"] for part in _RUNNER)), len(frames))
    while count > 1 and any(part in frames[count - 1]["file"] for part in _LOOPS):
        count -= 1
    return frames[:max(count, 1)]


def stack_lines(stacks, count, root):
    """Lines of text for the first `count` stacks, without those that hardly count."""
    lines = []
    least = _LEAST_SHARE * sum(stack["bytes"] for stack in stacks)
    shown = [stack for stack in stacks[:count] if stack["bytes"] >= least]
    for number, stack in enumerate(shown, 1):
        lines.append("%d.  %s in %d block%s" % (number, format_size(stack["bytes"]),
                                                stack["blocks"], "s"[:stack["blocks"] != 1]))
        frames = stack["frames"]
        named = [(frame["function"], _place(frame, root), frame) for frame in frames[:_FRAMES_SHOWN]]
        widths = [max(len(each[i]) for each in named) for i in (0, 1)]
        for function, place, frame in named:
            line = "      %-*s  %-*s  %s" % (widths[0], function, widths[1], place, _source(frame))
            lines.append(line.rstrip())
        if len(frames) > _FRAMES_SHOWN:
            more = len(frames) - _FRAMES_SHOWN
            lines.append("      ... %d more frame%s" % (more, "s"[:more != 1]))
    left = stacks[len(shown):]
    if left:
        lines.append("%d more stack%s: %s" % (len(left), "s"[:len(left) != 1],
                                              format_size(sum(each["bytes"] for each in left))))
    return lines


def command(*words):
    """A command to type. Under `uv run` and `uvx` the environment is not the shell's."""
    program = "memlens"
    if "UV_RUN_RECURSION_DEPTH" in os.environ:
        program = "uv run memlens"
    elif "UV" in os.environ and "/archive-v0/" in sys.prefix:
        program = "uvx memlens"
    return " ".join([program] + [shlex.quote(word) for word in words])


def shown_path(path, root):
    """As the user's shell would name it."""
    relative = os.path.relpath(path, root) if path.startswith(str(root) + os.sep) else path
    return relative if len(relative) < len(path) else path


def _place(frame, root):
    if not frame["file"]:
        return frame.get("module") and os.path.basename(frame["module"]) or ""
    path = shown_path(frame["file"], root)
    for folder in _LIBRARIES:
        path = path.split(folder, 1)[-1]
    return "%s:%d" % (path, frame["line"]) if frame["line"] else path


def _source(frame):
    return frame.get("source") or linecache.getline(frame["file"], frame["line"]).strip()
