// Text for XML: element content, and attributes in double quotes.
#pragma once

#include <string>
#include <string_view>

namespace memlens::report {

// Of text that is valid UTF-8 without control characters (printable()).
std::string xml_escaped(std::string_view text);

}  // namespace memlens::report
