#include "interposer/symbolizer/symbolizer.h"

#include <doctest/doctest.h>

#include <chrono>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <set>

#include "tests/unit/symbolizer/sample_program.h"

using namespace memlens::symbolizer;
using memlens::symbolizer::testing::build_id_of_file;
using memlens::symbolizer::testing::SampleProgram;

namespace {

struct NamedFrame {
  std::string function;
  std::string linkage_name;
  std::string file;
  uint32_t line;
};

ModuleImage image_of(const SampleProgram& program) {
  ModuleImage module;
  module.path = program.path();
  module.build_id = program.build_id();
  return module;
}

std::vector<NamedFrame> frames_at(const ModuleImage& module, uint64_t address,
                                  const SymbolizerOptions& options, ModuleStatus& status) {
  const uint64_t addresses[] = {address};
  const ModuleSymbols symbols = resolve(module, addresses, options);
  status = symbols.status;
  std::vector<NamedFrame> frames;
  for (const ResolvedFrame& frame : symbols.frames_of(0)) {
    frames.push_back({symbols.strings[frame.function], symbols.strings[frame.linkage_name],
                      symbols.strings[frame.file], frame.line});
  }
  return frames;
}

std::string offset_name(const SampleProgram& program, const char* mark) {
  return module_offset_name(program.path(), program.address_of(mark));
}

// With debug information, wherever it was found.
void check_lines(const SampleProgram& program, const SymbolizerOptions& options) {
  const ModuleImage module = image_of(program);
  ModuleStatus status{};
  const auto inlined = frames_at(module, program.address_of("inlined"), options, status);
  CHECK(status == ModuleStatus::kLines);
  REQUIRE(inlined.size() == 3);
  CHECK(inlined[0].function == "shapes::(anonymous namespace)::innermost");
  CHECK(inlined[0].file == program.source_path());
  CHECK(inlined[0].line == SampleProgram::line_of("inlined"));
  CHECK(inlined[1].function == "shapes::(anonymous namespace)::middle");
  CHECK(inlined[1].line == SampleProgram::line_of("middle"));
  CHECK(inlined[2].function == "shapes::Square<int>::area");
  CHECK(inlined[2].linkage_name == "_ZNK6shapes6SquareIiE4areaEv");
  CHECK(inlined[2].line == SampleProgram::line_of("area"));

  const auto plain = frames_at(module, program.address_of("plain"), options, status);
  REQUIRE(plain.size() == 1);
  CHECK(plain[0].function == "plain_function");
  CHECK(plain[0].line == SampleProgram::line_of("plain"));

  const auto block = frames_at(module, program.address_of("block"), options, status);
  REQUIRE(block.size() == 2);
  CHECK(block[0].function == "with_inlined_lambda::{lambda}");
  CHECK(block[1].function == "with_inlined_lambda");

  const auto lambda = frames_at(module, program.address_of("lambda"), options, status);
  REQUIRE(!lambda.empty());
  CHECK(lambda[0].function.find("{lambda") != std::string::npos);
  CHECK(lambda[0].line == SampleProgram::line_of("lambda"));
}

bool has_program(const char* name) {
  return std::system(("command -v " + std::string(name) + " > /dev/null").c_str()) == 0;
}

}  // namespace

TEST_CASE("inlined functions, lambdas and statics are resolved in each version of DWARF") {
  for (const char* flags :
       {"-g", "-gdwarf-4", "-gdwarf-5 -gz", "-g3", "-g -fdebug-types-section"}) {
    CAPTURE(flags);
    check_lines(SampleProgram(flags), SymbolizerOptions());
  }
}

TEST_CASE("stubs of the procedure linkage table are named after what they call") {
  if (!has_program("objdump")) return;
  for (const char* flags : {"", "-Wl,-z,lazy", "-Wl,-z,now", "-fcf-protection=none -Wl,-z,lazy"}) {
    CAPTURE(flags);
    const SampleProgram program("-g");
    program.run(
        std::string("printf '#include <stdlib.h>\\n#include <string.h>\\n"
                    "void* one(int n) { return malloc(n); }\\n"
                    "void* (*two)(const char*) = (void* (*)(const char*))strdup;\\n"
                    "void three(void* p) { free(p); free(strdup(\"a\")); }\\n' > stubs.c && "
                    "cc -O1 -fPIC -shared -s -Wl,--build-id ") +
        flags +
        " -o libsample.so stubs.c && objdump -d libsample.so | "
        "sed -n 's/^\\([0-9a-f]*\\) <\\([a-z]*@plt\\)>:/\\1 \\2/p' > stubs");
    std::ifstream stubs(program.directory() / "stubs");
    std::string address, name;
    std::set<std::string> names;
    while (stubs >> address >> name) {
      ModuleStatus status{};
      // Its first byte, and where a signal would find it next.
      for (uint64_t inside : {0, 4}) {
        const auto frames = frames_at(image_of(program), std::stoull(address, nullptr, 16) + inside,
                                      SymbolizerOptions(), status);
        CHECK(frames.at(0).function == name);
      }
      names.insert(name);
    }
    CHECK(names.contains("malloc@plt"));
    CHECK(names.contains("free@plt"));
  }
}

