#include "interposer/loader/file_functions.h"

#include <elf.h>

#include <cerrno>
#include <cstring>

#include "interposer/guest/private_memory.h"
#include "interposer/platform/elf_names.h"
#include "interposer/platform/system_call.h"

namespace memlens::interposer {
namespace {

constexpr size_t kWindowBytes = 256 * 1024;
constexpr size_t kMaxNames = 48;

struct Name {
  uint32_t offset;       // in the table of names
  uint32_t last_offset;  // names that are the end of this one begin up to here
  char text[kMaxFileNameBytes];
};

class File {
 public:
  explicit File(const char* path)
      : fd_(system_call::open_file(path, O_RDONLY | O_CLOEXEC)),
        window_(fd_ < 0 ? nullptr : static_cast<char*>(map_pages(kWindowBytes))) {}
  ~File() {
    if (window_ != nullptr) unmap_pages(window_, kWindowBytes);
    if (fd_ >= 0) system_call::close_file(fd_);
  }
  File(const File&) = delete;
  File& operator=(const File&) = delete;

  bool is_open() const { return window_ != nullptr; }
  char* window() const { return window_; }
  // How much of it was there; into the window.
  size_t read(uint64_t offset, size_t bytes) const {
    const long got = system_call::read_file_at(fd_, window_, bytes, offset);
    return got < 0 ? 0 : static_cast<size_t>(got);
  }
  bool read_into(uint64_t offset, void* buffer, size_t bytes) const {
    return system_call::read_file_at(fd_, buffer, bytes, offset) == static_cast<long>(bytes);
  }

 private:
  int fd_;
  char* window_;
};

// What is mapped at the file's offset 0, or nullptr.
const char* mapped_beginning(const LoadedObject& object, size_t& bytes) {
  for (size_t i = 0; i < object.segment_count; ++i) {
    const ElfW(Phdr)& segment = object.segments[i];
    if (segment.p_type != PT_LOAD || segment.p_offset != 0) continue;
    bytes = segment.p_filesz;
    return reinterpret_cast<const char*>(object.load_bias + segment.p_vaddr);
  }
  return nullptr;
}

// Whether headers and notes, the build id among them, are the mapped ones.
bool is_file_of(const File& file, const LoadedObject& object) {
  constexpr size_t kCompared = 4096;
  size_t bytes = 0;
  const char* mapped = mapped_beginning(object, bytes);
  if (mapped == nullptr) return false;
  if (bytes > kCompared) bytes = kCompared;
  return bytes >= sizeof(ElfW(Ehdr)) && file.read(0, bytes) == bytes &&
         std::memcmp(mapped, file.window(), bytes) == 0;
}

// The table of all symbols, and that of their names.
bool find_tables(const File& file, ElfW(Shdr) & symbols, ElfW(Shdr) & names) {
  ElfW(Ehdr) header;
  if (!file.read_into(0, &header, sizeof header) || header.e_shentsize != sizeof(ElfW(Shdr)))
    return false;
  for (unsigned i = 0; i < header.e_shnum; ++i) {
    if (!file.read_into(header.e_shoff + uint64_t{i} * sizeof symbols, &symbols, sizeof symbols))
      return false;
    if (symbols.sh_type != SHT_SYMTAB) continue;
    return symbols.sh_entsize == sizeof(ElfW(Sym)) && symbols.sh_link < header.e_shnum &&
           file.read_into(header.e_shoff + uint64_t{symbols.sh_link} * sizeof names, &names,
                          sizeof names) &&
           names.sh_size <= UINT32_MAX;
  }
  return false;
}

class NameSearch {
 public:
  NameSearch(const char* const* parts, size_t part_count, bool (*is_wanted)(const char*))
      : parts_(parts), part_count_(part_count), is_wanted_(is_wanted) {}

  // Windows overlap by a name's length, before and after.
  void run(const File& file, const ElfW(Shdr) & table) {
    constexpr uint64_t kStep = kWindowBytes - 2 * kMaxFileNameBytes;
    for (uint64_t at = 0; at < table.sh_size; at += kStep) {
      const uint64_t left = table.sh_size - at;
      const size_t bytes =
          file.read(table.sh_offset + at, left < kWindowBytes ? left : kWindowBytes);
      if (bytes == 0) return;
      for (size_t i = 0; i < part_count_; ++i) look_for(parts_[i], file.window(), bytes, at);
    }
  }

