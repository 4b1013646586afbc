"""Captures as Arrow tables and Parquet files: data for engines that exist.

One row a stack and view. The schema is in docs/fleet.md; columns may be added.
"""
import datetime
import itertools
import os

from ._capture import VIEWS, Capture

#: Half as large as by Snappy, and read wherever Parquet is.
_COMPRESSION = "zstd"
_BATCH_ROWS = 5000


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
    return _pyarrow().Table.from_batches(batches(capture, views, build, host), schema=schema())


def batches(capture, views=VIEWS, build="", host=None):
    """The same in parts of some thousand rows: what is read of the capture is not all in memory."""
    arrow = _pyarrow()
    columns = schema()
    summary = capture.summary
    when = _start(capture)
    same = {"host": host or summary.get("host") or os.uname().nodename, "day": when.date(),
            "time": when, "capture": os.path.basename(capture.path),
            "command": " ".join(summary["command"]), "python": summary["python"], "build": build,
            "duration_seconds": summary["duration_seconds"],
            "marks": [{"seconds": mark.seconds, "name": mark.name} for mark in capture.marks]}
    rows = []
    for view in views:
        for record in capture.iterate(view):
            leaf = record.frames[0]
            rows.append(dict(
                same, view=view, pid=record.pid, thread=record.thread, bytes=record.bytes,
                blocks=record.blocks, function=leaf.function, file=leaf.file, line=leaf.line,
                frames=[{"function": f.function, "file": f.file, "line": f.line, "kind": f.kind}
                        for f in record.frames],
                folded=";".join(f.function for f in reversed(record.frames))))
            if len(rows) == _BATCH_ROWS:
                yield arrow.RecordBatch.from_pylist(rows, schema=columns)
                rows = []
    if rows:
        yield arrow.RecordBatch.from_pylist(rows, schema=columns)


def to_parquet(capture, folder, views=VIEWS, build="", host=None):
    """Writes to folder/host=.../day=.../<capture>.parquet and returns that path.

    A `folder` that ends in ".parquet" is a file, with the host and the day in columns.
    """
    arrow = _pyarrow()
    import pyarrow.parquet
    parts = batches(capture, views, build, host)
    first = next(parts, None)
    if first is None:
        raise ValueError("%s has no stacks" % capture.path)
    path, left_out = os.fspath(folder), ()
    if not path.endswith(".parquet"):
        place = os.path.join(path, "host=%s" % first["host"][0].as_py(),
                             "day=%s" % first["day"][0].as_py())
        os.makedirs(place, exist_ok=True)
        path = os.path.join(place, os.path.basename(capture.path) + ".parquet")
        left_out = ("host", "day")  # they are in the folders' names
    kept = [field for field in schema() if field.name not in left_out]
    names = [field.name for field in kept]
    temporary = "%s.%d" % (path, os.getpid())  # who reads the folder sees whole files
    try:
        with arrow.parquet.ParquetWriter(temporary, arrow.schema(kept),
                                         compression=_COMPRESSION) as file:
            for part in itertools.chain([first], parts):
                file.write_table(arrow.Table.from_batches([part]).select(names))
        os.replace(temporary, path)
    except BaseException:
        if os.path.exists(temporary):
            os.unlink(temporary)
        raise
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
