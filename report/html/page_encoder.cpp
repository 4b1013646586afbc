#include "report/html/page_encoder.h"

#include <zlib.h>

#include <algorithm>
#include <optional>
#include <stdexcept>
#include <unordered_map>

#include "report/html/column.h"
#include "report/html/site_columns.h"

namespace memlens::report::html {
namespace {

// Children in the order of their ids, the root first.
std::vector<uint32_t> depth_first_order(const std::vector<PageNode>& nodes) {
  const size_t count = nodes.size();
  std::vector<uint32_t> last_child(count, 0), previous_sibling(count, 0);
  for (uint32_t node = 1; node < count; ++node) {
    previous_sibling[node] = last_child[nodes[node].parent];
    last_child[nodes[node].parent] = node;
  }
  std::vector<uint32_t> order, pending{0};
  order.reserve(count);
  while (!pending.empty()) {
    const uint32_t node = pending.back();
    pending.pop_back();
    order.push_back(node);
    for (uint32_t child = last_child[node]; child != 0; child = previous_sibling[child]) {
      pending.push_back(child);
    }
  }
  return order;
}

// "node.frame": a frame not seen before, one given in "node.far" as a distance from the newest, or
// a place among the parent's recent callees.
constexpr uint64_t kNewFrame = 0;
constexpr uint64_t kFarFrame = 1;
constexpr uint64_t kFirstRecent = 2;

// By their values in the sites' columns: what each is called, and which heap it asks. Null where
// there is none.
nlohmann::json allocation_kinds(const reader::HeapTable& heaps) {
  nlohmann::json kinds = nlohmann::json::array();
  for (const format::AllocationKind kind : heaps.kinds()) {
    kinds[static_cast<size_t>(kind)] = {{"name", heaps.function_name(kind)},
                                        {"allocator", heaps.heaps()[heaps.heap_of(kind)].name}};
  }
  return kinds;
}

// The frames last called from one frame, the most recent first. page/capture.js keeps the same.
class RecentCallees {
 public:
  // Moves the frame to the front. Returns where it was, if it was there.
  std::optional<size_t> touch(uint32_t frame) {
    const auto found = std::ranges::find(frames_, frame);
    if (found == frames_.end()) {
      if (frames_.size() == kKept) frames_.pop_back();
      frames_.insert(frames_.begin(), frame);
      return std::nullopt;
    }
    const auto place = static_cast<size_t>(found - frames_.begin());
    std::rotate(frames_.begin(), found, found + 1);
    return place;
  }

 private:
  static constexpr size_t kKept = 64;
  std::vector<uint32_t> frames_;
};

class Encoder {
 public:
  explicit Encoder(const PageModel& page) : page_(page), order_(depth_first_order(page.nodes)) {
    position_.resize(order_.size());
    for (uint32_t i = 0; i < order_.size(); ++i) position_[order_[i]] = i;
  }

  std::string encode() {
    add_nodes();
    add_frames();
    add_strings();
    add_site_columns(page_.sites, position_, columns_);
    add_time();

    nlohmann::json directory = page_.about;
    directory["allocation_kinds"] = allocation_kinds(page_.heaps);
    directory["axis_from_seconds"] = page_.axis_from_seconds;
    directory["axis_to_seconds"] = page_.axis_to_seconds;
    for (const Column& column : columns_) directory["columns"].push_back(column.directory_entry());
    const std::string json =
        directory.dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);

    std::string data;
    for (unsigned shift = 0; shift < 32; shift += 8) {
      data.push_back(static_cast<char>(json.size() >> shift));
    }
    data += json;
    for (const Column& column : columns_) data += column.bytes();
    return data;
  }

