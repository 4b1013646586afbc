#include "report/view/code_origin.h"

#include <algorithm>
#include <string_view>

namespace memlens::report {
namespace {

// Allocate on behalf of their caller: the C library's, and those that programs put around them.
constexpr std::string_view kAllocatingFunctions[] = {
    "malloc",   "calloc",   "realloc",   "reallocarray", "strdup",   "strndup",
    "asprintf", "mmap",     "vasprintf", "getline",      "getdelim", "xmalloc",
    "xcalloc",  "xrealloc", "xstrdup",   "xstrndup",     "xzalloc",  "xmemdup"};

constexpr std::string_view kAllocatingWords[] = {"malloc", "Malloc",  "MALLOC",  "calloc",
                                                 "Calloc", "realloc", "Realloc", "REALLOC"};

// glib, redis, gcc's collected heap, obstacks, Rust.
constexpr std::string_view kAllocatingPrefixes[] = {
    "g_malloc", "g_realloc", "g_strdup", "g_slice_",  "zmalloc",       "zcalloc",      "zrealloc",
    "ztry",     "zstrdup",   "ggc_",     "_obstack_", "obstack_",      "git_buf_",     "alloc::",
    "core::",   "hashbrown", "__rust",   "__rdl_",    "CRYPTO_malloc", "CRYPTO_zalloc"};

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

constexpr std::string_view kCppPrefixes[] = {"operator new",
                                             "std::", "__gnu_cxx::", "void std::", "void* std::"};
constexpr std::string_view kSystemFolders[] = {"/lib/", "/usr/lib/", "/lib64/", "/usr/lib64/"};

bool contains(std::string_view text, std::string_view part) {
  return text.find(part) != std::string_view::npos;
}

// Programs that live among the system's libraries: a compiler's passes, helpers of git.
bool is_program_file(std::string_view module) {
  return contains(module, "/libexec/") || contains(module, "/gcc/") ||
         contains(module, "/git-core/");
}

CodeOrigin python_origin(const reader::Frame& frame) {
  if (is_import_machinery(frame)) return CodeOrigin::kMachinery;
  if (frame.file.starts_with("<frozen ") || frame.file.starts_with("<__array_function__")) {
    return CodeOrigin::kLibrary;
  }
  const bool installed =
      contains(frame.file, "/site-packages/") || contains(frame.file, "/dist-packages/");
  const bool standard = contains(frame.file, "/lib/python3") ||
                        contains(frame.file, "/lib64/python3") ||
                        (contains(frame.file, "/python3") && contains(frame.file, ".zip/"));
  return standard && !installed ? CodeOrigin::kLibrary : CodeOrigin::kProgram;
}

// What C programs call their own: sqlite3DbMallocRaw, PyObject_Realloc, xmlCallocWrapper.
bool wraps_allocation(std::string_view function) {
  if (contains(function, ":")) return false;
  return std::ranges::any_of(kAllocatingWords,
                             [&](std::string_view word) { return contains(function, word); });
}

bool is_native_machinery(const reader::Frame& frame) {
  const auto is_name = [&](std::string_view name) { return frame.function == name; };
  const auto begins = [&](std::string_view prefix) { return frame.function.starts_with(prefix); };
  return std::ranges::any_of(kAllocatingFunctions, is_name) ||
         std::ranges::any_of(kAllocatingPrefixes, begins) ||
         std::ranges::any_of(kStartingFunctions, is_name) || wraps_allocation(frame.function) ||
         is_cpp_machinery(frame);
}

CodeOrigin native_origin(const reader::Frame& frame) {
  if (is_native_machinery(frame)) return CodeOrigin::kMachinery;
  if (frame.file.starts_with("/usr/include/") || contains(frame.file, "/include/c++/")) {
    return CodeOrigin::kLibrary;
  }
  const std::string_view name = frame.module.substr(frame.module.rfind('/') + 1);
  if (name.starts_with("libpython") || name.starts_with("python3")) return CodeOrigin::kLibrary;
  const bool in_system =
      std::ranges::any_of(kSystemFolders,
                          [&](std::string_view f) { return frame.module.starts_with(f); }) &&
      !is_program_file(frame.module) && !contains(frame.module, "-packages/");
  return in_system || frame.module.empty() ? CodeOrigin::kLibrary : CodeOrigin::kProgram;
}

constexpr int8_t kUnknownRank = -1;
constexpr int8_t kBestRank = 0;
constexpr int8_t kWorstRank = 100;

// The lowest is what to look at.
int rank_of_frame(const reader::Frame& frame) {
  const CodeOrigin origin = code_origin_of(frame);
  int rank = static_cast<int>(origin) * 4;
  if (frame.origin != reader::FrameOrigin::kPython) ++rank;
  // After everything that has a name, before what only allocates or starts.
  if (is_nameless(frame) && origin == CodeOrigin::kProgram) rank += 5;
  if (is_nameless(frame) && origin == CodeOrigin::kLibrary) rank += 2;
  return rank;
}

// The innermost of the lowest; rank_of(node).
template <typename RankOf>
FrameTree::NodeId lowest_ranked(const FrameTree& tree, FrameTree::NodeId leaf, RankOf rank_of) {
  FrameTree::NodeId best = leaf;
  int best_rank = kWorstRank;
  for (FrameTree::NodeId node = leaf; node != FrameTree::kRoot && best_rank > kBestRank;
       node = tree.parent(node)) {
    const int rank = rank_of(node);
    if (rank < best_rank) {
      best_rank = rank;
      best = node;
    }
  }
  return best;
}

}  // namespace

bool is_import_machinery(const reader::Frame& frame) {
  return frame.origin == reader::FrameOrigin::kPython &&
         (frame.file.starts_with("<frozen importlib") || frame.file == "<frozen zipimport>" ||
          frame.file.ends_with("/importlib/_bootstrap.py") ||
          frame.file.ends_with("/importlib/_bootstrap_external.py"));
}

bool is_cpp_machinery(const reader::Frame& frame) {
  return frame.origin == reader::FrameOrigin::kNative &&
         std::ranges::any_of(kCppPrefixes, [&](std::string_view prefix) {
           return frame.function.starts_with(prefix);
         });
}

FramesOf without_machinery(FramesOf frames_of) {
  return [frames_of = std::move(frames_of)](uint32_t process_index, uint32_t node) {
    std::vector<reader::Frame> frames = frames_of(process_index, node);
    if (std::ranges::all_of(frames, is_import_machinery)) return frames;
    std::erase_if(frames, is_import_machinery);
    size_t kept = 0;
    for (size_t i = 0; i < frames.size(); ++i) {
      const bool is_inner =
          i + 1 < frames.size() && is_cpp_machinery(frames[i]) && is_cpp_machinery(frames[i + 1]);
      if (!is_inner) frames[kept++] = frames[i];
    }
    frames.resize(kept);
    return frames;
  };
}

CodeOrigin code_origin_of(const reader::Frame& frame) {
  switch (frame.origin) {
    case reader::FrameOrigin::kPython:
      return python_origin(frame);
    case reader::FrameOrigin::kNative:
      return native_origin(frame);
    case reader::FrameOrigin::kLabel:
      break;
  }
  return CodeOrigin::kMachinery;
}

bool is_nameless(const reader::Frame& frame) {
  if (frame.origin != reader::FrameOrigin::kNative || !frame.file.empty()) return false;
  const std::string_view module = frame.module.substr(frame.module.rfind('/') + 1);
  std::string_view name = frame.function;
  if (name.starts_with(module)) {
    name.remove_prefix(module.size());
    if (!module.empty() && name.starts_with('+')) name.remove_prefix(1);
  }
  return name.starts_with("0x");
}

FrameTree::NodeId responsible_node(const FrameTree& tree, FrameTree::NodeId leaf) {
  return lowest_ranked(tree, leaf,
                       [&tree](FrameTree::NodeId node) { return rank_of_frame(tree.frame(node)); });
}

ResponsibleNodes::ResponsibleNodes(const FrameTree& tree)
    : tree_(tree), ranks_(tree.frames().size(), kUnknownRank) {}

FrameTree::NodeId ResponsibleNodes::of(FrameTree::NodeId leaf) {
  return lowest_ranked(tree_, leaf, [this](FrameTree::NodeId node) { return rank_of(node); });
}

int ResponsibleNodes::rank_of(FrameTree::NodeId node) {
  int8_t& rank = ranks_[tree_.frame_id(node)];
  if (rank == kUnknownRank) rank = static_cast<int8_t>(rank_of_frame(tree_.frame(node)));
  return rank;
}

}  // namespace memlens::report