TEST_CASE("split DWARF is read from its .dwo files") {
  check_lines(SampleProgram("-g -gsplit-dwarf"), SymbolizerOptions());
}

TEST_CASE("clang's DWARF is resolved as well") {
  if (!has_program("clang++")) return;
  const SampleProgram program("-g");
  program.run(
      "clang++ -std=c++20 -O2 -fPIC -shared -g -Wl,--build-id -o libsample.so sample.cpp && "
      "nm libsample.so | sed -n 's/ t mark_inlined//p' > mark");
  std::ifstream mark_file(program.directory() / "mark");
  std::string address;
  REQUIRE(std::getline(mark_file, address));
  ModuleStatus status{};
  const auto frames =
      frames_at(image_of(program), std::stoull(address, nullptr, 16), SymbolizerOptions(), status);
  REQUIRE(frames.size() == 3);
  CHECK(frames[0].line == SampleProgram::line_of("inlined"));
  CHECK(frames[1].function == "shapes::(anonymous namespace)::middle");
  CHECK(frames[2].function == "shapes::Square<int>::area");
}

TEST_CASE("a debug file is found by build id") {
  const SampleProgram program("-g");
  const std::string id = program.build_id();
  std::string digits;
  for (unsigned char byte : id) {
    constexpr char kDigits[] = "0123456789abcdef";
    digits += kDigits[byte >> 4];
    digits += kDigits[byte & 15];
  }
  const std::string folder = "debug/.build-id/" + digits.substr(0, 2);
  program.run("mkdir -p " + folder + " && objcopy --only-keep-debug libsample.so " + folder + "/" +
              digits.substr(2) + ".debug && strip libsample.so");
  SymbolizerOptions options;
  ModuleStatus status{};
  const auto without = frames_at(image_of(program), program.address_of("plain"), options, status);
  CHECK(status == ModuleStatus::kNoSymbols);
  CHECK(without[0].function == offset_name(program, "plain"));
  options.debug_directories = {(program.directory() / "debug").string()};
  check_lines(program, options);
}

TEST_CASE("a debug file is found by debuglink") {
  for (const char* place : {"sample.debug", ".debug/sample.debug"}) {
    CAPTURE(place);
    const SampleProgram program("-g");
    program.run("mkdir .debug && objcopy --only-keep-debug libsample.so " + std::string(place) +
                " && strip libsample.so && objcopy --add-gnu-debuglink=" + place + " libsample.so");
    check_lines(program, SymbolizerOptions());
  }
}

TEST_CASE("a debuglink to the debug file of another build is not followed") {
  const SampleProgram program("-g");
  const SampleProgram other("-g -DOTHER=1 -O1");
  program.run("strip libsample.so && objcopy --only-keep-debug '" + other.path() +
              "' sample.debug && objcopy --add-gnu-debuglink=sample.debug libsample.so");
  ModuleStatus status{};
  const auto frames =
      frames_at(image_of(program), program.address_of("plain"), SymbolizerOptions(), status);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].function == offset_name(program, "plain"));
}

TEST_CASE("without a build id, a debuglink's checksum decides") {
  const SampleProgram program("-g -Wl,--build-id=none");
  program.run(
      "objcopy --only-keep-debug libsample.so sample.debug && strip libsample.so && "
      "objcopy --add-gnu-debuglink=sample.debug libsample.so");
  ModuleImage module = image_of(program);
  REQUIRE(module.build_id.empty());
  module.mapped_unix_ns = UINT64_MAX;
  ModuleStatus status{};
  CHECK(frames_at(module, program.address_of("plain"), SymbolizerOptions(), status).at(0).line ==
        SampleProgram::line_of("plain"));
  program.run("printf x >> sample.debug");
  CHECK(
      frames_at(module, program.address_of("plain"), SymbolizerOptions(), status).at(0).function ==
      offset_name(program, "plain"));
}

TEST_CASE("without debug information the symbol table names functions") {
  const SampleProgram program("");
  ModuleStatus status{};
  const auto frames =
      frames_at(image_of(program), program.address_of("inlined"), SymbolizerOptions(), status);
  CHECK(status == ModuleStatus::kNames);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].function == "shapes::Square<int>::area");
  CHECK(frames[0].file.empty());
  CHECK(frames[0].line == 0);
}

