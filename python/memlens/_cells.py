"""Cells of a notebook as files, while a capture is completed."""
import contextlib
import linecache
import os


@contextlib.contextmanager
def cells_as_files():
    """The capture takes the text of lines from files, and a kernel names its cells after files of its
    own in the temporary folder that it does not write."""
    written, folders = [], set()
    for name, entry in list(linecache.cache.items()):
        folder = os.path.dirname(name)
        if not os.path.basename(folder).startswith("ipykernel_") or len(entry) != 4:
            continue
        try:
            if not os.path.isdir(folder):
                os.mkdir(folder, 0o700)
                folders.add(folder)
            with open(name, "x", encoding="utf-8", errors="replace") as file:
                written.append(name)
                file.writelines(entry[2])
            os.utime(name, (0, 0))  # of files changed since the recording began no text is taken
        except (OSError, ValueError):
            pass  # it is there, or cannot be: then the line has its number alone
    try:
        yield
    finally:
        for name in written:
            os.unlink(name)
        for folder in folders:
            try:
                os.rmdir(folder)
            except OSError:
                pass  # somebody else's files as well
