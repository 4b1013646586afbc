#include "report/view/python_code.h"

#include <algorithm>

#include "report/text/contains.h"

namespace memlens::report {
bool is_import_machinery(const reader::Frame& frame) {
  return frame.origin == reader::FrameOrigin::kPython &&
         (frame.file.starts_with("<frozen importlib") || frame.file == "<frozen zipimport>" ||
          frame.file.ends_with("/importlib/_bootstrap.py") ||
          frame.file.ends_with("/importlib/_bootstrap_external.py"));
}

bool is_site_startup(const reader::Frame& frame) {
  return frame.origin == reader::FrameOrigin::kPython &&
         (frame.file == "<frozen site>" ||
          (frame.file.ends_with("/site.py") && is_standard_library_python(frame.file)));
}

bool is_event_loop(const reader::Frame& frame) {
  struct Loop {
    std::string_view function;  // as it ends: older Pythons tell no class
    std::string_view file;
  };
  constexpr Loop kLoops[] = {{"run_forever", "/asyncio/base_events.py"},
                             {"serve_forever", "/socketserver.py"},
                             {"unrolled_run", "/trio/_core/_run.py"},
                             {"mainLoop", "/twisted/internet/base.py"}};
  return frame.origin == reader::FrameOrigin::kPython &&
         std::ranges::any_of(kLoops, [&](const Loop& loop) {
           return frame.function.ends_with(loop.function) && frame.file.ends_with(loop.file);
         });
}

bool is_installed_python(std::string_view file) {
  return contains(file, "/site-packages/") || contains(file, "/dist-packages/");
}

bool is_standard_library_python(std::string_view file) {
  if (file.starts_with("<frozen ") || file.starts_with("<__array_function__")) return true;
  if (is_installed_python(file)) return false;
  return contains(file, "/lib/python3") || contains(file, "/lib64/python3") ||
         (contains(file, "/python3") && contains(file, ".zip/"));
}

bool is_entry_script(std::string_view file) {
  const size_t slash = file.rfind('/');
  if (slash == std::string_view::npos) return false;
  const std::string_view folder = file.substr(0, slash);
  const std::string_view name = file.substr(slash + 1);
  return (folder.ends_with("/bin") || folder.ends_with("/sbin")) && !contains(name, ".py");
}

}  // namespace memlens::report