 private:
  // Frames are numbered as the walk first meets them, and a node says how its frame follows from
  // its parent's: most callers call the same few functions wherever they stand.
  void add_nodes() {
    Column up("node.up"), frame("node.frame"), far("node.far"), merged("node.merged");
    std::unordered_map<uint32_t, RecentCallees> recent;  // by the caller's frame
    frame_number_.assign(page_.frames.size(), kUnnumbered);
    std::vector<uint32_t> depth(order_.size(), 0);
    for (uint32_t i = 1; i < order_.size(); ++i) {
      const PageNode& node = page_.nodes[order_[i]];
      depth[i] = depth[position_[node.parent]] + 1;
      up.add(depth[i - 1] + 1 - depth[i]);
      uint32_t& number = frame_number_[node.frame];
      const auto next = static_cast<uint32_t>(frame_order_.size());
      RecentCallees& callees =
          recent[node.parent == 0 ? kUnnumbered : page_.nodes[node.parent].frame];
      const bool is_new = number == kUnnumbered;
      if (is_new) {
        number = next;
        frame_order_.push_back(node.frame);
      }
      const std::optional<size_t> place = callees.touch(number);
      if (is_new) {
        frame.add(kNewFrame);
      } else if (place) {
        frame.add(kFirstRecent + *place);
      } else {
        frame.add(kFarFrame);
        far.add(next - number);
      }
      if (page_.frames[node.frame].kind == FrameKind::kOthers) merged.add(node.merged);
    }
    columns_.push_back(std::move(up));
    columns_.push_back(std::move(frame));
    columns_.push_back(std::move(far));
    columns_.push_back(std::move(merged));
  }

  void add_frames() {
    Column function("frame.function"), file("frame.file"), module("frame.module"),
        source("frame.source"), line("frame.line"), kind("frame.kind");
    string_number_.assign(page_.strings.strings().size(), kUnnumbered);
    number_of_string(0);
    for (const uint32_t id : frame_order_) {
      const PageFrame& frame = page_.frames[id];
      function.add(number_of_string(frame.function));
      file.add(number_of_string(frame.file));
      module.add(number_of_string(frame.module));
      source.add(number_of_string(frame.source));
      line.add(frame.line);
      kind.add(static_cast<unsigned>(frame.kind) * 2 + (frame.import_system ? 1 : 0));
    }
    for (Column* column : {&function, &file, &module, &source, &line, &kind}) {
      columns_.push_back(std::move(*column));
    }
  }

  uint32_t number_of_string(uint32_t id) {
    uint32_t& number = string_number_[id];
    if (number == kUnnumbered) {
      number = static_cast<uint32_t>(string_order_.size());
      string_order_.push_back(id);
    }
    return number;
  }

  void add_strings() {
    Column length("strings.length"), text("strings.text");
    for (const uint32_t id : string_order_) {
      const std::string& string = page_.strings.strings()[id];
      length.add(string.size());
      text.add_text(string);
    }
    columns_.push_back(std::move(length));
    columns_.push_back(std::move(text));
  }

  void add_time() {
    Column highs("bucket.high"), moments("bucket.high_microseconds");
    for (const reader::RangeBucket& bucket : page_.buckets) {
      const double seconds = bucket.high_seconds - page_.axis_from_seconds;
      highs.add(bucket.high_bytes);
      moments.add(static_cast<uint64_t>(std::max(0.0, seconds) * 1e6));
    }
    columns_.push_back(std::move(highs));
    columns_.push_back(std::move(moments));
    for (const PageCurve& curve : page_.curves) {
      Column values("curve." + curve.name + "." + std::to_string(curve.process_index));
      for (const uint64_t value : curve.values) values.add(value);
      columns_.push_back(std::move(values));
    }
  }

  static constexpr uint32_t kUnnumbered = ~0u;
  const PageModel& page_;
  std::vector<uint32_t> order_;     // walk position -> node
  std::vector<uint32_t> position_;  // node -> walk position
  std::vector<uint32_t> frame_number_, frame_order_;
  std::vector<uint32_t> string_number_, string_order_;
  std::vector<Column> columns_;
};

}  // namespace

std::string encode_page_data(const PageModel& page) {
  const std::string data = Encoder(page).encode();
  uLongf compressed_bytes = compressBound(data.size());
  std::string compressed(compressed_bytes, '\0');
  const int status = compress2(reinterpret_cast<Bytef*>(compressed.data()), &compressed_bytes,
                               reinterpret_cast<const Bytef*>(data.data()), data.size(), 9);
  if (status != Z_OK) throw std::runtime_error("cannot compress the page's data: out of memory");
  compressed.resize(compressed_bytes);
  return compressed;
}

}  // namespace memlens::report::html
