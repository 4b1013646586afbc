#include "interposer/symbolizer/capture_symbols.h"

#include <sys/stat.h>

#include <algorithm>
#include <set>
#include <unordered_set>

#include "interposer/symbolizer/built_in_allocator.h"
#include "interposer/symbolizer/direct_calls.h"
#include "interposer/symbolizer/mapped_files.h"
#include "interposer/symbolizer/source_lines.h"
#include "reader/capture/capture_impl.h"
#include "reader/capture/line_table.h"
#include "reader/capture/symbols_payload.h"
#include "reader/text/base_name.h"

namespace memlens::symbolizer {
namespace {

using reader::base_name;
using reader::Capture;
using reader::Code;
using reader::Heap;
using reader::HeapTable;
using reader::line_of_instruction;
using reader::Node;
using reader::NodeKind;
using reader::ProcessMetadata;
using reader::SymbolsEncoder;

constexpr size_t kFrameBytes = size_t{1} << 20;
constexpr std::string_view kNoFileLabel = "[code outside any file]";

uint64_t modified_unix_ns(const std::string& path) {
  struct stat status;
  if (stat(path.c_str(), &status) != 0) return 0;
  return static_cast<uint64_t>(status.st_mtim.tv_sec) * 1'000'000'000u +
         static_cast<uint64_t>(status.st_mtim.tv_nsec);
}

class CaptureResolver {
 public:
  CaptureResolver(const Capture& capture, const CaptureSymbolsOptions& options,
                  const AppendFrame& append)
      : capture_(capture),
        impl_(capture.impl()),
        options_(options),
        append_(append),
        mapped_(collect_mapped_files(capture)),
        source_lines_(capture.info().working_directory) {}

  CaptureSymbolsSummary run() {
    symbols_ = resolve_files(mapped_.files, options_.files);
    summary_.files = mapped_.files.size();
    for (const ProcessAddresses& process : mapped_.processes) append_process(process);
    tell_built_in_allocators();
    if (options_.source_text) {
      want_native_lines();
      want_python_lines();
      summary_.source_lines = source_lines_.read(
          [this](const std::string& payload) { append_(format::FrameKind::kSource, 0, payload); });
    }
    return summary_;
  }

 private:
  // In every library, whether or not it is in a stack: what such an allocator hands out is in none.
  void tell_built_in_allocators() {
    for (const ModuleOfProcess& module : collect_modules(capture_)) {
      std::vector<std::string_view> unseen =
          built_in_allocators(module.image, options_.files.symbolizer);
      add_recorded_allocators(module.image.path, unseen);
      std::string direct;
      std::erase_if(unseen, [&](std::string_view allocator) {
        const std::vector<std::string> recorded = recorded_functions(allocator, module.image.path);
        if (recorded.empty()) return false;
        const size_t calls = count_direct_calls(module.image, recorded, options_.files.symbolizer);
        if (calls != 0) {
          direct.append(direct.empty() ? "brings " : "; and ").append(allocator);
          direct += ", which " + std::to_string(calls) +
                    (calls == 1 ? " place calls" : " places call") +
                    " directly: what is allocated there is not seen, only calls from elsewhere are";
        }
        return true;
      });
      if (!direct.empty()) tell(module, direct);
      if (!unseen.empty()) tell(module, unseen_text(unseen));
    }
  }

  static std::string unseen_text(const std::vector<std::string_view>& allocators) {
    std::string text = "brings ";
    for (size_t i = 0; i < allocators.size(); ++i) {
      text.append(i == 0 ? "" : i + 1 < allocators.size() ? ", " : " and ").append(allocators[i]);
    }
    return text +
           " under names of its own: what is allocated through it is not seen, only the memory it "
           "maps";
  }

  // Those that the interposer knew by their functions' names (interposer/hooks).
  void add_recorded_allocators(const std::string& path,
                               std::vector<std::string_view>& allocators) const {
    const std::string in_file = " in " + std::string(base_name(path));
    for (const Heap& heap : impl_.info.heaps.heaps()) {
      std::string_view name = heap.name;
      if (!name.ends_with(in_file)) continue;
      name.remove_suffix(in_file.size());
      if (std::ranges::find(allocators, name) == allocators.end()) allocators.push_back(name);
    }
  }

  // Of the heap that the interposer made of a library's allocator.
  std::vector<std::string> recorded_functions(std::string_view allocator,
                                              const std::string& path) const {
    const std::string heap = std::string(allocator) + " in " + std::string(base_name(path));
    const HeapTable& heaps = impl_.info.heaps;
    std::vector<std::string> functions;
    for (const format::AllocationKind kind : heaps.kinds()) {
      if (heaps.heaps()[heaps.heap_of(kind)].name == heap)
        functions.emplace_back(heaps.function_name(kind));
    }
    return functions;
  }

  void tell(const ModuleOfProcess& module, const std::string& text) {
    summary_.warnings.push_back(module.image.path + " " + text);
    SymbolsEncoder note;
    note.add_note(module.image.path, text);
    append_(format::FrameKind::kSymbols, module.process_index, note.finish());
  }

