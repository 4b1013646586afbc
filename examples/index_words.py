"""Indexes the words of Python's own standard library: the program `make demo` records.

A small search engine, as one would write it: read the sources, split them into words, remember
where each word stands, answer queries. It has two things a memory profile should point at:

  * `SearchCache` never forgets an answer, so it outlives the index it was filled from: what is
    still allocated at the end is mostly there.
  * `rank` builds a table of every word for one report and drops it: that makes the peak.
"""
import os
import re
import sys
import sysconfig
from collections import Counter, defaultdict

WORD = re.compile(r"[A-Za-z_]{3,}")
FILES = int(sys.argv[1]) if len(sys.argv) > 1 else 150


def source_files(limit):
    root = sysconfig.get_paths()["stdlib"]
    names = sorted(name for name in os.listdir(root) if name.endswith(".py"))
    return [os.path.join(root, name) for name in names[:limit]]


class Index:
    def __init__(self):
        self.positions = defaultdict(list)
        self.texts = {}

    def add(self, path):
        with open(path, encoding="utf-8", errors="replace") as file:
            text = file.read()
        self.texts[path] = text
        for number, line in enumerate(text.splitlines(), 1):
            for match in WORD.finditer(line):
                self.positions[match.group().lower()].append((path, number))

    def search(self, word):
        return [f"{os.path.basename(path)}:{line}" for path, line in self.positions[word]]


class SearchCache:
    """Remembers every answer, forever."""

    def __init__(self):
        self.answers = {}

    def search(self, index, word):
        if word not in self.answers:
            self.answers[word] = index.search(word)
        return self.answers[word]


def rank(index):
    """The commonest words, by a table of every occurrence (which is a waste, and the peak)."""
    table = [(word, path, line) for word, places in index.positions.items()
             for path, line in places]
    counts = Counter(word for word, _, _ in table)
    return counts.most_common(5)


CACHE = SearchCache()


def main():
    index = Index()
    for path in source_files(FILES):
        index.add(path)
    for word in sorted(index.positions)[::2]:
        CACHE.search(index, word)
    common = rank(index)
    print(f"{len(index.texts)} files, {len(index.positions)} different words; commonest: "
          + ", ".join(f"{word} ({count})" for word, count in common))


if __name__ == "__main__":
    main()
