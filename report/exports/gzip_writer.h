// A gzip file, written as it goes.
#pragma once

#include <memory>
#include <ostream>
#include <string_view>

struct z_stream_s;

namespace memlens::report {

class GzipWriter {
 public:
  explicit GzipWriter(std::ostream& out);
  ~GzipWriter();
  GzipWriter(const GzipWriter&) = delete;

  void write(std::string_view bytes);
  // Once, in the end.
  void finish();

 private:
  void deflate_pending(int flush);

  std::ostream& out_;
  std::unique_ptr<z_stream_s> stream_;
};

}  // namespace memlens::report
