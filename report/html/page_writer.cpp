#include "report/html/page_writer.h"

#include "report/html/page_encoder.h"

namespace memlens::report::html {

std::string encode_base64(std::string_view bytes) {
  static constexpr char kDigits[] =
      "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/";
  std::string text;
  text.reserve((bytes.size() + 2) / 3 * 4);
  for (size_t i = 0; i < bytes.size(); i += 3) {
    const size_t count = std::min<size_t>(3, bytes.size() - i);
    uint32_t group = 0;
    for (size_t k = 0; k < 3; ++k) {
      group = group << 8 | (k < count ? static_cast<unsigned char>(bytes[i + k]) : 0u);
    }
    for (size_t k = 0; k < 4; ++k) {
      text.push_back(k <= count ? kDigits[group >> (18 - 6 * k) & 63] : '=');
    }
  }
  return text;
}

// The only thing of the capture that reaches the file is base64, so no name in it can mean anything
// to the HTML parser.
void write_page(const PageModel& page, std::ostream& out) {
  const PageShell shell = page_shell();
  out << shell.before_data << encode_base64(encode_page_data(page)) << shell.after_data;
}

}  // namespace memlens::report::html
