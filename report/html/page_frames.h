// Frames as the page has them: what a capture's frame shows, less what is redacted.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "reader/capture/capture.h"
#include "report/html/page_model.h"

namespace memlens::report::html {

class PageFrames {
 public:
  PageFrames(const reader::CaptureInfo& info, bool redact) : info_(info), redact_(redact) {}

  PageFrame make(const reader::Frame& frame, StringTable& strings) const;
  // The program's command line.
  std::vector<std::string> command() const;
  std::string shown_path(std::string_view path) const;

 private:
  const reader::CaptureInfo& info_;
  const bool redact_;
};

}  // namespace memlens::report::html
