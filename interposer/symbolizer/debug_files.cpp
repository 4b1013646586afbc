#include "interposer/symbolizer/debug_files.h"

#include <elfutils/libdwelf.h>
#include <fcntl.h>
#include <unistd.h>

#include <array>
#include <filesystem>

namespace memlens::symbolizer {
namespace {

constexpr std::array<uint32_t, 256> make_crc_table() {
  std::array<uint32_t, 256> table{};
  for (uint32_t byte = 0; byte < 256; ++byte) {
    uint32_t value = byte;
    for (int bit = 0; bit < 8; ++bit) value = (value >> 1) ^ ((value & 1) ? 0xedb88320u : 0);
    table[byte] = value;
  }
  return table;
}

// The CRC-32 that .gnu_debuglink records. Returns false when the file cannot be read.
bool file_crc(int descriptor, uint32_t& crc) {
  static constexpr std::array<uint32_t, 256> kTable = make_crc_table();
  uint32_t value = ~0u;
  std::vector<uint8_t> buffer(1 << 16);
  off_t offset = 0;
  while (true) {
    const ssize_t got = pread(descriptor, buffer.data(), buffer.size(), offset);
    if (got < 0) return false;
    if (got == 0) break;
    for (ssize_t i = 0; i < got; ++i) value = kTable[(value ^ buffer[i]) & 0xff] ^ (value >> 8);
    offset += got;
  }
  crc = ~value;
  return true;
}

std::string hex(std::string_view bytes) {
  constexpr char kDigits[] = "0123456789abcdef";
  std::string text;
  text.reserve(bytes.size() * 2);
  for (unsigned char byte : bytes) {
    text += kDigits[byte >> 4];
    text += kDigits[byte & 15];
  }
  return text;
}

std::vector<std::string> candidate_paths(const DebugFileQuery& query,
                                         std::span<const std::string> directories) {
  std::vector<std::string> paths;
  if (query.build_id.size() >= 2) {
    const std::string digits = hex(query.build_id);
    for (const std::string& directory : directories) {
      paths.push_back(directory + "/.build-id/" + digits.substr(0, 2) + "/" + digits.substr(2) +
                      ".debug");
    }
  }
  // Without a debuglink, the name that distributions give by habit.
  std::error_code error;
  std::string object = std::filesystem::canonical(query.object_path, error).string();
  if (error) object = query.object_path;
  const size_t slash = object.rfind('/');
  const std::string folder = slash == std::string::npos ? "." : object.substr(0, slash);
  const std::string name =
      !query.debuglink.empty() ? query.debuglink : object.substr(slash + 1) + ".debug";
  if (name.front() == '/') {
    paths.push_back(name);
    return paths;
  }
  paths.push_back(folder + "/" + name);
  paths.push_back(folder + "/.debug/" + name);
  for (const std::string& directory : directories) paths.push_back(directory + folder + "/" + name);
  return paths;
}

bool is_wanted(int descriptor, const DebugFileQuery& query) {
  // A debuglink may name the object itself.
  std::string found;
  if (Elf* elf = elf_begin(descriptor, ELF_C_READ_MMAP, nullptr)) {
    if (elf_kind(elf) == ELF_K_ELF) found = build_id_of(elf);
    elf_end(elf);
  } else {
    return false;
  }
  if (!query.build_id.empty()) return found == query.build_id;
  uint32_t crc;
  return found.empty() && !query.debuglink.empty() && file_crc(descriptor, crc) &&
         crc == query.debuglink_crc;
}

}  // namespace

std::string build_id_of(Elf* elf) {
  const void* bits = nullptr;
  const ssize_t length = dwelf_elf_gnu_build_id(elf, &bits);
  if (length <= 0) return {};
  return std::string(static_cast<const char*>(bits), static_cast<size_t>(length));
}

DebugFile find_debug_file(const DebugFileQuery& query, std::span<const std::string> directories) {
  std::error_code error;
  for (const std::string& path : candidate_paths(query, directories)) {
    if (std::filesystem::equivalent(path, query.object_path, error)) continue;
    const int descriptor = open(path.c_str(), O_RDONLY | O_CLOEXEC);
    if (descriptor < 0) continue;
    if (is_wanted(descriptor, query)) return {descriptor, path};
    close(descriptor);
  }
  return {};
}

}  // namespace memlens::symbolizer
