#include "reader/capture/capture.h"

#include <algorithm>
#include <csignal>

#include "reader/capture/capture_impl.h"
#include "reader/capture/capture_opener.h"
#include "reader/file/error.h"
#include "reader/file/memory_budget.h"

namespace memlens::reader {

const ProcessInfo* Capture::Impl::process(uint32_t process_index) const {
  const auto found =
      std::lower_bound(info.processes.begin(), info.processes.end(), process_index,
                       [](const ProcessInfo& p, uint32_t value) { return p.index < value; });
  return found != info.processes.end() && found->index == process_index ? &*found : nullptr;
}

uint64_t Capture::Impl::process_end_ticks(uint32_t process_index) const {
  const auto found = end_ticks.find(process_index);
  return found != end_ticks.end() ? found->second : UINT64_MAX;
}

const std::vector<EventStream>& Capture::Impl::readable_streams() const {
  return has_sound ? sound.streams : event_streams();
}

void Capture::Impl::leave_out_damaged_chunks() const {
  std::call_once(sound_once, [this] {
    sound = find_sound_streams(source, event_streams(), latest_ticks);
    has_sound = true;
    if (!sound.left_out.empty()) info.has_gaps = true;
  });
}

const std::vector<EventStream>& Capture::Impl::event_streams() const {
  if (index.lists_chunks) return index.streams;
  std::call_once(streams_once, [this] {
    streams = read_frame_index(source).streams;
    carried.mark(streams);
  });
  return streams;
}

Capture::Capture(std::unique_ptr<Impl> impl) : impl_(std::move(impl)) {}
Capture::~Capture() = default;
Capture::Capture(Capture&&) noexcept = default;
Capture& Capture::operator=(Capture&&) noexcept = default;

Capture Capture::open(const std::string& path) { return open(path, CacheOptions{}); }

Capture Capture::open(const std::string& path, const CacheOptions& cache) {
  auto impl = std::make_unique<Impl>(path);
  CaptureOpener(*impl, cache).open();
  return Capture(std::move(impl));
}

void Capture::add_resolved(format::FrameKind kind, uint32_t process, std::string_view payload) {
  MemoryBudget budget(payload.size());
  try {
    if (kind == format::FrameKind::kSymbols) {
      SymbolMap& symbols = impl_->metadata[process].symbols;
      symbols.add_payload(ByteView(payload), impl_->pool, budget);
      symbols.finish();
    } else if (kind == format::FrameKind::kSource) {
      impl_->source_text.add_payload(ByteView(payload), impl_->pool, budget);
    }
  } catch (const PayloadError& error) {
    throw CaptureError(impl_->source.path(), error.what());
  } catch (const OverBudget& error) {
    throw CaptureError(impl_->source.path(), error.what());
  }
}

const CaptureInfo& Capture::info() const { return impl_->info; }

const std::vector<ResidentSample>& Capture::resident_samples() const {
  return impl_->resident_samples;
}

const std::vector<ResidentPartsSample>& Capture::resident_parts() const {
  return impl_->resident_parts;
}

const std::vector<AllocatorSample>& Capture::allocator_samples() const {
  return impl_->allocator_samples;
}

namespace {

// An exec continues the process that it replaces.
const ProcessInfo* last_image_of_program(const CaptureInfo& info) {
  const ProcessInfo* last = nullptr;
  for (const ProcessInfo& process : info.processes) {
    if (process.pid == info.processes.front().pid) last = &process;
  }
  return last;
}

}  // namespace

std::optional<MemoryLimit> limit_of_program(const Capture& capture) {
  const ProcessInfo* program = last_image_of_program(capture.info());
  if (program == nullptr) return std::nullopt;
  const auto known = capture.impl().memory_limits.find(program->index);
  if (known == capture.impl().memory_limits.end()) return std::nullopt;
  return known->second;
}

std::optional<MemoryLimit> limit_that_killed(const Capture& capture) {
  const std::optional<MemoryLimit> limit = limit_of_program(capture);
  if (!limit || limit->kills == 0) return std::nullopt;
  return last_image_of_program(capture.info())->signal == SIGKILL ? limit : std::nullopt;
}

}  // namespace memlens::reader
