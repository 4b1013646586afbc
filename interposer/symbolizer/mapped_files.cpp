#include "interposer/symbolizer/mapped_files.h"

#include <algorithm>
#include <map>
#include <set>
#include <utility>

#include "reader/capture/capture_impl.h"

namespace memlens::symbolizer {
namespace {

using reader::Capture;
using reader::Module;
using reader::Node;
using reader::NodeKind;
using reader::ProcessMetadata;

constexpr std::string_view kDeleted = " (deleted)";

// Ticks are converted by way of seconds: exact to a microsecond, which file times are not.
uint64_t unix_ns_at(const Capture::Impl& impl, uint64_t ticks) {
  const double seconds = std::max(0.0, impl.clock.seconds_at(ticks));
  return impl.info.start_unix_ns + static_cast<uint64_t>(seconds * 1e9);
}

// Ascending, each once. Thousands of nodes are of one address: what was seen a moment ago is not
// sorted again, which is ten times as fast with the 150,000 nodes of a parser's recursion.
std::vector<uint64_t> native_addresses(const ProcessMetadata& metadata) {
  constexpr size_t kRecent = 4096;
  constexpr uint64_t kHashFactor = 0x9e3779b97f4a7c15;
  std::vector<uint64_t> recent(kRecent);  // no instruction is at 0
  std::vector<uint64_t> addresses;
  metadata.nodes.for_each([&](const Node& node) {
    if (node.kind != NodeKind::kNative) return;
    uint64_t& seen = recent[(node.value * kHashFactor) >> 52];
    if (seen == node.value && seen != 0) return;
    seen = node.value;
    addresses.push_back(node.value);
  });
  std::sort(addresses.begin(), addresses.end());
  addresses.erase(std::unique(addresses.begin(), addresses.end()), addresses.end());
  return addresses;
}

std::string_view file_path(const Module& module) {
  std::string_view path = module.path;
  if (path.ends_with(kDeleted)) path.remove_suffix(kDeleted.size());
  return path;
}

ModuleImage image_of(const Capture::Impl& impl, const Module& module) {
  ModuleImage image;
  image.path = file_path(module);
  image.load_bias = module.load_bias;
  image.start = module.start;
  image.end = module.end;
  image.build_id = module.build_id;
  image.mapped_unix_ns = unix_ns_at(impl, module.ticks);
  return image;
}

class Collector {
 public:
  explicit Collector(const Capture::Impl& impl) : impl_(impl) {}

  MappedFiles run() {
    for (const auto& [process_index, metadata] : impl_.metadata) {
      add_process(process_index, metadata);
    }
    for (MappedFile& file : result_.files) {
      std::sort(file.addresses.begin(), file.addresses.end());
      file.addresses.erase(std::unique(file.addresses.begin(), file.addresses.end()),
                           file.addresses.end());
    }
    return std::move(result_);
  }

 private:
  void add_process(uint32_t process_index, const ProcessMetadata& metadata) {
    ProcessAddresses process;
    process.process_index = process_index;
    for (const uint64_t address : native_addresses(metadata)) {
      process.addresses.push_back({address});
    }
    if (process.addresses.empty()) return;
    for (ProcessAddress& entry : process.addresses) {
      const Module* module = metadata.modules.find(entry.address);
      if (module == nullptr || module->path.empty()) continue;
      entry.file = file_of(*module);
      entry.file_address = entry.address - module->load_bias;
      result_.files[entry.file].addresses.push_back(entry.file_address);
    }
    result_.processes.push_back(std::move(process));
  }

  uint32_t file_of(const Module& module) {
    const auto [entry, is_new] = numbers_.try_emplace({file_path(module), module.build_id},
                                                      static_cast<uint32_t>(result_.files.size()));
    if (is_new) {
      MappedFile file;
      file.image = image_of(impl_, module);
      result_.files.push_back(std::move(file));
    }
    // Of several mappings the first decides whether the file has changed since.
    ModuleImage& image = result_.files[entry->second].image;
    image.mapped_unix_ns = std::min(image.mapped_unix_ns, unix_ns_at(impl_, module.ticks));
    return entry->second;
  }

  const Capture::Impl& impl_;
  MappedFiles result_;
  std::map<std::pair<std::string_view, std::string_view>, uint32_t> numbers_;
};

}  // namespace

MappedFiles collect_mapped_files(const Capture& capture) { return Collector(capture.impl()).run(); }

std::vector<ModuleOfProcess> collect_modules(const Capture& capture) {
  const Capture::Impl& impl = capture.impl();
  std::set<std::pair<std::string_view, std::string_view>> seen;
  std::vector<ModuleOfProcess> modules;
  for (const auto& [process_index, metadata] : impl.metadata) {
    for (const Module& module : metadata.modules.all()) {
      if (!seen.insert({file_path(module), module.build_id}).second) continue;
      modules.push_back({process_index, image_of(impl, module)});
    }
  }
  return modules;
}

}  // namespace memlens::symbolizer
