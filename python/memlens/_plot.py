"""python -m memlens plot: memory over time, in what matplotlib writes beside SVG."""
from ._capture import _run
from ._sizes import format_size

_DRAWN_BY_MEMLENS = (".svg", "-")


def wants_matplotlib(arguments):
    """Whether the command line of `plot` names a file that the program does not draw."""
    path = _output_path(arguments)
    return path is not None and not path.endswith(_DRAWN_BY_MEMLENS)


def _output_path(arguments):
    path = None
    for here, following in zip(arguments, arguments[1:] + [""]):
        if here in ("-o", "--output"):
            path = following
        elif here.startswith("--output="):
            path = here.split("=", 1)[1]
        elif here.startswith("-o") and len(here) > 2 and not here.startswith("--"):
            path = here[2:]
    return path


def plot(arguments):
    """The arguments of `memlens plot`, without its name. Raises ImportError, MemlensError."""
    try:
        import matplotlib
    except ImportError:
        raise ImportError("plot: PNG and PDF need matplotlib; -o FILE.svg does not") from None
    matplotlib.use("Agg")
    path = _output_path(arguments)
    draw(_run("plot", *_without_output(arguments), "--json"), path)
    print(path)


def _without_output(arguments):
    kept, skips = [], False
    for word in arguments:
        if skips:
            skips = False
        elif word in ("-o", "--output"):
            skips = True
        elif not word.startswith("--output=") and not (word.startswith("-o") and word != "-o"):
            kept.append(word)
    return kept


def draw(report, path):
    """The picture of a memlens.timeline/1 report, into a file of any kind matplotlib writes."""
    from matplotlib import pyplot
    from matplotlib.ticker import FuncFormatter
    points = report["points"]
    seconds = [point["seconds"] for point in points]
    figure, axes = pyplot.subplots(figsize=(9.6, 4.2))
    axes.fill_between(seconds, [point["bytes"] for point in points], alpha=0.2, color="#2b6cb0")
    axes.plot(seconds, [point["bytes"] for point in points], color="#2b6cb0",
              label="recorded blocks")
    if any(point["resident_bytes"] for point in points):
        axes.plot(seconds, [point["resident_bytes"] for point in points], color="#c05621",
                  label="resident (RSS)")
    axes.plot([report["peak_seconds"]], [report["peak_bytes"]], "o", color="#9b2c2c",
              label="peak %s" % format_size(report["peak_bytes"]))
    for mark in report["marks"]:
        axes.axvline(mark["seconds"], color="#718096", linestyle=":", linewidth=1)
        if len(report["marks"]) <= 24:
            axes.annotate(mark["name"], (mark["seconds"], 1), xycoords=("data", "axes fraction"),
                          rotation=90, va="top", fontsize=8, color="#4a5568")
    axes.yaxis.set_major_formatter(FuncFormatter(lambda size, _: format_size(max(size, 0))))
    axes.set_ylim(bottom=0)
    axes.set_xlabel("seconds since recording began")
    axes.set_title(report["title"], loc="left")
    axes.legend(loc="upper left", fontsize=9)
    figure.tight_layout()
    figure.savefig(path, dpi=120)
    pyplot.close(figure)
