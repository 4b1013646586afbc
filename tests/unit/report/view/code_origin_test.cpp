#include "report/view/code_origin.h"

#include <doctest/doctest.h>

#include "tests/unit/report/sample.h"

using namespace memlens;
using namespace memlens::report;
using reader::Frame;
using reader::FrameOrigin;

namespace {

Frame python(std::string_view function, std::string_view file) {
  Frame frame;
  frame.function = function;
  frame.file = file;
  frame.line = 1;
  frame.origin = FrameOrigin::kPython;
  return frame;
}

Frame native(std::string_view function, std::string_view module) {
  Frame frame;
  frame.function = function;
  frame.module = module;
  frame.origin = FrameOrigin::kNative;
  return frame;
}

std::string_view responsible(std::vector<Frame> innermost_first) {
  FrameTree tree;
  const auto leaf = tree.intern(innermost_first);
  return tree.frame(responsible_node(tree, leaf)).function;
}

}  // namespace

TEST_CASE("Python files are told apart by where they are installed") {
  CHECK(code_origin_of(python("f", "/src/app.py")) == CodeOrigin::kProgram);
  CHECK(code_origin_of(python("f", "<string>")) == CodeOrigin::kProgram);
  CHECK(code_origin_of(python("f", "/usr/lib/python3.11/re/__init__.py")) == CodeOrigin::kLibrary);
  CHECK(code_origin_of(python("f", "/v/lib/python3.11/site-packages/black/a.py")) ==
        CodeOrigin::kProgram);
  CHECK(code_origin_of(python("f", "/usr/lib/python3/dist-packages/numpy/a.py")) ==
        CodeOrigin::kProgram);
  CHECK(code_origin_of(python("f", "<frozen importlib._bootstrap_external>")) ==
        CodeOrigin::kMachinery);
  CHECK(code_origin_of(python("f", "<frozen os>")) == CodeOrigin::kLibrary);
}

TEST_CASE("native functions are told apart by what they do and where they are") {
  CHECK(code_origin_of(native("handle", "/opt/server")) == CodeOrigin::kProgram);
  CHECK(code_origin_of(native("operator new(unsigned long)", "/usr/lib/libstdc++.so.6")) ==
        CodeOrigin::kMachinery);
  CHECK(code_origin_of(native("std::vector<int>::push_back", "/opt/server")) ==
        CodeOrigin::kMachinery);
  CHECK(code_origin_of(native("zmalloc", "/opt/server")) == CodeOrigin::kMachinery);
  CHECK(code_origin_of(native("ggc_internal_alloc", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus")) ==
        CodeOrigin::kMachinery);
  CHECK(code_origin_of(native("fopen", "/lib/x86_64-linux-gnu/libc.so.6")) == CodeOrigin::kLibrary);
  CHECK(code_origin_of(native("list_append", "/usr/bin/python3.11")) == CodeOrigin::kLibrary);
  CHECK(code_origin_of(native("make_node", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus")) ==
        CodeOrigin::kProgram);
}

TEST_CASE("functions that wrap an allocation are told by their names") {
  for (const char* name :
       {"sqlite3DbMallocRaw", "PyObject_Realloc", "xmlCallocWrapper", "clone3"}) {
    CHECK(code_origin_of(native(name, "/opt/server")) == CodeOrigin::kMachinery);
  }
  CHECK(code_origin_of(native("arena::malloc_stats::print", "/opt/server")) ==
        CodeOrigin::kProgram);
}

TEST_CASE("frames of which only the address is known have no name") {
  CHECK(is_nameless(native("server+0x12f0", "/opt/server")));
  CHECK(is_nameless(native("0x7f0012345678", "")));
  CHECK_FALSE(is_nameless(native("serve", "/opt/server")));
  CHECK_FALSE(is_nameless(native("server_main", "/opt/server")));
  CHECK_FALSE(is_nameless(python("server+0x12f0", "/opt/server")));
}

TEST_CASE("in a stripped program the library function it called is responsible") {
  const char* library = "/usr/lib/libsqlite3.so.0";
  CHECK(responsible({native("libsqlite3.so.0+0xa74b8", library), native("sqlite3Realloc", library),
                     native("sqlite3VdbeSorterWrite", library), native("sqlite3_step", library),
                     native("shell+0x200c3", "/opt/shell"),
                     native("__libc_start_call_main", "/lib/libc.so.6")}) ==
        "sqlite3VdbeSorterWrite");
  CHECK(responsible({native("shell+0x10", "/opt/shell"), native("shell+0x20", "/opt/shell"),
                     native("__libc_start_call_main", "/lib/libc.so.6")}) == "shell+0x10");
}

TEST_CASE("the program's line that called a library is responsible") {
  CHECK(responsible({python("decode", "/usr/lib/python3.11/json/decoder.py"),
                     python("load", "/src/app.py"), python("main", "/src/app.py")}) == "load");
}

TEST_CASE("the line that imports is responsible for the import") {
  CHECK(responsible({python("get_data", "<frozen importlib._bootstrap_external>"),
                     python("<module>", "/usr/lib/python3.11/asyncio/__init__.py"),
                     python("_find_and_load", "<frozen importlib._bootstrap>"),
                     python("setup", "/src/app.py")}) == "setup");
}

TEST_CASE("Python is responsible before the native code it runs") {
  CHECK(responsible({native("array_new", "/v/lib/python3.11/site-packages/numpy/core/x.so"),
                     python("load", "/src/app.py")}) == "load");
}

TEST_CASE("the innermost native function of the program is responsible") {
  CHECK(responsible({native("operator new(unsigned long)", "/usr/lib/libstdc++.so.6"),
                     native("std::vector<int>::push_back", "/opt/server"),
                     native("handle", "/opt/server"), native("main", "/opt/server")}) == "handle");
}

TEST_CASE("stacks can be had without machinery") {
  const auto functions = [](std::vector<Frame> frames) {
    std::string text;
    const FramesOf frames_of = [&](uint32_t, uint32_t) { return frames; };
    for (const Frame& frame : without_machinery(frames_of)(1, 1)) {
      text += std::string(frame.function) + " ";
    }
    return text;
  };
  const Frame import = python("_find_and_load", "<frozen importlib._bootstrap>");
  CHECK(functions({python("<module>", "a.py"), import, import, python("main", "b.py")}) ==
        "<module> main ");
  CHECK(functions({import, import}) == "_find_and_load _find_and_load ");
  CHECK(functions({native("operator new", ""), native("std::a", ""), native("std::v", ""),
                   native("main", "")}) == "std::v main ");
}

TEST_CASE("without any better frame the innermost is responsible") {
  CHECK(responsible({native("malloc", "/lib/libc.so.6"), native("calloc", "/lib/libc.so.6")}) ==
        "malloc");
}
