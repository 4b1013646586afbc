#include "tests/support/growing_file.h"

#include <fcntl.h>
#include <unistd.h>

#include <cstring>
#include <stdexcept>

namespace memlens::testing {

GrowingFile::GrowingFile()
    : file_(""), descriptor_(open(file_.path().c_str(), O_WRONLY | O_APPEND | O_CLOEXEC)) {
  struct flock whole {};
  whole.l_type = F_WRLCK;
  whole.l_whence = SEEK_SET;
  if (fcntl(descriptor_, F_OFD_SETLK, &whole) != 0) throw std::runtime_error("no lock on a file");
}

GrowingFile::~GrowingFile() { close(descriptor_); }

void GrowingFile::append(std::string_view bytes) {
  if (write(descriptor_, bytes.data(), bytes.size()) != static_cast<ssize_t>(bytes.size())) {
    throw std::runtime_error("a file cannot be written to");
  }
}

std::vector<size_t> ends_of(const std::string& capture, format::FrameKind kind) {
  std::vector<size_t> ends;
  size_t offset = sizeof(format::FileHeader);
  while (offset < capture.size()) {
    format::FrameHeader header;
    std::memcpy(&header, capture.data() + offset, sizeof header);
    offset += sizeof header + header.stored_bytes;
    if (header.kind == static_cast<uint16_t>(kind)) ends.push_back(offset);
  }
  return ends;
}

}  // namespace memlens::testing
