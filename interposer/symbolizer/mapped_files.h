// Which files the native addresses of a capture lie in, over all its processes: a file that twenty
// processes map is resolved once.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "interposer/symbolizer/symbolizer.h"
#include "reader/capture/capture.h"

namespace memlens::symbolizer {

struct MappedFile {
  ModuleImage image;                // load bias, start and end are those of one of the processes
  std::vector<uint64_t> addresses;  // in the file's own terms, ascending, each once
};

struct ProcessAddress {
  static constexpr uint32_t kNoFile = UINT32_MAX;

  uint64_t address = 0;       // as it was in the process
  uint64_t file_address = 0;  // in the file's own terms
  uint32_t file = kNoFile;    // in MappedFiles::files
};

struct ProcessAddresses {
  uint32_t process_index = 0;
  std::vector<ProcessAddress> addresses;  // ascending, each once
};

struct MappedFiles {
  std::vector<MappedFile> files;
  std::vector<ProcessAddresses> processes;  // those that have native addresses
};

MappedFiles collect_mapped_files(const reader::Capture& capture);

// Every file that was mapped, whether or not it is in a stack.
struct ModuleOfProcess {
  uint32_t process_index = 0;  // the first that had it
  ModuleImage image;
};
std::vector<ModuleOfProcess> collect_modules(const reader::Capture& capture);

}  // namespace memlens::symbolizer
