// The third fuzz target: unwind information as the interposer reads it in somebody else's program,
// from whatever a library has in its .eh_frame. Whatever the bytes are, nothing beyond the segment
// is read, and the search ends. Anything else is a bug.
//
// With clang: cmake -B build-fuzz -DCMAKE_CXX_COMPILER=clang++ -DMEMLENS_FUZZ=ON, then
//   build-fuzz/bin/memlens_unwind_fuzz -max_len=8192 NEW_CORPUS
#include "tests/fuzz/unwind_fuzz.h"

#include <sys/mman.h>

#include <cstring>

#include "interposer/stacks/processor.h"
#include "interposer/stacks/unwind_cfi.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes);

namespace memlens::testing {
namespace {

constexpr size_t kPageBytes = 4096;
constexpr size_t kMaxBytes = 1 << 20;

// Its end is the end of what may be read.
uint8_t* end_of_readable() {
  static uint8_t* const end = [] {
    void* pages = mmap(nullptr, kMaxBytes + kPageBytes, PROT_READ | PROT_WRITE,
                       MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (pages == MAP_FAILED) __builtin_trap();
    uint8_t* const guard = static_cast<uint8_t*>(pages) + kMaxBytes;
    mprotect(guard, kPageBytes, PROT_NONE);
    return guard;
  }();
  return end;
}

}  // namespace

bool unwinds(const uint8_t* section, size_t bytes, int32_t distance) {
  using namespace interposer::unwind;
  if (bytes > kMaxBytes) return false;
  uint8_t* const copy = end_of_readable() - bytes;
  if (bytes != 0) std::memcpy(copy, section, bytes);
  ElfW(Phdr) segment{};
  segment.p_type = PT_LOAD;
  segment.p_flags = PF_R;
  segment.p_filesz = segment.p_memsz = bytes;
  UnwindSection place{};
  place.header = copy;
  place.segments = {reinterpret_cast<uintptr_t>(copy), &segment, 1};
  CfiScratch scratch;
  UnwindRow row;
  bool signal_frame = false;
  const uintptr_t address =
      reinterpret_cast<uintptr_t>(copy) + static_cast<uintptr_t>(intptr_t{distance});
  if (find_unwind_row(place, address, scratch, row, signal_frame) != CfiResult::kFound) {
    return false;
  }
  compile_rule(row, signal_frame);
  return true;
}

}  // namespace memlens::testing

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  int32_t distance;
  if (size_bytes < sizeof distance) return 0;
  std::memcpy(&distance, data, sizeof distance);
  memlens::testing::unwinds(data + sizeof distance, size_bytes - sizeof distance, distance);
  return 0;
}
