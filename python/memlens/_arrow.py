"""Captures as Arrow tables and Parquet files: data for engines that exist.

One row a stack and view. The schema is in docs/fleet.md; columns may be added.
"""
import datetime
import os

from ._capture import VIEWS, Capture

#: Half as large as by Snappy, and read wherever Parquet is.
_COMPRESSION = "zstd"


def _pyarrow():
    try:
        import pyarrow
    except ImportError:
        raise ImportError("to_arrow() and to_parquet() need pyarrow") from None
    return pyarrow


def schema():
    arrow = _pyarrow()
    frame = arrow.struct([("function", arrow.string()), ("file", arrow.string()),
                          ("line", arrow.int32()), ("kind", arrow.string())])
    return arrow.schema([
        ("host", arrow.string()), ("day", arrow.date32()), ("time", arrow.timestamp("us", tz="UTC")),
        ("capture", arrow.string()), ("command", arrow.string()), ("python", arrow.string()),
        ("build", arrow.string()), ("duration_seconds", arrow.float64()),
        ("pid", arrow.int32()), ("thread", arrow.int32()), ("view", arrow.string()),
        ("bytes", arrow.int64()), ("blocks", arrow.int64()),
        ("function", arrow.string()), ("file", arrow.string()), ("line", arrow.int32()),
        ("frames", arrow.list_(frame)), ("folded", arrow.string()),
        ("marks", arrow.list_(arrow.struct([("seconds", arrow.float64()),
                                            ("name", arrow.string())])))])


def to_arrow(capture, views=VIEWS, build="", host=None):
    """A pyarrow.Table. build: what tells releases apart, in the words of who asks."""
    arrow = _pyarrow()
    rows = {field.name: [] for field in schema()}
    summary = capture.summary
    when = _start(capture)
    same = {"host": host or summary.get("host") or os.uname().nodename, "day": when.date(),
            "time": when, "capture": os.path.basename(capture.path),
            "command": " ".join(summary["command"]), "python": summary["python"], "build": build,
            "duration_seconds": summary["duration_seconds"],
            "marks": [{"seconds": mark.seconds, "name": mark.name} for mark in capture.marks]}
    for view in views:
        for record in capture.iterate(view):
            leaf = record.frames[0]
            row = dict(
                same, view=view, pid=record.pid, thread=record.thread, bytes=record.bytes,
                blocks=record.blocks, function=leaf.function, file=leaf.file, line=leaf.line,
                frames=[{"function": f.function, "file": f.file, "line": f.line, "kind": f.kind}
                        for f in record.frames],
                folded=";".join(f.function for f in reversed(record.frames)))
            for name, value in row.items():
                rows[name].append(value)
    return arrow.table(rows, schema=schema())


def to_parquet(capture, folder, views=VIEWS, build="", host=None):
    """Writes to folder/host=.../day=.../<capture>.parquet and returns that path.

    A `folder` that ends in ".parquet" is a file, with the host and the day in columns.
    """
    arrow = _pyarrow()
    import pyarrow.parquet
    table = to_arrow(capture, views, build, host)
    if table.num_rows == 0:
        raise ValueError("%s has no stacks" % capture.path)
    if os.fspath(folder).endswith(".parquet"):
        arrow.parquet.write_table(table, folder, compression=_COMPRESSION)
        return os.fspath(folder)
    name, day = table["host"][0].as_py(), table["day"][0].as_py()
    place = os.path.join(folder, "host=%s" % name, "day=%s" % day)
    os.makedirs(place, exist_ok=True)
    path = os.path.join(place, os.path.basename(capture.path) + ".parquet")
    # They are in the folders' names.
    arrow.parquet.write_table(table.drop(["host", "day"]), path, compression=_COMPRESSION)
    return path


def _start(capture):
    """When recording began: the file was last written when it ended."""
    ended = os.stat(capture.path).st_mtime
    began = ended - capture.summary["duration_seconds"]
    return datetime.datetime.fromtimestamp(began, datetime.timezone.utc)


def export(arguments):
    """`memlens export CAPTURE --format parquet -o FOLDER`, as python -m memlens hands it over."""
    import argparse
    parser = argparse.ArgumentParser(prog="memlens export --format parquet")
    parser.add_argument("capture")
    parser.add_argument("--format")
    parser.add_argument("--view", action="append", choices=VIEWS)
    parser.add_argument("--build", default="", help="what tells releases apart")
    parser.add_argument("-o", "--output", metavar="FOLDER|FILE.parquet", required=True)
    options = parser.parse_args(arguments)
    print(to_parquet(Capture(options.capture), options.output, options.view or VIEWS,
                     options.build))
