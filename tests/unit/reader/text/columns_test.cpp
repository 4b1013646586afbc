#include "reader/text/columns.h"

#include <doctest/doctest.h>

using namespace memlens;

TEST_CASE("control characters do not reach a terminal") {
  CHECK(printable("a\x1b[31mb") == "a\uFFFD[31mb");
  CHECK(printable("two\nlines\r") == "two\uFFFDlines\uFFFD");
  CHECK(printable("tab\there") == "tab here");
  CHECK(printable("\xC2\x9B"
                  "31m") == "\uFFFD31m");
  CHECK(printable("\u202Etxt.exe") == "\uFFFDtxt.exe");
  CHECK(printable("größe 名前") == "größe 名前");
}

TEST_CASE("wide characters take two columns and combining ones none") {
  CHECK(column_count("größe") == 5);
  CHECK(column_count("名前") == 4);
  CHECK(column_count("e\u0301") == 1);
}

TEST_CASE("text is cut at the asked end and never exceeds its columns") {
  CHECK(cut_end("abcdef", 6, true) == "abcdef");
  CHECK(cut_end("abcdef", 4, true) == "abc…");
  CHECK(cut_end("abcdef", 4, false) == "ab..");
  CHECK(cut_start("abcdef", 4, true) == "…def");
  CHECK(cut_start("abcdef", 4, false) == "..ef");
  CHECK(cut_end("名前空間", 4, true) == "名…");
  CHECK(cut_end("abcdef", 0, true).empty());
}

TEST_CASE("a path loses whole folders before its file loses letters") {
  CHECK(cut_folders("one/two/file.py:1", 17, true) == "one/two/file.py:1");
  CHECK(cut_folders("one/two/file.py:1", 16, true) == "…/two/file.py:1");
  CHECK(cut_folders("one/two/file.py:1", 13, true) == "…/file.py:1");
  CHECK(cut_folders("one/two/file.py:1", 8, true) == "…le.py:1");
}
