// The fuzz target: any bytes, as they are and with their checksums repaired, are either read or
// refused with a CaptureError. Anything else is a bug: a crash, a hang, memory without bound.
//
// With clang: cmake -B build-fuzz -DCMAKE_CXX_COMPILER=clang++ -DMEMLENS_FUZZ=ON, then
//   build-fuzz/bin/memlens_capture_fuzz -max_len=4096 -rss_limit_mb=1024 NEW_CORPUS tests/golden
// What it finds goes to tests/fuzz/cases and is replayed by the ordinary tests from then on.

#include <cstddef>
#include <cstdint>
#include <string>

#include "tests/fuzz/repair_checksums.h"
#include "tests/support/describe_capture.h"
#include "tests/support/temporary_file.h"

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes);

extern "C" int LLVMFuzzerTestOneInput(const uint8_t* data, size_t size_bytes) {
  static const memlens::testing::TemporaryFile file("");
  std::string bytes(reinterpret_cast<const char*>(data), size_bytes);
  file.overwrite(bytes);
  memlens::testing::describe_capture(file.path());
  memlens::testing::repair_checksums(bytes);
  file.overwrite(bytes);
  memlens::testing::describe_capture(file.path());
  return 0;
}
