#include "reader/text/utf8.h"

#include <doctest/doctest.h>

using namespace memlens::reader;

TEST_CASE("valid text stays as it is") {
  for (const char* text : {"", "plain", "größe", "名前", "🙂", "\xF4\x8F\xBF\xBF"}) {
    CHECK(valid_utf8(text) == text);
  }
}

TEST_CASE("bytes that are no code point become replacement characters") {
  CHECK(valid_utf8("a\xFFz") == "a\uFFFDz");
  CHECK(valid_utf8("\x80") == "\uFFFD");
  CHECK(valid_utf8("caf\xE9") == "caf\uFFFD");
}

TEST_CASE("overlong forms, surrogates and values beyond Unicode are invalid") {
  CHECK(valid_utf8("\xC0\xAF") == "\uFFFD\uFFFD");
  CHECK(valid_utf8("\xE0\x80\xAF") == "\uFFFD\uFFFD\uFFFD");
  CHECK(valid_utf8("\xED\xA0\x80") == "\uFFFD\uFFFD\uFFFD");
  CHECK(valid_utf8("\xF4\x90\x80\x80") == "\uFFFD\uFFFD\uFFFD\uFFFD");
}

TEST_CASE("a cut code point is one replacement and does not swallow what follows") {
  CHECK(valid_utf8("\xE5\x90") == "\uFFFD");
  CHECK(valid_utf8("\xF0\x9F\x99x") == "\uFFFDx");
  CHECK(valid_utf8("\xE5\xE5\x90\x8D") == "\uFFFD\u540D");
}
