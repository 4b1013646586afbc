#include "interposer/symbolizer/inflated_file.h"

#include <gelf.h>
#include <libdeflate.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <unistd.h>
#include <zstd.h>

#include <algorithm>
#include <cstring>
#include <memory>
#include <string_view>
#include <vector>

namespace memlens::symbolizer {
namespace {

constexpr std::string_view kReadSections[] = {
    ".debug_abbrev",   ".debug_aranges", ".debug_info", ".debug_line",        ".debug_line_str",
    ".debug_rnglists", ".debug_ranges",  ".debug_str",  ".debug_str_offsets", ".debug_types"};

// What a byte of deflate can stand for at most: a size above is a lie.
constexpr uint64_t kMaxRatio = 1032;
// ELFCOMPRESS_ZSTD, which Debian 12's elf.h and libelf do not know.
constexpr uint32_t kZstd = 2;
constexpr uint64_t kAlignment = 16;

struct Section {
  Elf64_Shdr header{};         // as it will be in the copy
  std::string_view bytes;      // as they are in the file
  bool is_compressed = false;  // behind an Elf64_Chdr
  bool is_zstd = false;
};

using Decompressor = std::unique_ptr<libdeflate_decompressor, void (*)(libdeflate_decompressor*)>;

class Inflation {
 public:
  Inflation(Elf* elf, uint64_t max_bytes) : elf_(elf), max_bytes_(max_bytes) {}

  int run() {
    if (!read_headers() || !read_sections() || !place_sections()) return -1;
    const int copy = memfd_create("memlens-debug", MFD_CLOEXEC);
    if (copy < 0) return -1;
    if (write_to(copy)) return copy;
    close(copy);
    return -1;
  }

 private:
  bool read_headers() {
    size_t size = 0;
    const char* file = elf_rawfile(elf_, &size);
    if (elf_kind(elf_) != ELF_K_ELF || gelf_getclass(elf_) != ELFCLASS64 || file == nullptr ||
        size < sizeof header_) {
      return false;
    }
    std::memcpy(&header_, file, sizeof header_);
    const uint64_t segments_end = header_.e_phoff + uint64_t{header_.e_phnum} * header_.e_phentsize;
    if (header_.e_phoff > size || segments_end > size || header_.e_phnum == PN_XNUM) return false;
    begin_ = {file, std::max<uint64_t>(segments_end, sizeof header_)};
    return true;
  }

  // False too when nothing is compressed. What zstd compressed is read here or not at all.
  bool read_sections() {
    size_t names = 0;
    if (elf_getshdrstrndx(elf_, &names) != 0) return false;
    const bool any_zstd = has_zstd_sections(elf_);
    bool any_compressed = false;
    for (Elf_Scn* at = elf_nextscn(elf_, nullptr); at != nullptr; at = elf_nextscn(elf_, at)) {
      Section section;
      GElf_Shdr header;
      if (gelf_getshdr(at, &header) == nullptr) return false;
      section.header = header;
      const char* text = elf_strptr(elf_, names, header.sh_name);
      const std::string_view name = text == nullptr ? std::string_view() : text;
      // Its units may be elsewhere, in files that libdw finds by where this one is.
      if (name == ".debug_addr" && !any_zstd) return false;
      if (name.starts_with(".debug_") && name != ".debug_addr" &&
          std::ranges::find(kReadSections, name) == std::end(kReadSections)) {
        section.header.sh_type = SHT_NOBITS;
        section.header.sh_flags &= ~uint64_t{SHF_COMPRESSED};
      } else if (header.sh_type != SHT_NOBITS) {
        if (!read_bytes(at, section)) return false;
        any_compressed = any_compressed || section.is_compressed;
      }
      sections_.push_back(section);
    }
    return any_compressed;
  }

  static bool read_bytes(Elf_Scn* at, Section& section) {
    const Elf_Data* data = elf_rawdata(at, nullptr);
    if (data == nullptr) return false;
    if (data->d_buf != nullptr)
      section.bytes = {static_cast<const char*>(data->d_buf), data->d_size};
    if ((section.header.sh_flags & SHF_COMPRESSED) == 0) return true;
    Elf64_Chdr compression;
    if (section.bytes.size() < sizeof compression) return false;
    std::memcpy(&compression, section.bytes.data(), sizeof compression);
    section.is_zstd = compression.ch_type == kZstd;
    if (!section.is_zstd && (compression.ch_type != ELFCOMPRESS_ZLIB ||
                             compression.ch_size / kMaxRatio > section.bytes.size())) {
      return false;
    }
    section.is_compressed = true;
    section.header.sh_flags &= ~uint64_t{SHF_COMPRESSED};
    section.header.sh_size = compression.ch_size;
    section.header.sh_addralign = compression.ch_addralign;
    return true;
  }

