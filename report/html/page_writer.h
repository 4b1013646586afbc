// The finished file: shell, style, data and script in one page.
#pragma once

#include <ostream>
#include <string>

#include "report/html/page_model.h"

namespace memlens::report::html {

// The page as it stands in the build, cut where its data goes (bundle_page.cmake).
struct PageShell {
  std::string_view before_data;
  std::string_view after_data;
};
PageShell page_shell();

std::string encode_base64(std::string_view bytes);

void write_page(const PageModel& page, std::ostream& out);

}  // namespace memlens::report::html