  void append_process(const ProcessAddresses& process) {
    SymbolsEncoder encoder;
    std::set<uint32_t> files;
    for (const ProcessAddress& address : process.addresses) {
      add_address(address, encoder);
      if (address.file != ProcessAddress::kNoFile) files.insert(address.file);
      if (encoder.size_bytes() >= kFrameBytes) flush(process, encoder);
    }
    for (const uint32_t file : files) add_note(process, file, encoder);
    if (!encoder.empty()) flush(process, encoder);
  }

  void flush(const ProcessAddresses& process, SymbolsEncoder& encoder) {
    append_(format::FrameKind::kSymbols, process.process_index, encoder.finish());
  }

  void add_address(const ProcessAddress& address, SymbolsEncoder& encoder) {
    ++summary_.addresses;
    frames_.clear();
    if (address.file == ProcessAddress::kNoFile) {
      frames_.push_back({kNoFileLabel, {}, {}, 0});
      encoder.add_address(address.address, {}, frames_);
      return;
    }
    const MappedFile& file = mapped_.files[address.file];
    const FileSymbols& symbols = symbols_[address.file];
    const size_t index = index_of(file, address.file_address);
    const std::vector<std::string>& strings = symbols.strings_of(index);
    bool has_line = false;
    for (const ResolvedFrame& frame : symbols.frames_of(index)) {
      frames_.push_back(
          {strings[frame.function], strings[frame.linkage_name], strings[frame.file], frame.line});
      has_line = has_line || frame.line != 0;
    }
    encoder.add_address(address.address, file.image.path, frames_);
    if (has_line) ++summary_.addresses_with_lines;
  }

  static size_t index_of(const MappedFile& file, uint64_t file_address) {
    const auto found = std::lower_bound(file.addresses.begin(), file.addresses.end(), file_address);
    return static_cast<size_t>(found - file.addresses.begin());
  }

  // Libraries without debug information are the rule, and no news; the program itself without it,
  // and files that could have been resolved and were not, are.
  void add_note(const ProcessAddresses& process, uint32_t file, SymbolsEncoder& encoder) const {
    const std::string& path = mapped_.files[file].image.path;
    const ModuleStatus status = symbols_[file].status();
    const ProcessMetadata& metadata = impl_.metadata.at(process.process_index);
    const bool is_program = path == metadata.executable && metadata.python_minor == 0;
    const bool is_surprise = status == ModuleStatus::kMissing ||
                             status == ModuleStatus::kReplaced ||
                             status == ModuleStatus::kOutOfTime;
    const std::string_view text = describe(status);
    if (!text.empty() && (is_program || is_surprise)) encoder.add_note(path, text);
  }

  // A source newer than the library compiled from it is another text.
  void want_native_lines() {
    for (size_t f = 0; f < mapped_.files.size(); ++f) {
      const MappedFile& file = mapped_.files[f];
      const uint64_t built_unix_ns = modified_unix_ns(file.image.path);
      for (size_t i = 0; i < file.addresses.size(); ++i) {
        const std::vector<std::string>& strings = symbols_[f].strings_of(i);
        for (const ResolvedFrame& frame : symbols_[f].frames_of(i)) {
          // Relative ones are relative to a place on the machine that compiled.
          const std::string& source = strings[frame.file];
          if (source.starts_with('/')) source_lines_.want(source, frame.line, built_unix_ns);
        }
      }
    }
  }

  void want_python_lines() {
    for (const auto& process : impl_.metadata) {
      const ProcessMetadata& metadata = process.second;
      const double start_seconds = std::max(0.0, impl_.clock.seconds_at(metadata.start_ticks));
      const uint64_t start_unix_ns =
          impl_.info.start_unix_ns + static_cast<uint64_t>(start_seconds * 1e9);
      std::unordered_set<uint64_t> seen;
      metadata.nodes.for_each([&](const Node& node) {
        if (node.kind != NodeKind::kPython || !seen.insert(node.value).second) return;
        const Code code = metadata.code(node.code());
        const uint32_t line =
            line_of_instruction(code.line_table_format, metadata.strings.get(code.line_table),
                                code.first_line, node.instruction());
        source_lines_.want(metadata.strings.get(code.filename), line, start_unix_ns);
      });
    }
  }

  const Capture& capture_;
  const Capture::Impl& impl_;
  const CaptureSymbolsOptions& options_;
  const AppendFrame& append_;
  MappedFiles mapped_;
  std::vector<FileSymbols> symbols_;  // as mapped_.files
  SourceLines source_lines_;
  CaptureSymbolsSummary summary_;
  std::vector<SymbolsEncoder::Frame> frames_;  // of the address at hand
};

}  // namespace

CaptureSymbolsSummary resolve_capture(const Capture& capture, const CaptureSymbolsOptions& options,
                                      const AppendFrame& append) {
  return CaptureResolver(capture, options, append).run();
}

}  // namespace memlens::symbolizer
