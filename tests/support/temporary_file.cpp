#include "tests/support/temporary_file.h"

#include <stdlib.h>
#include <unistd.h>

#include <fstream>
#include <stdexcept>

namespace memlens::testing {

TemporaryFile::TemporaryFile(std::string_view bytes) {
  const char* directory = getenv("TMPDIR");
  path_ = std::string(directory != nullptr ? directory : "/tmp") + "/memlens-test-XXXXXX";
  const int descriptor = mkstemp(path_.data());
  if (descriptor < 0) throw std::runtime_error("mkstemp " + path_);
  close(descriptor);
  overwrite(bytes);
}

TemporaryFile::~TemporaryFile() { unlink(path_.c_str()); }

void TemporaryFile::overwrite(std::string_view bytes) const {
  // A new file: ext4 waits for the disk when one is truncated and written again.
  unlink(path_.c_str());
  std::ofstream out(path_, std::ios::binary | std::ios::trunc);
  out.write(bytes.data(), static_cast<std::streamsize>(bytes.size()));
  if (!out.flush()) throw std::runtime_error("cannot write " + path_);
}

}  // namespace memlens::testing
