#include "report/html/page_writer.h"

#include <doctest/doctest.h>

#include <sstream>

using namespace memlens::report::html;

TEST_CASE("base64 as RFC 4648 has it") {
  CHECK(encode_base64("").empty());
  CHECK(encode_base64("f") == "Zg==");
  CHECK(encode_base64("fo") == "Zm8=");
  CHECK(encode_base64("foo") == "Zm9v");
  CHECK(encode_base64("foobar") == "Zm9vYmFy");
  CHECK(encode_base64(std::string_view("\xff\xfe\x00", 3)) == "//4A");
}

TEST_CASE("nothing of a capture is in the page but base64") {
  PageModel page;
  page.about["command"] = {"</script><script>alert(1)</script>"};
  page.strings.intern("</script>");
  std::ostringstream out;
  write_page(page, out);
  const std::string text = out.str();
  const PageShell shell = page_shell();
  REQUIRE(text.size() > shell.before_data.size() + shell.after_data.size());
  const std::string data = text.substr(
      shell.before_data.size(), text.size() - shell.before_data.size() - shell.after_data.size());
  CHECK(data.find_first_not_of(
            "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz0123456789+/=") == data.npos);
}

TEST_CASE("the page names no other place to load anything from") {
  const PageShell shell = page_shell();
  for (const std::string_view part : {shell.before_data, shell.after_data}) {
    CHECK(part.find("http:") == part.npos);
    CHECK(part.find("https:") == part.npos);
    CHECK(part.find("{{") == part.npos);
  }
}
