#include "report/cli/run/version_text.h"

#include <elfutils/version.h>
#include <gnu/libc-version.h>
#include <jemalloc/jemalloc.h>
#include <libdeflate.h>
#include <xxhash.h>
#include <zlib.h>
#include <zstd.h>

#include <CLI/CLI.hpp>
#include <nlohmann/json.hpp>
#include <protozero/version.hpp>

#include "interposer/format/version.h"

#define MEMLENS_TEXT_OF(number) #number
#define MEMLENS_TEXT(number) MEMLENS_TEXT_OF(number)

namespace memlens::report::cli {
namespace {

constexpr const char* kCompiler =
#ifdef __clang__
    "clang " __clang_version__;
#else
    "gcc " __VERSION__;
#endif
constexpr const char* kProcessor =
#if defined(__x86_64__)
    "x86-64";
#elif defined(__aarch64__)
    "aarch64";
#else
        "another processor";
#endif

std::string short_jemalloc_version() {
  const std::string version = JEMALLOC_VERSION;  // "5.3.0-0-g54eaed1d..."
  return version.substr(0, version.find('-'));
}

}  // namespace

std::string version_text() {
  const std::string json = MEMLENS_TEXT(NLOHMANN_JSON_VERSION_MAJOR) "." MEMLENS_TEXT(
      NLOHMANN_JSON_VERSION_MINOR) "." MEMLENS_TEXT(NLOHMANN_JSON_VERSION_PATCH);
  return "memlens " MEMLENS_VERSION "\nwrites captures of format " +
         std::to_string(format::kVersionMajor) + "." + std::to_string(format::kVersionMinor) +
         ", for " + kProcessor + "\nbuilt with " + kCompiler + ", glibc " +
         MEMLENS_TEXT(__GLIBC__) "." MEMLENS_TEXT(__GLIBC_MINOR__) ", zstd " +
         ZSTD_VERSION_STRING ", elfutils 0." MEMLENS_TEXT(_ELFUTILS_VERSION) ", libdeflate " +
         LIBDEFLATE_VERSION_STRING ", zlib " ZLIB_VERSION ", jemalloc " + short_jemalloc_version() +
         ", CLI11 " CLI11_VERSION ", nlohmann-json " + json +
         ", protozero " PROTOZERO_VERSION_STRING;
}

}  // namespace memlens::report::cli
