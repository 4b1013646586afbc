// Resolves many files' addresses on several threads.
#pragma once

#include <atomic>
#include <cstdint>
#include <functional>
#include <span>
#include <vector>

#include "interposer/symbolizer/mapped_files.h"
#include "interposer/symbolizer/symbolizer.h"

namespace memlens::symbolizer {

// What one file's addresses are. A file with many of them is resolved in slices, side by side.
class FileSymbols {
 public:
  ModuleStatus status() const;

  // `address_index` is into MappedFile::addresses. Numbers in frames refer to strings_of() it.
  std::span<const ResolvedFrame> frames_of(size_t address_index) const {
    return slices_[address_index / slice_size_].frames_of(address_index % slice_size_);
  }
  const std::vector<std::string>& strings_of(size_t address_index) const {
    return slices_[address_index / slice_size_].strings;
  }

 private:
  friend class FileResolver;
  size_t slice_size_ = 1;
  std::vector<ModuleSymbols> slices_;
};

struct ResolveFilesOptions {
  SymbolizerOptions symbolizer;
  unsigned threads = 0;  // 0: one a processor
  // Told now and then how many of all addresses are resolved; called from any thread, one at a
  // time.
  std::function<void(size_t done, size_t total)> progress;
  // Once true, files not begun yet get names from symbol tables only; a signal handler may set it.
  const std::atomic<bool>* stop = nullptr;
};

// At most `threads` files are open at once; each is closed, and what libdw holds of it released,
// before the thread takes the next.
std::vector<FileSymbols> resolve_files(std::span<const MappedFile> files,
                                       const ResolveFilesOptions& options);

}  // namespace memlens::symbolizer
