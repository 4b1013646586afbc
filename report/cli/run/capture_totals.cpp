#include "report/cli/run/capture_totals.h"

#include <exception>

#include "reader/capture.h"
#include "reader/index/indexed_analysis.h"
#include "report/cli/index_options.h"
#include "report/terminal/units.h"

namespace memlens::report::cli {
namespace {

// A few seconds of reading; `memlens summary` is there for the rest.
constexpr uint64_t kMaxFileBytes = 200'000'000;

}  // namespace

std::string describe_totals(const std::string& path) {
  try {
    const reader::Capture capture = reader::Capture::open(path, index_options());
    if (capture.info().file_bytes > kMaxFileBytes) return "";
    const reader::Totals totals = reader::analyze_indexed(capture, {}, index_options()).totals;
    const char* about = capture.info().sample_bytes != 0 ? "about " : "";
    return about + format_count_of(totals.allocations, "allocation") + ", " +
           format_bytes(totals.peak_bytes) + " at the peak, " + format_bytes(totals.leaked_bytes) +
           " still allocated";
  } catch (const std::exception&) {
    return "";  // whoever reads the capture next is told why
  }
}

}  // namespace memlens::report::cli
