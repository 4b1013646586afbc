#include "interposer/exec/exec_environment.h"

#include <link.h>
#include <unistd.h>

#include <cstring>

#include "interposer/loader/next_definition.h"
#include "interposer/platform/system_call.h"
#include "interposer/segment/layout.h"

namespace memlens::interposer {
namespace {

constexpr char kPreloadVariable[] = "LD_PRELOAD";
constexpr char kLibraryName[] = "libmemlens.so";

char library_path[4096];

// Not by dladdr: before glibc 2.34 it is in libdl, one library more in every program
// (python/portable).
__attribute__((constructor)) void find_own_library() {
  const link_map* own = own_object();
  if (own == nullptr) return;
  const char* const name = own->l_name;
  size_t length = 0;
  if (name[0] != '/') {
    const long bytes = system_call::working_directory(library_path, sizeof library_path);
    if (bytes <= 0) return;
    length = static_cast<size_t>(bytes);
    library_path[length - 1] = '/';
  }
  const size_t name_bytes = std::strlen(name) + 1;
  if (length + name_bytes > sizeof library_path) {
    library_path[0] = '\0';
    return;
  }
  std::memcpy(library_path + length, name, name_bytes);
}

// The value of `entry` when it is `variable`'s, else null.
const char* value_of(const char* entry, const char* variable) {
  const size_t length = std::strlen(variable);
  return std::strncmp(entry, variable, length) == 0 && entry[length] == '=' ? entry + length + 1
                                                                            : nullptr;
}

// LD_PRELOAD's parts are separated by colons and spaces.
bool ends_part(char c) { return c == ':' || c == ' ' || c == '\0'; }

bool is_our_library(const char* part, size_t length) {
  const size_t name_length = sizeof kLibraryName - 1;
  if (length < name_length) return false;
  const char* name = part + length - name_length;
  return std::memcmp(name, kLibraryName, name_length) == 0 && (name == part || name[-1] == '/');
}

class Writer {
 public:
  explicit Writer(char* out) : out_(out) {}
  Writer& text(const char* value) { return text(value, std::strlen(value)); }
  Writer& text(const char* value, size_t length) {
    std::memmove(out_, value, length);  // remove_entries_in_place overlaps
    out_ += length;
    return *this;
  }
  char* end() {
    *out_ = '\0';
    return out_ + 1;
  }
  char* position() const { return out_; }

