#include "report/view/code_origin.h"

#include <doctest/doctest.h>

#include "report/view/responsible.h"
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

// A capture of `python3 app.py` started in /src.
CodeOrigin origin_of(const Frame& frame, OwnCodeOptions options = {}) {
  return CodeOrigins(sample::capture_info(), options).of(frame);
}

reader::CaptureInfo capture_of(std::string executable, std::vector<std::string> command) {
  reader::CaptureInfo info = sample::capture_info();
  info.command = command;
  info.processes[0].command = command;
  info.processes[0].executable = executable;
  return info;
}

std::string_view responsible(std::vector<Frame> innermost_first,
                             const reader::CaptureInfo& info = sample::capture_info(),
                             OwnCodeOptions options = {}) {
  FrameTree tree;
  const auto leaf = tree.intern(innermost_first);
  const CodeOrigins origins(info, options);
  // Found for one stack and for many: the same.
  CHECK(ResponsibleNodes(tree, origins).of(leaf) == responsible_node(tree, leaf, origins));
  return tree.frame(responsible_node(tree, leaf, origins)).function;
}

}  // namespace

TEST_CASE("Python files are told apart by where they are installed") {
  CHECK(origin_of(python("f", "/src/app.py")) == CodeOrigin::kProject);
  CHECK(origin_of(python("f", "/src/part/of/it.py")) == CodeOrigin::kProject);
  CHECK(origin_of(python("f", "<string>")) == CodeOrigin::kProject);
  CHECK(origin_of(python("f", "/opt/company/tools.py")) == CodeOrigin::kPackage);
  CHECK(origin_of(python("f", "/usr/lib/python3.11/re/__init__.py")) == CodeOrigin::kLibrary);
  CHECK(origin_of(python("f", "/src/venv/lib/python3.11/site-packages/black/a.py")) ==
        CodeOrigin::kPackage);
  CHECK(origin_of(python("f", "/src/.venv/lib/python3.11/re/__init__.py")) == CodeOrigin::kLibrary);
  CHECK(origin_of(python("f", "/usr/lib/python3/dist-packages/numpy/a.py")) ==
        CodeOrigin::kPackage);
  CHECK(origin_of(python("f", "/src/venv/bin/pytest")) == CodeOrigin::kPackage);
  CHECK(origin_of(python("f", "<frozen importlib._bootstrap_external>")) == CodeOrigin::kMachinery);
  CHECK(origin_of(python("f", "<frozen os>")) == CodeOrigin::kLibrary);
}

TEST_CASE("the project's folder is that of the script too, or the one that is given") {
  const reader::CaptureInfo info =
      capture_of("/usr/bin/python3.11", {"python3", "-u", "../w/x.py"});
  CHECK(CodeOrigins(info).of(python("f", "/w/y.py")) == CodeOrigin::kProject);
  CHECK(CodeOrigins(info).of(python("f", "/elsewhere/y.py")) == CodeOrigin::kPackage);
  OwnCodeOptions given;
  given.project = "/v/lib/python3.11/site-packages/mine";
  CHECK(origin_of(python("f", given.project + "/a.py"), given) == CodeOrigin::kProject);
  CHECK(origin_of(python("f", "/src/app.py"), given) == CodeOrigin::kPackage);
}