TEST_CASE("in a stripped library only exported functions have names") {
  const SampleProgram program("-g");
  program.run("strip libsample.so");
  ModuleStatus status{};
  const ModuleImage module = image_of(program);
  CHECK(frames_at(module, program.address_of("inlined"), SymbolizerOptions(), status)
            .at(0)
            .function == "shapes::Square<int>::area");
  CHECK(status == ModuleStatus::kNames);
  // plain_function is static; the exported symbol before it is not its name.
  CHECK(
      frames_at(module, program.address_of("plain"), SymbolizerOptions(), status).at(0).function ==
      offset_name(program, "plain"));
}

TEST_CASE("the compressed symbol table of .gnu_debugdata is read") {
  if (!has_program("xz")) return;
  const SampleProgram program("-g");
  program.run(
      "nm -D libsample.so --format=posix --defined-only | awk '{print $1}' | sort > dynamic && "
      "nm libsample.so --format=posix --defined-only | awk '$2 ~ /[tT]/ {print $1}' | sort > all "
      "&& "
      "comm -13 dynamic all > kept && objcopy --only-keep-debug libsample.so full && "
      "objcopy -S --remove-section .comment --keep-symbols=kept full mini && xz mini && "
      "strip libsample.so && objcopy --add-section .gnu_debugdata=mini.xz libsample.so");
  ModuleStatus status{};
  const auto frames =
      frames_at(image_of(program), program.address_of("plain"), SymbolizerOptions(), status);
  CHECK(status == ModuleStatus::kNames);
  CHECK(frames.at(0).function == "plain_function");
}

TEST_CASE("a file replaced since the run is never used") {
  const SampleProgram program("-g");
  const ModuleImage module = image_of(program);
  const SampleProgram other("-g -O1");
  program.run("cp '" + other.path() + "' libsample.so");
  ModuleStatus status{};
  const auto frames = frames_at(module, program.address_of("plain"), SymbolizerOptions(), status);
  CHECK(status == ModuleStatus::kReplaced);
  REQUIRE(frames.size() == 1);
  CHECK(frames[0].function == offset_name(program, "plain"));
  CHECK(frames[0].line == 0);

  program.run("rm libsample.so");
  frames_at(module, program.address_of("plain"), SymbolizerOptions(), status);
  CHECK(status == ModuleStatus::kMissing);
  program.run("echo text > libsample.so");
  frames_at(module, program.address_of("plain"), SymbolizerOptions(), status);
  CHECK(status == ModuleStatus::kReplaced);
}

TEST_CASE("a file without a build id must not have changed since it was mapped") {
  const SampleProgram program("-g -Wl,--build-id=none");
  ModuleImage module = image_of(program);
  ModuleStatus status{};
  const uint64_t address = program.address_of("plain");
  const auto now = std::chrono::system_clock::now().time_since_epoch();
  module.mapped_unix_ns = static_cast<uint64_t>(std::chrono::nanoseconds(now).count());
  CHECK(frames_at(module, address, SymbolizerOptions(), status).at(0).function == "plain_function");
  module.mapped_unix_ns -= 3'600'000'000'000;
  CHECK(frames_at(module, address, SymbolizerOptions(), status).at(0).function ==
        offset_name(program, "plain"));
  CHECK(status == ModuleStatus::kReplaced);
}

TEST_CASE("names can be left as the object file spells them") {
  const SampleProgram program("");
  SymbolizerOptions options;
  options.demangle = false;
  ModuleStatus status{};
  const auto frames = frames_at(image_of(program), program.address_of("inlined"), options, status);
  CHECK(frames.at(0).function == "_ZNK6shapes6SquareIiE4areaEv");
  CHECK(frames.at(0).linkage_name.empty());
}

TEST_CASE("memory that is no file says so") {
  ModuleImage module;
  module.path = "linux-vdso.so.1";
  ModuleStatus status{};
  const auto frames = frames_at(module, 0x123, SymbolizerOptions(), status);
  CHECK(status == ModuleStatus::kNotAFile);
  CHECK(frames.at(0).function == "[vdso]");
}

TEST_CASE("past the deadline names come from symbol tables") {
  const SampleProgram program("-g");
  SymbolizerOptions options;
  options.deadline = std::chrono::steady_clock::now() - std::chrono::seconds(1);
  ModuleStatus status{};
  const auto frames = frames_at(image_of(program), program.address_of("plain"), options, status);
  CHECK(status == ModuleStatus::kOutOfTime);
  CHECK(frames.at(0).function == "plain_function");
  CHECK(frames.at(0).line == 0);
}
