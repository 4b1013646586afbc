#!/usr/bin/env python3
"""Stub libraries with an allow-list of symbol versions: make_stubs.py CC TABLE FOLDER

libmemlens.so is linked against these in place of libc's, so that a symbol newer than the table allows
is a link error, and what is linked runs with every glibc from the newest version in the table on.
"""
import collections
import os
import subprocess
import sys


def main():
    compiler, table, folder = sys.argv[1:]
    libraries = collections.defaultdict(lambda: collections.defaultdict(list))
    with open(table, encoding="utf-8") as file:
        for line in file:
            fields = line.split("#")[0].split()
            if fields:
                library, version, symbol = fields[:3]
                libraries[library][version].append((symbol, len(fields) > 3))
    os.makedirs(folder, exist_ok=True)
    for library, versions in libraries.items():
        path = os.path.join(folder, library)
        with open(path + ".map", "w", encoding="utf-8") as version_map, \
                open(path + ".c", "w", encoding="utf-8") as source:
            for version, symbols in versions.items():
                names = " ".join(symbol + ";" for symbol, _ in symbols)
                version_map.write("%s { global: %s };\n" % (version, names))
                for symbol, is_object in symbols:
                    source.write("void *%s;\n" % symbol if is_object
                                 else "void %s(void) {}\n" % symbol)
        subprocess.run([compiler, "-shared", "-fPIC", "-nostdlib", "-fno-builtin", "-w",
                        "-Wl,-soname," + library, "-Wl,--version-script=" + path + ".map",
                        "-o", path, path + ".c"], check=True)


if __name__ == "__main__":
    main()
