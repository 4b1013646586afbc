// A file that a report is written to: complete, or not there at all.
#pragma once

#include <functional>
#include <ostream>
#include <string>

namespace memlens::report::cli {

// Throws where `path` is there already, unless `force` is given or it is a device or pipe. For
// before the work is done.
void check_report_file(const std::string& path, bool force);

// Writes a new file beside `path` and puts it in its place when it is whole; whatever stands there
// under another name, or is linked to, is not touched. A device or pipe is written to. The file's
// mode follows the umask. Throws std::runtime_error: one line with path and reason.
void write_report_file(const std::string& path, const std::function<void(std::ostream&)>& write);

}  // namespace memlens::report::cli