  bool place_sections() {
    uint64_t end = begin_.size();
    for (Section& section : sections_) {
      end = (end + kAlignment - 1) / kAlignment * kAlignment;
      section.header.sh_offset = end;
      if (section.header.sh_type == SHT_NOBITS) continue;
      const uint64_t bytes = section.is_compressed ? section.header.sh_size : section.bytes.size();
      if (bytes > max_bytes_ || (end += bytes) > max_bytes_) return false;
    }
    header_.e_shoff = (end + kAlignment - 1) / kAlignment * kAlignment;
    size_ = header_.e_shoff + (sections_.size() + 1) * sizeof(Elf64_Shdr);
    rlimit limit{};
    return getrlimit(RLIMIT_FSIZE, &limit) == 0 && size_ <= limit.rlim_cur;
  }

  bool write_to(int copy) {
    if (ftruncate(copy, static_cast<off_t>(size_)) != 0) return false;
    // All pages at once: one by one they take the kernel half as long as inflating does.
    void* memory = mmap(nullptr, size_, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_POPULATE, copy, 0);
    if (memory == MAP_FAILED) return false;
    const bool written = fill(static_cast<char*>(memory));
    munmap(memory, size_);
    return written;
  }

  bool fill(char* memory) {
    std::memcpy(memory, begin_.data(), begin_.size());
    std::memcpy(memory, &header_, sizeof header_);
    char* headers = memory + header_.e_shoff + sizeof(Elf64_Shdr);  // section 0 is all zeros
    const Decompressor decompressor(libdeflate_alloc_decompressor(), &libdeflate_free_decompressor);
    if (decompressor == nullptr) return false;
    for (const Section& section : sections_) {
      std::memcpy(headers, &section.header, sizeof section.header);
      headers += sizeof section.header;
      if (section.header.sh_type == SHT_NOBITS || section.bytes.empty()) continue;
      char* to = memory + section.header.sh_offset;
      if (!section.is_compressed) {
        std::memcpy(to, section.bytes.data(), section.bytes.size());
        continue;
      }
      const std::string_view compressed = section.bytes.substr(sizeof(Elf64_Chdr));
      if (section.is_zstd) {
        if (ZSTD_decompress(to, section.header.sh_size, compressed.data(), compressed.size()) !=
            section.header.sh_size) {
          return false;
        }
      } else if (libdeflate_zlib_decompress(decompressor.get(), compressed.data(),
                                            compressed.size(), to, section.header.sh_size,
                                            nullptr) != LIBDEFLATE_SUCCESS) {
        return false;
      }
    }
    return true;
  }

  Elf* elf_;
  uint64_t max_bytes_;
  Elf64_Ehdr header_{};
  std::string_view begin_;  // header and segments of the file
  std::vector<Section> sections_;
  uint64_t size_ = 0;
};

}  // namespace

bool has_zstd_sections(Elf* elf) {
  size_t names = 0;
  if (elf_kind(elf) != ELF_K_ELF || gelf_getclass(elf) != ELFCLASS64 ||
      elf_getshdrstrndx(elf, &names) != 0) {
    return false;
  }
  for (Elf_Scn* at = elf_nextscn(elf, nullptr); at != nullptr; at = elf_nextscn(elf, at)) {
    GElf_Shdr header;
    if (gelf_getshdr(at, &header) == nullptr || (header.sh_flags & SHF_COMPRESSED) == 0) continue;
    const char* name = elf_strptr(elf, names, header.sh_name);
    const Elf_Data* data = elf_rawdata(at, nullptr);
    if (name == nullptr || !std::string_view(name).starts_with(".debug_") || data == nullptr ||
        data->d_buf == nullptr || data->d_size < sizeof(Elf64_Chdr)) {
      continue;
    }
    Elf64_Chdr compression;
    std::memcpy(&compression, data->d_buf, sizeof compression);
    if (compression.ch_type == kZstd) return true;
  }
  return false;
}

int inflated_copy(int descriptor, uint64_t max_bytes) {
  Elf* elf = elf_begin(descriptor, ELF_C_READ_MMAP, nullptr);
  if (elf == nullptr) return -1;
  const int copy = Inflation(elf, max_bytes).run();
  elf_end(elf);
  return copy;
}

}  // namespace memlens::symbolizer