TEST_CASE("native functions are told apart by what they do and where they are") {
  CHECK(origin_of(native("handle", "/opt/server")) == CodeOrigin::kProject);
  CHECK(origin_of(native("operator new(unsigned long)", "/usr/lib/libstdc++.so.6")) ==
        CodeOrigin::kMachinery);
  CHECK(origin_of(native("std::vector<int>::push_back", "/opt/server")) == CodeOrigin::kMachinery);
  CHECK(origin_of(native("void std::__1::vector<a::B, std::__1::allocator<a::B> >::grow<a::B>",
                         "/opt/server")) == CodeOrigin::kMachinery);
  CHECK(origin_of(native("std::string make_name", "/opt/server")) == CodeOrigin::kMachinery);
  CHECK(origin_of(native("Engine::operator std::string", "/opt/server")) == CodeOrigin::kProject);
  CHECK(origin_of(native("zmalloc", "/opt/server")) == CodeOrigin::kMachinery);
  CHECK(origin_of(native("ggc_internal_alloc", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus")) ==
        CodeOrigin::kMachinery);
  CHECK(origin_of(native("fopen", "/lib/x86_64-linux-gnu/libc.so.6")) == CodeOrigin::kSystem);
  CHECK(origin_of(native("list_append", "/usr/bin/python3.11")) == CodeOrigin::kInterpreter);
  CHECK(origin_of(native("SSL_new", "/usr/lib/libssl.so.3")) == CodeOrigin::kLibrary);
  CHECK(origin_of(native("array_new", "/v/site-packages/numpy/x.so")) == CodeOrigin::kPackage);
  CHECK(origin_of(native("make_node", "/usr/lib/gcc/x86_64-linux-gnu/12/cc1plus")) ==
        CodeOrigin::kPackage);
}

TEST_CASE("Rust's library is machinery, crates are packages, C++ namespaces of its names are not") {
  for (const char* name :
       {"<alloc::alloc::Global as core::alloc::Allocator>::allocate",
        "<&mut alloc::vec::Vec<T,A> as core::iter::Extend>::extend", "core::ops::FnOnce::call_once",
        "<T as core::convert::Into<U>>::into", "<[u8] as alloc::slice::Concat>::concat",
        "hashbrown::raw::RawTable<T,A>::reserve_rehash", "std::rt::lang_start"}) {
    CHECK_MESSAGE(origin_of(native(name, "/src/target/app")) == CodeOrigin::kMachinery, name);
  }
  for (const char* name : {"app::build", "<app::Row as core::clone::Clone>::clone",
                           "core::Engine::run", "alloc::Pool::take"}) {
    CHECK_MESSAGE(origin_of(native(name, "/src/target/app")) == CodeOrigin::kProject, name);
  }
  Frame inlined = native("into_owned", "/src/target/app");
  inlined.file = "/rustc/59807616/library/alloc/src/borrow.rs";
  CHECK(origin_of(inlined) == CodeOrigin::kMachinery);
  Frame crate = native("serde_json::from_str", "/src/target/app");
  crate.file = "/srv/me/.cargo/registry/src/index.crates.io-1/serde_json-1.0/src/de.rs";
  CHECK(origin_of(crate) == CodeOrigin::kPackage);
}

TEST_CASE("Go's runtime interprets, its library is a library, modules are packages") {
  const auto go = [](std::string_view function, std::string_view file) {
    Frame frame = native(function, "/src/app");
    frame.file = file;
    return frame;
  };
  CHECK(origin_of(go("runtime.(*mheap).grow", "/usr/local/go/src/runtime/mheap.go")) ==
        CodeOrigin::kInterpreter);
  CHECK(origin_of(go("x_cgo_thread_start", "/_/GOROOT/src/runtime/cgo/gcc_util.c")) ==
        CodeOrigin::kInterpreter);
  CHECK(origin_of(go("internal/cpu.doinit", "/usr/local/go/src/internal/cpu/cpu_x86.go")) ==
        CodeOrigin::kInterpreter);
  CHECK(origin_of(go("me/app/internal/cpu.doinit", "/srv/me/app/internal/cpu/cpu.go")) ==
        CodeOrigin::kProject);
  CHECK(origin_of(go("fmt.Sprintf", "/usr/lib/go-1.19/src/fmt/print.go")) == CodeOrigin::kLibrary);
  CHECK(origin_of(go("cobra.(*Command).Execute",
                     "/srv/go/pkg/mod/github.com/spf13/cobra@v1.8.0/command.go")) ==
        CodeOrigin::kPackage);
  CHECK(origin_of(go("main.leak", "/srv/me/go/src/github.com/me/app/main.go")) ==
        CodeOrigin::kProject);
  CHECK(origin_of(go("runtime.go_on", "/src/runtime_of_mine.c")) == CodeOrigin::kProject);
}

TEST_CASE("the libraries of an installed program are part of it, those of one's own are not") {
  const Frame pass = native("llvm::PassManager::run", "/lib/x86_64-linux-gnu/libLLVM-14.so.1");
  const Frame start = native("cc1_main", "/usr/lib/llvm-14/bin/clang");
  CHECK(responsible({native("malloc", "/lib/libc.so.6"), pass, start},
                    capture_of("/usr/lib/llvm-14/bin/clang", {"clang"})) ==
        "llvm::PassManager::run");
  CHECK(responsible({pass, native("compile", "/src/build/jit")},
                    capture_of("/src/build/jit", {"./jit"})) == "compile");
}

TEST_CASE("functions that wrap an allocation are told by their names") {
  for (const char* name :
       {"sqlite3DbMallocRaw", "PyObject_Realloc", "xmlCallocWrapper", "clone3"}) {
    CHECK(origin_of(native(name, "/opt/server")) == CodeOrigin::kMachinery);
  }
  CHECK(origin_of(native("arena::malloc_stats::print", "/opt/server")) == CodeOrigin::kProject);
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

TEST_CASE("installed packages are the program's own only where they are asked for") {
  const std::vector<Frame> stack = {
      native("parse", "/v/lib/python3.11/site-packages/pandas/parsers.so"),
      python("read", "/v/lib/python3.11/site-packages/pandas/io.py"),
      python("main", "/src/app.py")};
  OwnCodeOptions options;
  CHECK(responsible(stack) == "main");
  options.own = OwnCode::kPackages;
  CHECK(responsible(stack, sample::capture_info(), options) == "read");
  options.own = OwnCode::kAll;
  CHECK(responsible(stack, sample::capture_info(), options) == "parse");
}

TEST_CASE("what site imports before the program begins is the start-up's") {
  const Frame import = python("_find_and_load", "<frozen importlib._bootstrap>");
  const Frame addpackage = python("addpackage", "<frozen site>");
  CHECK(
      responsible({python("<module>", "/v/lib/python3.11/site-packages/_hack/__init__.py"), import,
                   python("<module>", "<string>"), addpackage, python("main", "<frozen site>"),
                   import, native("Py_Main", "/usr/bin/python3.11")}) == "addpackage");
  // A program that imports it is a program.
  CHECK(responsible({addpackage, import, python("load", "/src/app.py")}) == "load");
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

TEST_CASE("what an event loop runs is not the line's that started it") {
  const Frame module = python("<module>", "/src/app.py");
  const Frame run = python("run", "/usr/lib/python3.11/asyncio/runners.py");
  const Frame loop =
      python("BaseEventLoop.run_forever", "/usr/lib/python3.11/asyncio/base_events.py");
  const Frame once =
      python("BaseEventLoop._run_once", "/usr/lib/python3.11/asyncio/base_events.py");
  const Frame read = python("_SelectorSocketTransport._read_ready",
                            "/usr/lib/python3.11/asyncio/selector_events.py");
  CHECK(responsible({read, once, loop, run, module}) == "_SelectorSocketTransport._read_ready");
  CHECK(responsible({native("epoll_poll", "/usr/lib/libpython3.11.so"), loop, run, module}) ==
        "BaseEventLoop.run_forever");
  CHECK(responsible({python("handle", "/src/app.py"), read, once, loop, run, module}) == "handle");
  CHECK(responsible({python("request", "/usr/lib/python3/dist-packages/aiohttp/web.py"), read, once,
                     loop, run, module}) == "request");
  CHECK(responsible({python("__init__", "/usr/lib/python3.11/asyncio/unix_events.py"), run,
                     module}) == "<module>");
  // Older Pythons tell no class.
  CHECK(responsible({read, python("serve_forever", "/usr/lib/python3.11/socketserver.py"),
                     module}) == "_SelectorSocketTransport._read_ready");
}
