#include "reader/analysis/analysis_key.h"

#include "reader/cache/capture_key.h"

namespace memlens::reader {

std::string analysis_key(const Source& source, const Query& query) {
  KeyBytes key = start_key("analysis", source);
  key.add(query.pid);
  key.add(query.tid);
  key.add(query.from_seconds);
  key.add(query.to_seconds);
  key.add(uint64_t{query.temporary_threshold});
  key.add(uint64_t{query.until_exit});
  key.add(uint64_t{query.timeline_points});
  return key.take();
}

}  // namespace memlens::reader
