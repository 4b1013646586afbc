"""The stacks of a report one by one, as the program writes them: a view can be larger than memory."""
import json
import subprocess
import tempfile

from ._program import find_program


def stacks(arguments, fail):
    """Yields each of the report's "stacks". The program prints an object of that list between the
    lines "  {" and "  }", and no string holds a line break. fail(stderr) is raised from."""
    with tempfile.TemporaryFile() as errors:
        with subprocess.Popen([find_program(), *arguments], stdin=subprocess.DEVNULL,
                              stdout=subprocess.PIPE, stderr=errors) as process:
            try:
                lines = None
                for line in process.stdout:
                    if line == b"  {\n":
                        lines = [line]
                    elif lines is not None:
                        end = line.rstrip(b",\n") == b"  }"
                        lines.append(b"}" if end else line)
                        if end:
                            yield json.loads(b"".join(lines).decode("utf-8"))
                            lines = None
            finally:  # also where nobody wants the rest
                process.stdout.close()
                if process.poll() is None:
                    process.terminate()
        if process.returncode != 0:
            errors.seek(0)
            raise fail(errors.read(), process.returncode)