 private:
  char* out_;
};

// Copies the parts that are not ours, with their own separators between. Whether there were any.
bool write_other_parts(Writer& out, const char* value, bool separator_first) {
  bool any = false;
  while (true) {
    const char* end = value;
    while (!ends_part(*end)) ++end;
    const auto length = static_cast<size_t>(end - value);
    if (length != 0 && !is_our_library(value, length)) {
      if (any || separator_first) out.text(":");
      out.text(value, length);
      any = true;
    }
    if (*end == '\0') return any;
    value = end + 1;
  }
}

bool names_our_library(const char* value) {
  while (true) {
    const char* end = value;
    while (!ends_part(*end)) ++end;
    if (is_our_library(value, static_cast<size_t>(end - value))) return true;
    if (*end == '\0') return false;
    value = end + 1;
  }
}

bool starts_with_library(const char* value, const char* library) {
  const size_t length = std::strlen(library);
  return std::strncmp(value, library, length) == 0 && ends_part(value[length]);
}

bool is_session(const char* value, const SessionEntries& entries) {
  const size_t length = std::strlen(entries.description);
  return std::strncmp(value, entries.description, length) == 0 &&
         std::strcmp(value + length, entries.announced ? segment::kAnnouncedSuffix : "") == 0;
}

size_t entry_count(char* const* environment) {
  size_t count = 0;
  while (environment != nullptr && environment[count] != nullptr) ++count;
  return count;
}

// Memory is the pointers, then the text of the entries that are new.
size_t pointer_bytes(size_t entries) { return (entries + 1) * sizeof(char*); }

}  // namespace

size_t bytes_to_attach(char* const* environment, const SessionEntries& entries) {
  const size_t count = entry_count(environment);
  bool preloaded = false, in_session = false;
  // Both variables may stand there more than once; the loader takes the last.
  size_t text_bytes = sizeof kPreloadVariable + std::strlen(entries.library) + 1 +
                      sizeof segment::kSessionVariable + std::strlen(entries.description) +
                      sizeof segment::kAnnouncedSuffix + 1;
  for (size_t i = 0; i < count; ++i) {
    if (const char* value = value_of(environment[i], kPreloadVariable)) {
      preloaded = starts_with_library(value, entries.library);
      text_bytes += sizeof kPreloadVariable + std::strlen(entries.library) + std::strlen(value) + 3;
    } else if (const char* session = value_of(environment[i], segment::kSessionVariable)) {
      in_session = is_session(session, entries);
    }
  }
  return preloaded && in_session ? 0 : pointer_bytes(count + 2) + text_bytes;
}

char** attach_entries(char* const* environment, const SessionEntries& entries, void* memory) {
  const size_t count = entry_count(environment);
  auto** out = static_cast<char**>(memory);
  auto* text = reinterpret_cast<char*>(out) + pointer_bytes(count + 2);
  char* const session = text;
  Writer session_writer(text);
  session_writer.text(segment::kSessionVariable).text("=").text(entries.description);
  if (entries.announced) session_writer.text(segment::kAnnouncedSuffix);
  text = session_writer.end();

  bool preload_there = false, session_there = false;
  for (size_t i = 0; i < count; ++i) {
    if (const char* value = value_of(environment[i], kPreloadVariable)) {
      Writer writer(text);
      writer.text(kPreloadVariable).text("=").text(entries.library);
      write_other_parts(writer, value, true);
      *out++ = text;
      text = writer.end();
      preload_there = true;
    } else if (value_of(environment[i], segment::kSessionVariable) != nullptr) {
      if (!session_there) *out++ = session;
      session_there = true;
    } else {
      *out++ = environment[i];
    }
  }
  if (!preload_there) {
    *out++ = text;
    Writer writer(text);
    writer.text(kPreloadVariable).text("=").text(entries.library).end();
  }
  if (!session_there) *out++ = session;
  *out = nullptr;
  return static_cast<char**>(memory);
}

size_t bytes_to_detach(char* const* environment) {
  const size_t count = entry_count(environment);
  size_t text_bytes = 0;
  bool change = false;
  for (size_t i = 0; i < count; ++i) {
    if (const char* value = value_of(environment[i], kPreloadVariable)) {
      if (!names_our_library(value)) continue;
      change = true;
      text_bytes += sizeof kPreloadVariable + std::strlen(value) + 2;
    } else if (value_of(environment[i], segment::kSessionVariable) != nullptr) {
      change = true;
    }
  }
  return change ? pointer_bytes(count) + text_bytes : 0;
}

char** detach_entries(char* const* environment, void* memory) {
  const size_t count = entry_count(environment);
  auto** out = static_cast<char**>(memory);
  auto* text = reinterpret_cast<char*>(out) + pointer_bytes(count);
  for (size_t i = 0; i < count; ++i) {
    const char* value = value_of(environment[i], kPreloadVariable);
    if (value != nullptr && names_our_library(value)) {
      Writer writer(text);
      writer.text(kPreloadVariable).text("=");
      if (!write_other_parts(writer, value, false)) continue;  // there for our sake only
      *out++ = text;
      text = writer.end();
    } else if (value_of(environment[i], segment::kSessionVariable) == nullptr) {
      *out++ = environment[i];
    }
  }
  *out = nullptr;
  return static_cast<char**>(memory);
}

void remove_entries_in_place(char** environment) {
  char** out = environment;
  for (char** entry = environment; *entry != nullptr; ++entry) {
    const char* value = value_of(*entry, kPreloadVariable);
    if (value_of(*entry, segment::kSessionVariable) != nullptr) continue;
    if (value != nullptr && names_our_library(value)) {
      // What is kept is never longer than what has been read, so the text can be its own target.
      Writer writer(*entry + sizeof kPreloadVariable);
      if (!write_other_parts(writer, value, false)) continue;
      writer.end();
    }
    *out++ = *entry;
  }
  *out = nullptr;
}

const char* own_library_path() { return library_path; }

}  // namespace memlens::interposer
