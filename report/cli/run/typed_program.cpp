#include "report/cli/run/typed_program.h"

#include <cstdlib>
#include <filesystem>

namespace memlens::report::cli {

std::string typed_program() {
  // Both put the environment's bin/ on PATH of what they start, so that PATH does not tell.
  if (getenv("UV_RUN_RECURSION_DEPTH") != nullptr) return "uv run memlens";
  std::error_code ignored;
  const std::string self = std::filesystem::read_symlink("/proc/self/exe", ignored).string();
  if (getenv("UV") != nullptr && self.find("/archive-v0/") != std::string::npos) {
    return "uvx memlens";  // an environment of uv's cache
  }
  return "memlens";
}

}  // namespace memlens::report::cli
