#include "reader/capture/symbols_payload.h"

#include <doctest/doctest.h>

using namespace memlens::reader;

namespace {

std::string sample_payload() {
  SymbolsEncoder encoder;
  const SymbolsEncoder::Frame inlined[] = {
      {"std::vector<int>::push_back", "_ZNSt6vectorIiSaIiEE9push_backERKi", "/usr/include/v.h", 12},
      {"main", "", "/src/a.cpp", 7},
  };
  const SymbolsEncoder::Frame unknown[] = {{"b.so+0x10", "", "", 0}};
  encoder.add_address(0x1000, "/bin/a", inlined);
  encoder.add_address(0x7f0000000010, "/lib/b.so", unknown);
  encoder.add_note("/lib/b.so", "no symbols");
  return encoder.finish();
}

}  // namespace

TEST_CASE("symbols decode to what was encoded") {
  const std::string payload = sample_payload();
  DecodedSymbols symbols;
  size_t offset = 0;
  REQUIRE(decode_symbols(payload, symbols, offset));

  REQUIRE(symbols.addresses.size() == 2);
  const auto& first = symbols.addresses[0];
  CHECK(first.address == 0x1000);
  CHECK(symbols.strings[first.module] == "/bin/a");
  REQUIRE(first.frame_count == 2);
  const auto& innermost = symbols.frames[first.first_frame];
  CHECK(symbols.strings[innermost.function] == "std::vector<int>::push_back");
  CHECK(symbols.strings[innermost.linkage_name] == "_ZNSt6vectorIiSaIiEE9push_backERKi");
  CHECK(symbols.strings[innermost.file] == "/usr/include/v.h");
  CHECK(innermost.line == 12);
  CHECK(symbols.strings[symbols.frames[first.first_frame + 1].function] == "main");

  const auto& second = symbols.addresses[1];
  CHECK(second.address == 0x7f0000000010);
  CHECK(symbols.strings[symbols.frames[second.first_frame].function] == "b.so+0x10");
  CHECK(symbols.frames[second.first_frame].file == 0);
  REQUIRE(symbols.notes.size() == 1);
  CHECK(symbols.strings[symbols.notes[0].module] == "/lib/b.so");
  CHECK(symbols.strings[symbols.notes[0].text] == "no symbols");
}

TEST_CASE("an encoder starts afresh after each payload") {
  SymbolsEncoder encoder;
  const SymbolsEncoder::Frame frame[] = {{"f", "", "", 0}};
  encoder.add_address(0x5000, "m", frame);
  encoder.finish();
  CHECK(encoder.empty());
  encoder.add_address(0x10, "m", frame);
  const std::string payload = encoder.finish();
  DecodedSymbols symbols;
  size_t offset = 0;
  REQUIRE(decode_symbols(payload, symbols, offset));
  REQUIRE(symbols.addresses.size() == 1);
  CHECK(symbols.addresses[0].address == 0x10);
}

TEST_CASE("symbols cut anywhere are refused") {
  const std::string payload = sample_payload();
  for (size_t length = 0; length < payload.size(); ++length) {
    DecodedSymbols symbols;
    size_t offset = 0;
    CHECK_FALSE(decode_symbols(std::string_view(payload).substr(0, length), symbols, offset));
    CHECK(offset <= length);
  }
}

TEST_CASE("damaged symbols never give a number out of range") {
  const std::string payload = sample_payload();
  for (size_t i = 0; i < payload.size(); ++i) {
    for (int bit = 0; bit < 8; ++bit) {
      std::string damaged = payload;
      damaged[i] = static_cast<char>(damaged[i] ^ (1 << bit));
      DecodedSymbols symbols;
      size_t offset = 0;
      if (!decode_symbols(damaged, symbols, offset)) continue;
      for (const auto& address : symbols.addresses) {
        REQUIRE(address.module < symbols.strings.size());
        REQUIRE(address.first_frame + address.frame_count <= symbols.frames.size());
      }
      for (const auto& frame : symbols.frames) {
        REQUIRE(frame.function < symbols.strings.size());
        REQUIRE(frame.linkage_name < symbols.strings.size());
        REQUIRE(frame.file < symbols.strings.size());
      }
    }
  }
}
