#include "report/view/native_code.h"

#include <algorithm>
#include <array>
#include <cctype>

#include "reader/text/base_name.h"
#include "report/text/contains.h"

namespace memlens::report {
namespace {

// Allocate on behalf of their caller: the C library's, and those that programs put around them.
constexpr std::string_view kAllocatingFunctions[] = {
    "malloc",         "calloc",        "realloc",   "reallocarray", "strdup",   "strndup",
    "asprintf",       "mmap",          "vasprintf", "getline",      "getdelim", "xmalloc",
    "xcalloc",        "xrealloc",      "xstrdup",   "xstrndup",     "xzalloc",  "xmemdup",
    "posix_memalign", "aligned_alloc", "memalign",  "valloc",       "pvalloc",  "mallocx",
    "rallocx",        "do_rallocx",    "xallocx"};

constexpr std::string_view kAllocatingWords[] = {"malloc", "Malloc",  "MALLOC",  "calloc",
                                                 "Calloc", "realloc", "Realloc", "REALLOC"};

// glib, redis, gcc's collected heap, obstacks, Rust, Go, LLVM, the JVM, jemalloc inside.
constexpr std::string_view kAllocatingPrefixes[] = {"x_cgo_mmap",
                                                    "runtime.callCgoMmap",
                                                    "runtime.mmap",
                                                    "runtime.sysMap",
                                                    "runtime.sysAlloc",
                                                    "runtime.sysReserve",
                                                    "g_malloc",
                                                    "g_realloc",
                                                    "g_strdup",
                                                    "g_slice_",
                                                    "zmalloc",
                                                    "zcalloc",
                                                    "zrealloc",
                                                    "ztry",
                                                    "zstrdup",
                                                    "ggc_",
                                                    "_obstack_",
                                                    "obstack_",
                                                    "git_buf_",
                                                    "__rust",
                                                    "__rdl_",
                                                    "_rjem_",
                                                    "je_arena_",
                                                    "je_hook_",
                                                    "je_large_",
                                                    "CRYPTO_malloc",
                                                    "os::malloc",
                                                    "AllocateHeap",
                                                    "llvm::allocate_buffer",
                                                    "CRYPTO_zalloc",
                                                    "llvm::safe_",
                                                    "llvm::BumpPtrAllocatorImpl",
                                                    "llvm::SmallVectorBase"};

// Where a program, a thread or a library begins.
constexpr std::string_view kStartingFunctions[] = {"_start",
                                                   "__libc_start_main",
                                                   "__libc_start_call_main",
                                                   "start_thread",
                                                   "clone",
                                                   "clone3",
                                                   "_dl_start_user",
                                                   "_dl_init",
                                                   "call_init"};

// Namespaces of the C++ library; std:: is Rust's as well.
constexpr std::string_view kLibraryNamespaces[] = {
    "std::", "__gnu_cxx::", "__cxxabiv1::", "operator new"};

// Rust's. C++ programs call namespaces of their own core:: and alloc::, with other things in them.
constexpr std::string_view kRustCrates[] = {"core::", "alloc::"};
constexpr std::string_view kRustModules[] = {
    "alloc::",   "any::",    "array::",   "ascii::",  "borrow::",      "boxed::",
    "cell::",    "char::",   "clone::",   "cmp::",    "collections::", "convert::",
    "default::", "ffi::",    "fmt::",     "future::", "hash::",        "intrinsics::",
    "iter::",    "mem::",    "num::",     "ops::",    "option::",      "panicking::",
    "pin::",     "ptr::",    "raw_vec::", "rc::",     "result::",      "slice::",
    "str::",     "string::", "sync::",    "task::",   "time::",        "vec::"};

constexpr std::string_view kSystemFolders[] = {"/lib/",       "/usr/lib/", "/lib64/",
                                               "/usr/lib64/", "/lib32/",   "/usr/lib32/"};

bool begins_any(std::string_view text, auto&& prefixes) {
  return std::ranges::any_of(prefixes, [&](std::string_view p) { return text.starts_with(p); });
}

bool contains_any(std::string_view text, auto&& parts) {
  return std::ranges::any_of(parts, [&](std::string_view p) { return contains(text, p); });
}

bool is_in_library_namespace(std::string_view name) {
  if (begins_any(name, kLibraryNamespaces) || name.starts_with("hashbrown::")) return true;
  for (std::string_view crate : kRustCrates) {
    if (name.starts_with(crate)) return begins_any(name.substr(crate.size()), kRustModules);
  }
  return false;
}

// "Vec<T>" of "<Vec<T> as Trait>::method" and of "<&mut Vec<T>>::method": whose method it is; of a
// type that belongs to no crate ("<T as Trait>", "<[u8] as Trait>") the trait.
std::string_view rust_owner(std::string_view function) {
  while (begins_any(function, std::array<std::string_view, 3>{"<", "&", "("})) {
    function.remove_prefix(1);
  }
  for (std::string_view word : {"mut ", "dyn ", "impl "}) {
    if (function.starts_with(word)) function.remove_prefix(word.size());
  }
  const size_t as = function.find(" as ");
  if (as != std::string_view::npos && !contains(function.substr(0, as), "::")) {
    function.remove_prefix(as + 4);
  }
  return function;
}

// "std::vector<int>::f" of "void std::vector<int>::f<long>(int)": what comes after the last blank
// outside of brackets, which parts a template's return type from its name.
std::string_view without_return_type(std::string_view function) {
  int depth = 0;
  size_t begin = 0;
  for (size_t i = 0; i < function.size(); ++i) {
    const char c = function[i];
    if (c == '(' && depth == 0 && i > begin) break;
    if (c == '<' || c == '(' || c == '[') ++depth;
    if (c == '>' || c == ')' || c == ']') --depth;
    if (c == ' ' && depth == 0) {
      if (function.substr(begin, i - begin).ends_with("operator")) break;
      begin = i + 1;
    }
  }
  return function.substr(begin);
}

// What C programs call their own: sqlite3DbMallocRaw, PyObject_Realloc, xmlCallocWrapper.
bool wraps_allocation(std::string_view function) {
  return !contains(function, ":") && contains_any(function, kAllocatingWords);
}

// rustc's own sources, as paths of debug information name them.
bool is_rust_library_source(std::string_view file) {
  static constexpr std::string_view kParts[] = {"/rustc/", "library/alloc/src/",
                                                "library/core/src/", "library/std/src/",
                                                "rustlib/src/rust/library/"};
  return contains_any(file, kParts);
}

// Below GOROOT: "/usr/local/go/src/fmt/print.go", "/usr/lib/go-1.19/src/fmt/print.go",
// "/_/GOROOT/src/runtime/cgo/gcc_mmap.c". A package of GOPATH begins with a host's name.
bool is_go_library_source(std::string_view file) {
  for (std::string_view root : {"/go/src/", "/GOROOT/src/", "/go-1."}) {
    size_t at = file.find(root);
    if (at == std::string_view::npos) continue;
    at = file.find("src/", at);
    if (at == std::string_view::npos) continue;
    const std::string_view package = file.substr(at + 4);
    const std::string_view first = package.substr(0, package.find('/'));
    if (!contains(first, ".")) return true;
  }
  return false;
}

bool is_named(std::string_view name, std::string_view stem) {
  if (!name.starts_with(stem)) return false;
  name.remove_prefix(stem.size());
  return name.empty() || name[0] == '.' || name[0] == '-' || std::isdigit(name[0]) != 0;
}

}  // namespace

bool is_container_machinery(const reader::Frame& frame) {
  if (frame.origin != reader::FrameOrigin::kNative) return false;
  if (is_rust_library_source(frame.file) || contains(frame.file, "/include/c++/")) return true;
  if (frame.function.starts_with('<')) return is_in_library_namespace(rust_owner(frame.function));
  return is_in_library_namespace(frame.function) ||
         (contains(frame.function, " ") &&
          is_in_library_namespace(without_return_type(frame.function)));
}

bool is_pool_report(const reader::Frame& frame) {
  return frame.function.starts_with("memlens_") && reader::base_name(frame.file) == "memlens.h";
}

bool names_allocation(std::string_view function) {
  return contains(function, "alloc") || contains(function, "Alloc");
}

bool is_native_machinery(const reader::Frame& frame) {
  return is_pool_report(frame) ||
         std::ranges::find(kAllocatingFunctions, frame.function) !=
             std::ranges::end(kAllocatingFunctions) ||
         begins_any(frame.function, kAllocatingPrefixes) ||
         std::ranges::find(kStartingFunctions, frame.function) !=
             std::ranges::end(kStartingFunctions) ||
         wraps_allocation(frame.function) || is_container_machinery(frame);
}

bool is_go_runtime(const reader::Frame& frame) {
  static constexpr std::string_view kPrefixes[] = {"runtime.", "runtime/",  "_cgo_",
                                                   "x_cgo_",   "crosscall", "main._Cfunc_"};
  // What the runtime calls before anything of a program's: its own parts, in the standard library.
  if (frame.function.starts_with("internal/") && contains(frame.file, "/src/internal/"))
    return true;
  return begins_any(frame.function, kPrefixes) &&
         (contains(frame.file, "/runtime/") || contains(frame.file, "_cgo_") ||
          frame.file.empty() || contains(frame.file, "cgo-gcc-prolog"));
}

bool is_package_source(std::string_view file) {
  static constexpr std::string_view kParts[] = {
      "/.cargo/registry/", "/cargo/registry/",  "/.cargo/git/checkouts/",
      "/go/pkg/mod/",      "/node_modules/",    "/.conan/",
      "/.conan2/",         "/vcpkg_installed/", "/_deps/"};
  return contains_any(file, kParts);
}

bool is_standard_library_source(std::string_view file) {
  return file.starts_with("/usr/include/") || is_rust_library_source(file) ||
         is_go_library_source(file);
}

bool is_interpreter_module(std::string_view module) {
  static constexpr std::string_view kNames[] = {"python", "java", "node",  "nodejs",  "ruby",
                                                "perl",   "php",  "lua",   "Rscript", "bash",
                                                "dash",   "sh",   "dotnet"};
  static constexpr std::string_view kLibraries[] = {"libpython", "libjvm",  "libjli",    "libjava",
                                                    "libnode",   "libruby", "libperl",   "libphp",
                                                    "liblua",    "libR",    "libcoreclr"};
  const std::string_view name = reader::base_name(module);
  const auto is = [&](std::string_view stem) { return is_named(name, stem); };
  return std::ranges::any_of(kNames, is) || std::ranges::any_of(kLibraries, is) ||
         contains(module, "/lib-dynload/");
}

bool is_runtime_module(std::string_view module) {
  static constexpr std::string_view kNames[] = {
      "libc",      "libm",      "libpthread", "libdl",     "librt",     "libresolv",
      "libutil",   "libnsl",    "ld-linux",   "libstdc++", "libgcc_s",  "libc++",
      "libc++abi", "libunwind", "ld-musl",    "libgomp",   "libatomic", "libmemlens"};
  const std::string_view name = reader::base_name(module);
  return std::ranges::any_of(kNames, [&](std::string_view stem) { return is_named(name, stem); });
}

bool is_system_library(std::string_view module) {
  // A compiler's passes and helpers of git are programs, though they live among libraries.
  return begins_any(module, kSystemFolders) && !contains(module, "/libexec/") &&
         !contains(module, "/gcc/") && !contains(module, "/git-core/") &&
         !contains(module, "-packages/");
}

bool is_system_program(std::string_view module) {
  static constexpr std::string_view kFolders[] = {"/usr/", "/bin/", "/sbin/", "/lib/", "/lib64/"};
  return begins_any(module, kFolders) && !module.starts_with("/usr/local/") &&
         !module.starts_with("/usr/src/");
}

}  // namespace memlens::report
