#include "interposer/python/runtime.h"

#include <cstring>

#include "interposer/guest/diagnostics.h"
#include "interposer/python/debug_offsets.h"
#include "interposer/python/known_layouts.h"
#include "interposer/python/symbol_lookup.h"

namespace memlens::interposer::python {

Runtime runtime;

namespace {

template <typename Function>
bool find(const char* name, Function& function) {
  function = reinterpret_cast<Function>(find_symbol(name));
  return function != nullptr;
}

// The rows of later ones were read off their headers, and none has been seen to run.
constexpr unsigned kLastTriedFreeThreadedMinor = 13;

long basic_size(const Runtime& found, const char* type) {
  return read_field<long>(type, static_cast<size_t>(found.layout.objects.type_basic_size));
}

void state_problem(Runtime& found, const Line& problem) {
  const size_t length = problem.size() < sizeof found.layout_problem - 1
                            ? problem.size()
                            : sizeof found.layout_problem - 1;
  std::memcpy(found.layout_problem, problem.c_str(), length);
  found.layout_problem[length] = '\0';
}

// A wrong offset would read garbage or crash the program, so everything that can be compared with
// the running interpreter is.
bool sizes_match(Runtime& found, const char* frame_type, const char* text_type) {
  const Layout& layout = found.layout;
  if (basic_size(found, found.code_type) != layout.code_basic_size) {
    state_problem(found, Line()
                             .text("its code objects have ")
                             .number(static_cast<uint64_t>(basic_size(found, found.code_type)))
                             .text(" bytes, not ")
                             .number(static_cast<uint64_t>(layout.code_basic_size)));
    return false;
  }
  if (basic_size(found, text_type) != layout.text_basic_size) {
    state_problem(found, Line().text("its strings are laid out differently"));
    return false;
  }
  // Later versions state the frame's layout themselves.
  if (found.minor < kFirstSelfDescribingMinor &&
      basic_size(found, frame_type) != layout.frame_basic_size) {
    state_problem(found, Line().text("its frames are laid out differently"));
    return false;
  }
  return true;
}

bool find_layout_of(Runtime& found) {
  const char* state = nullptr;
  find("_PyRuntime", state);
  const bool describes_itself = found.minor >= kFirstSelfDescribingMinor && state != nullptr;
  const bool free_threaded = describes_itself && is_free_threaded(state);
  const Layout* row = nullptr;
  if (!free_threaded || found.minor <= kLastTriedFreeThreadedMinor) {
    row = find_layout(found.minor, free_threaded);
  }
  const char* frame_type = nullptr;
  const char* text_type = nullptr;
  if (row == nullptr || found.hexversion >> 24 != 3) {
    state_problem(found, free_threaded
                             ? Line().text("free-threaded builds of this version are not tried yet")
                             : Line().text("this version is not known yet"));
    return false;
  }
  if (!find("PyFrame_Type", frame_type) || !find("PyUnicode_Type", text_type) ||
      found.code_type == nullptr || found.current_thread_state == nullptr ||
      found.own_thread_state == nullptr) {
    state_problem(found, Line().text("it does not export what a stack walk needs"));
    return false;
  }
  found.layout = *row;
  if (state != nullptr) {
    if (row->runtime_initialized != kAbsent) {
      found.initialized_flag = reinterpret_cast<const int*>(state + row->runtime_initialized);
    }
    if (row->runtime_thread_state != kAbsent) {
      found.current_thread_state_slot =
          reinterpret_cast<const void* const*>(state + row->runtime_thread_state);
    }
  }
  if (found.minor >= kFirstSelfDescribingMinor) {
    if (is_pre_release(found.hexversion)) {
      state_problem(found, Line().text("a pre-release, whose layout may still change"));
      return false;
    }
    if (!describes_itself || !read_debug_offsets(state, found.hexversion, found.layout)) {
      state_problem(found, Line().text("a modified build: it is laid out as no release is"));
      return false;
    }
  }
  return sizes_match(found, frame_type, text_type);
}

}  // namespace

uint32_t parse_version(const char* text) {
  uint32_t parts[3] = {};
  for (unsigned i = 0; i < 3; ++i) {
    if (*text < '0' || *text > '9') return 0;
    while (*text >= '0' && *text <= '9' && parts[i] < 256) {
      parts[i] = parts[i] * 10 + static_cast<uint32_t>(*text++ - '0');
    }
    if (parts[i] > 255) return 0;
    if (i < 2 && *text++ != '.') return 0;
  }
  return parts[0] << 24 | parts[1] << 16 | parts[2] << 8 | 0xf0;
}

Presence interpreter_presence() {
  constexpr char kAnyFunction[] = "Py_GetVersion";
  if (find_symbol(kAnyFunction) == nullptr) return Presence::kAbsent;
  return is_relocated(kAnyFunction) ? Presence::kThere : Presence::kBeingLoaded;
}

bool find_runtime(Runtime& found) {
  found = Runtime{};
  const char* (*version_text)() = nullptr;
  if (!find("Py_GetVersion", version_text) || !find("Py_IsInitialized", found.is_initialized) ||
      !find("PyMem_GetAllocator", found.get_allocator) ||
      !find("PyMem_SetAllocator", found.set_allocator)) {
    return false;
  }
  find("PyObject_GetArenaAllocator", found.get_arena_allocator);
  find("PyObject_SetArenaAllocator", found.set_arena_allocator);
  const char* text = version_text();
  uint32_t hexversion = parse_version(text);
  if (hexversion == 0) return false;
  const uint32_t* exact = nullptr;  // since 3.11
  if (find("Py_Version", exact)) hexversion = *exact;

  found.hexversion = hexversion;
  found.minor = hexversion >> 16 & 0xff;
  size_t length = 0;
  while (text[length] > ' ' && length + 1 < sizeof found.version) ++length;
  std::memcpy(found.version, text, length);

  if (!find("_PyThreadState_UncheckedGet", found.current_thread_state)) {
    find("PyThreadState_GetUnchecked", found.current_thread_state);
  }
  find("PyGILState_GetThisThreadState", found.own_thread_state);
  find("PyInterpreterState_Head", found.first_interpreter);
  find("PyInterpreterState_Main", found.main_interpreter);
  find("PyCode_Type", found.code_type);
  found.layout_known = find_layout_of(found);
  return true;
}

}  // namespace memlens::interposer::python
