"""Where the captures of sessions are."""
import os
import time

_KEPT_CAPTURES = 3


def new_capture(config):
    """A path for the capture; of those that stand beside it, the last few stay."""
    folder = _capture_folder(config)
    try:
        old = sorted((entry for entry in os.scandir(folder) if entry.name.endswith(".mlens")),
                     key=lambda entry: entry.stat().st_mtime)
        for entry in old[:1 - _KEPT_CAPTURES]:
            os.unlink(entry.path)
    except OSError:
        pass  # another session's business
    return os.path.join(folder, "%s-%d.mlens" % (time.strftime("%Y%m%d-%H%M%S"), os.getpid()))


def _capture_folder(config):
    chosen = getattr(config.known_args_namespace, "memlens_bin_path", None)
    if chosen:
        os.makedirs(chosen, exist_ok=True)
        return os.path.abspath(chosen)
    try:
        # ValueError: with -p no:cacheprovider nothing is to be kept beside the tests.
        folder = os.path.join(str(config.rootpath), config.getini("cache_dir"), "d", "memlens")
        os.makedirs(folder, exist_ok=True)
        if os.access(folder, os.W_OK):
            return folder
    except (OSError, ValueError):
        pass
    import tempfile
    return tempfile.mkdtemp(prefix="memlens-pytest-")
