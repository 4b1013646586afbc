#include "report/exports/gzip_writer.h"

#include <zlib.h>

#include <array>
#include <stdexcept>

namespace memlens::report {
namespace {

constexpr int kGzip = 16 + MAX_WBITS;
// A profile is made of small numbers: more effort hardly makes it smaller.
constexpr int kLevel = 3;

}  // namespace

GzipWriter::GzipWriter(std::ostream& out) : out_(out), stream_(std::make_unique<z_stream>()) {
  if (deflateInit2(stream_.get(), kLevel, Z_DEFLATED, kGzip, 8, Z_DEFAULT_STRATEGY) != Z_OK) {
    throw std::runtime_error("zlib cannot compress");
  }
}

GzipWriter::~GzipWriter() { deflateEnd(stream_.get()); }

void GzipWriter::write(std::string_view bytes) {
  // zlib does not write to its input.
  stream_->next_in = reinterpret_cast<Bytef*>(const_cast<char*>(bytes.data()));
  stream_->avail_in = static_cast<uInt>(bytes.size());
  deflate_pending(Z_NO_FLUSH);
}

void GzipWriter::finish() { deflate_pending(Z_FINISH); }

void GzipWriter::deflate_pending(int flush) {
  std::array<char, 64 * 1024> buffer;
  do {
    stream_->next_out = reinterpret_cast<Bytef*>(buffer.data());
    stream_->avail_out = static_cast<uInt>(buffer.size());
    deflate(stream_.get(), flush);
    out_.write(buffer.data(), static_cast<std::streamsize>(buffer.size() - stream_->avail_out));
  } while (stream_->avail_out == 0);
}

}  // namespace memlens::report
