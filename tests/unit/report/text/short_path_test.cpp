#include "report/text/short_path.h"

#include <doctest/doctest.h>

using namespace memlens;
using namespace memlens::report;

TEST_CASE("paths are relative to the working directory or to where Python installs") {
  CHECK(short_path("/src/app/main.py", "/src") == "app/main.py");
  CHECK(short_path("/source/main.py", "/src") == "/source/main.py");
  CHECK(short_path("/usr/lib/python3.11/json/decoder.py", "/src") == "json/decoder.py");
  CHECK(short_path("/v/lib/python3.12/site-packages/numpy/a.py", "/v") == "numpy/a.py");
  CHECK(short_path("/usr/lib/python3/dist-packages/numpy/a.py", "/src") == "numpy/a.py");
  CHECK(short_path("/opt/python3.11/tool.py", "/src") == "/opt/python3.11/tool.py");
  CHECK(short_path("<frozen importlib._bootstrap>", "/src") == "<frozen importlib._bootstrap>");
  CHECK(short_path("/usr/include/c++/12/bits/stl_vector.h", "/src") == "bits/stl_vector.h");
  CHECK(short_path("/main.py", "/") == "/main.py");
}

TEST_CASE("a place is file and line, else the module's name") {
  reader::Frame frame;
  CHECK(place_of(frame, "/").empty());
  frame.module = "/usr/lib/x86_64-linux-gnu/libz.so.1";
  CHECK(place_of(frame, "/") == "libz.so.1");
  frame.file = "/src/a.c";
  CHECK(place_of(frame, "/src") == "a.c");
  frame.line = 7;
  CHECK(place_of(frame, "/src") == "a.c:7");
}

TEST_CASE("an extension module goes without the tag of the Python it is for") {
  CHECK(short_module("/usr/lib/python3.11/lib-dynload/_bz2.cpython-311-x86_64-linux-gnu.so") ==
        "_bz2.so");
  CHECK(short_module("/lib/libz.so.1") == "libz.so.1");
  CHECK(short_module("/src/a.cpython-311") == "a.cpython-311");
  CHECK(short_module("") == "");
}