  size_t count() const { return count_; }
  bool is_wanted(const char* name) const { return is_wanted_(name); }
  // nullptr: none of those found.
  const Name* find(uint32_t offset) const {
    for (size_t i = 0; i < count_; ++i) {
      if (offset >= names_[i].offset && offset <= names_[i].last_offset) return &names_[i];
    }
    return nullptr;
  }

 private:
  void look_for(const char* part, const char* window, size_t bytes, uint64_t offset) {
    const size_t part_bytes = std::strlen(part);
    const char* const end = window + bytes;
    for (const char* at = window; at < end; at += part_bytes) {
      at = static_cast<const char*>(memmem(at, static_cast<size_t>(end - at), part, part_bytes));
      if (at == nullptr) return;
      add(at, window, end, offset);
    }
  }

  void add(const char* at, const char* window, const char* end, uint64_t offset) {
    const char* first = at;
    while (first > window && first[-1] != '\0' && at - first < static_cast<long>(kMaxFileNameBytes))
      --first;
    // At the window's edge it stands in the one before as well.
    if (first == window && offset != 0) return;
    const size_t room = static_cast<size_t>(end - first);
    const size_t bytes = strnlen(first, room < kMaxFileNameBytes ? room : kMaxFileNameBytes);
    if (bytes == kMaxFileNameBytes || bytes == room || !is_end_wanted(first, at)) return;
    const auto name_offset = static_cast<uint32_t>(offset + static_cast<uint64_t>(first - window));
    if (count_ == kMaxNames || find(name_offset) != nullptr) return;
    Name& name = names_[count_++];
    name.offset = name_offset;
    name.last_offset = name_offset + static_cast<uint32_t>(at - first);
    std::memcpy(name.text, first, bytes + 1);
  }

  // Names that end alike are one text: the wanted one may begin within it.
  bool is_end_wanted(const char* first, const char* at) const {
    for (; first <= at; ++first) {
      if (is_wanted_(first)) return true;
    }
    return false;
  }

  const char* const* parts_;
  size_t part_count_;
  bool (*is_wanted_)(const char*);
  Name names_[kMaxNames];
  size_t count_ = 0;
};

size_t find_symbols(const File& file, const ElfW(Shdr) & table, const NameSearch& names,
                    const LoadedObject& object, FileFunction* found, size_t most) {
  constexpr size_t kEntries = kWindowBytes / sizeof(ElfW(Sym));
  size_t count = 0;
  for (uint64_t at = 0; at < table.sh_size; at += kEntries * sizeof(ElfW(Sym))) {
    const uint64_t left = table.sh_size - at;
    const size_t wanted = left < kEntries * sizeof(ElfW(Sym)) ? left : kEntries * sizeof(ElfW(Sym));
    const size_t entries = file.read(table.sh_offset + at, wanted) / sizeof(ElfW(Sym));
    const auto* symbols = reinterpret_cast<const ElfW(Sym)*>(file.window());
    for (size_t i = 0; i < entries; ++i) {
      const ElfW(Sym)& symbol = symbols[i];
      if (ELF64_ST_TYPE(symbol.st_info) != STT_FUNC || symbol.st_shndx == SHN_UNDEF) continue;
      const Name* name = names.find(symbol.st_name);
      const uintptr_t start = object.load_bias + symbol.st_value;
      if (name == nullptr || start < object.start || start >= object.end) continue;
      const char* text = name->text + (symbol.st_name - name->offset);
      if (symbol.st_size > object.end - start || !names.is_wanted(text)) continue;
      if (count == most) return count;
      found[count].start = start;
      found[count].end = start + symbol.st_size;
      std::strcpy(found[count].name, text);
      ++count;
    }
  }
  return count;
}

}  // namespace

size_t find_functions_in_file(const LoadedObject& object, const char* const* parts,
                              size_t part_count, bool (*is_wanted)(const char* name),
                              FileFunction* found, size_t most) {
  const int saved_errno = errno;
  size_t count = 0;
  {
    // The loader has no name for the program itself.
    const File file(object.name[0] == '\0' ? "/proc/self/exe" : object.name);
    ElfW(Shdr) symbols, names;
    if (file.is_open() && is_file_of(file, object) && find_tables(file, symbols, names)) {
      NameSearch search(parts, part_count, is_wanted);
      search.run(file, names);
      if (search.count() != 0) {
        count = find_symbols(file, symbols, search, object, found, most);
      }
    }
  }
  errno = saved_errno;
  return count;
}

}  // namespace memlens::interposer
