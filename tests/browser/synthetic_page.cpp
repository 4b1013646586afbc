// Writes an HTML page of a made-up capture with a wanted number of nodes: what the page's speed and
// size are measured on, and what browser tests of the page alone are fed.
//
//     memlens_synthetic_page NODES OUTPUT [hostile]
#include <cmath>
#include <cstdlib>
#include <fstream>
#include <iostream>
#include <random>

#include "report/html/page_budget.h"
#include "report/html/page_writer.h"

namespace {

using memlens::reader::RangeCell;
using namespace memlens::report::html;  // NOLINT: one short file about this namespace

constexpr unsigned kBuckets = 64;
constexpr double kSeconds = 48.0;
constexpr unsigned kCurvePoints = 400;

class SyntheticCapture {
 public:
  SyntheticCapture(size_t nodes, bool hostile) : wanted_nodes_(nodes), hostile_(hostile) {}

  PageModel make() {
    make_frames();
    make_about();
    make_tree();
    make_time();
    return std::move(page_);
  }

 private:
  uint32_t pick(uint32_t below) { return static_cast<uint32_t>(random_() % below); }

  void add_frame(const std::string& function, const std::string& file, const std::string& module,
                 uint32_t line, FrameKind kind, const std::string& source = "") {
    PageFrame frame;
    frame.function = page_.strings.intern(function);
    frame.file = page_.strings.intern(file);
    frame.module = page_.strings.intern(module);
    frame.source = page_.strings.intern(source);
    frame.line = line;
    frame.kind = kind;
    frame.import_system = file.starts_with("<frozen importlib");
    page_.frames.push_back(frame);
  }

  void make_frames() {
    static const char* const kVerbs[] = {"load",  "parse",  "merge", "render",  "fetch",
                                         "build", "encode", "index", "resolve", "collect"};
    static const char* const kNouns[] = {"rows",   "table", "document", "session", "graph",
                                         "report", "cache", "batch",    "schema",  "image"};
    const auto frames = static_cast<uint32_t>(
        std::min<size_t>(6000, 200 + static_cast<size_t>(4 * std::sqrt(wanted_nodes_))));
    for (uint32_t i = 0; i < frames; ++i) {
      const std::string noun = kNouns[pick(10)];
      const std::string name = std::string(kVerbs[pick(10)]) + "_" + noun;
      const uint32_t line = 10 + pick(900);
      switch (i % 8) {
        case 5:
          add_frame("std::vector<" + noun + ">::_M_realloc_insert", "src/" + noun + ".cpp",
                    "lib" + noun + ".so", line, FrameKind::kNative);
          break;
        case 6:
          add_frame("_PyEval_Vector" + std::to_string(i), "Python/ceval.c", "libpython3.11.so",
                    line, FrameKind::kInterpreter);
          break;
        case 7:
          add_frame("_load_unlocked", "<frozen importlib._bootstrap>", "importlib", line,
                    FrameKind::kPython);
          break;
        default:
          add_frame(name, "/srv/project/app/" + noun + "_" + std::to_string(i % 50) + ".py", noun,
                    line, FrameKind::kPython,
                    noun + " = " + name + "(path, options=" + std::to_string(i) + ")");
      }
    }
    if (hostile_) make_frames_hostile();
  }

  void make_frames_hostile() {
    static const char* const kNames[] = {"</script><script>window.hacked=1</script>",
                                         "<img src=x onerror=window.hacked=1>",
                                         "\xe2\x80\xa8line\xe2\x80\xa9separators",
                                         "\xff\xfe not utf-8",
                                         "a\"b'c`d${window.hacked=1}",
                                         "<!--<script>",
                                         "]]>",
                                         "\x1b[31mred",
                                         "\xe2\x80\xae rtl override",
                                         "__proto__",
                                         "constructor"};
    for (size_t i = 0; i < page_.frames.size(); ++i) {
      PageFrame& frame = page_.frames[i];
      const std::string name = kNames[i % std::size(kNames)];
      frame.function = page_.strings.intern(name + std::to_string(i / 20));
      frame.file = page_.strings.intern("/tmp/" + name + ".py");
      frame.source = page_.strings.intern(name);
    }
  }

  void make_about() {
    const std::string name = hostile_ ? "</script><b>\xe2\x80\xa8" : "worker";
    auto& about = page_.about;
    about = {{"command", {"python3", "app.py", hostile_ ? name : "--all"}},
             {"complete", true},
             {"ending", "finished"},
             {"python", "3.11.7"},
             {"duration_seconds", kSeconds},
             {"first_view", "peak"},
             {"marks", {{{"seconds", 12.5}, {"name", hostile_ ? name : "warm"}}}},
             {"notes", nlohmann::json::array()}};
    for (unsigned process = 1; process <= 2; ++process) {
      about["processes"].push_back({{"index", process},
                                    {"pid", 4000 + process},
                                    {"name", name},
                                    {"origin", process == 1 ? "started" : "forked"},
                                    {"start_seconds", process == 1 ? 0.0 : 9.0}});
      for (unsigned thread = 1; thread <= 3; ++thread) {
        about["lanes"].push_back({{"process", process},
                                  {"pid", 4000 + process},
                                  {"thread", thread},
                                  {"tid", 4000 + 10 * process + thread},
                                  {"name", name},
                                  {"start_seconds", 3.0 * thread + 9.0 * (process - 1)}});
      }
    }
  }

  // Grows stacks from a random node of the last one, the way programs do, until there are enough.
  void make_tree() {
    const auto frames = static_cast<uint32_t>(page_.frames.size());
    std::vector<uint32_t> path{0};
    while (page_.nodes.size() < wanted_nodes_) {
      const size_t keep = 1 + pick(static_cast<uint32_t>(path.size()));
      path.resize(keep);
      const unsigned grow = 1 + pick(path.size() < 12 ? 6 : 2);
      for (unsigned i = 0; i < grow && page_.nodes.size() < wanted_nodes_; ++i) {
        // Who is called depends on the caller: a handful of callees each.
        const uint32_t caller = page_.nodes[path.back()].frame;
        const uint32_t frame = (caller * 7919 + pick(12) * 104729 + 1) % frames;
        page_.nodes.push_back({path.back(), frame, 0});
        path.push_back(static_cast<uint32_t>(page_.nodes.size() - 1));
      }
      add_site(path.back());
      if (path.size() > 60) path.resize(5);
    }
  }

  void add_site(uint32_t node) {
    PageSite site;
    site.node = node;
    site.lane = pick(6);
    // Two are nearly all there is, but each is there, and so is one that no version knows yet.
    const unsigned turn = sites_++ % 100;
    site.kind = static_cast<memlens::format::AllocationKind>(
        turn <= memlens::format::kAllocationKindCount ? turn : (pick(2) ? 0 : 15));
    const uint64_t size = 16ull << pick(pick(20) == 0 ? 16 : 5);
    uint64_t blocks = 0;
    for (unsigned i = 0, cells = 1 + pick(2) * pick(2); i < cells; ++i) {
      RangeCell cell;
      cell.allocated = static_cast<uint16_t>(1 + pick(2 * kBuckets));
      const unsigned rest = 2 * kBuckets + 1 - cell.allocated;
      if (pick(6) != 0) {
        cell.removed = static_cast<uint16_t>(cell.allocated + pick(std::min(6u, rest)));
      }
      cell.tally.blocks = 1 + pick(pick(5) == 0 ? 200 : 4);
      cell.tally.bytes = cell.tally.blocks * size;
      blocks += cell.tally.blocks;
      site.range.cells.push_back(cell);
    }
    // Of what was freed within its half-bucket, all or a part was temporary.
    for (const RangeCell& cell : site.range.cells) {
      if (cell.allocated != cell.removed || pick(2) == 0) continue;
      const uint64_t temporary = pick(4) == 0 ? (cell.tally.blocks + 1) / 2 : cell.tally.blocks;
      site.range.temporary.push_back(
          {static_cast<uint16_t>((cell.allocated - 1) / 2), {temporary * size, temporary}});
    }
    memlens::reader::merge_equal(site.range);
    site.range.sizes.push_back({static_cast<uint8_t>(std::bit_width(size)), blocks});
    page_.sites.push_back(std::move(site));
  }

  void make_time() {
    page_.axis_to_seconds = kSeconds;
    // Live bytes before each half-bucket, from the cells themselves.
    std::vector<int64_t> change(2 * kBuckets + 2, 0);
    uint64_t allocated = 0, blocks = 0, leaked = 0;
    for (const PageSite& site : page_.sites) {
      for (const RangeCell& cell : site.range.cells) {
        allocated += cell.tally.bytes;
        blocks += cell.tally.blocks;
        change[cell.allocated] += static_cast<int64_t>(cell.tally.bytes);
        if (cell.removed == RangeCell::kNever) {
          leaked += cell.tally.bytes;
        } else {
          change[cell.removed] -= static_cast<int64_t>(cell.tally.bytes);
        }
      }
    }
    int64_t live = 0;
    uint64_t peak = 0;
    std::vector<uint64_t> highs;
    for (unsigned bucket = 0; bucket < kBuckets; ++bucket) {
      live += change[2 * bucket + 1];
      highs.push_back(static_cast<uint64_t>(live));
      peak = std::max(peak, highs.back());
      live += change[2 * bucket + 2];
      page_.buckets.push_back({highs.back(), kSeconds * (bucket + 0.5) / kBuckets});
    }
    PageCurve heap{"heap", 0, {}}, high{"heap_high", 0, {}}, resident{"resident", 0, {}};
    for (unsigned i = 0; i < kCurvePoints; ++i) {
      const uint64_t value = highs[i * kBuckets / kCurvePoints];
      heap.values.push_back(value);
      high.values.push_back(value);
      resident.values.push_back(peak / 5 + value + value / 10);
    }
    PageCurve first{"heap", 1, {}}, second{"heap", 2, {}};
    for (unsigned i = 0; i < kCurvePoints; ++i) {
      const double share = i < 75 ? 1.0 : 0.62;
      first.values.push_back(static_cast<uint64_t>(share * static_cast<double>(heap.values[i])));
      second.values.push_back(heap.values[i] - first.values.back());
    }
    page_.curves = {heap, high, resident, first, second};
    page_.about["totals"] = {{"peak_bytes", peak},    {"peak_seconds", kSeconds / 2},
                             {"peak_is_exact", true}, {"leaked_bytes", leaked},
                             {"allocations", blocks}, {"allocated_bytes", allocated},
                             {"lost_events", 0}};
  }

  size_t wanted_nodes_;
  unsigned sites_ = 0;
  bool hostile_;
  std::mt19937_64 random_{7};
  PageModel page_;
};

}  // namespace

int main(int argc, char** argv) {
  if (argc < 3) {
    std::cerr << "usage: memlens_synthetic_page NODES OUTPUT [hostile]\n";
    return 2;
  }
  const size_t nodes = std::strtoull(argv[1], nullptr, 10);
  const bool hostile = argc > 3 && std::string_view(argv[3]) == "hostile";
  std::ofstream out(argv[2], std::ios::binary);
  write_page(SyntheticCapture(nodes, hostile).make(), out);
  return out.good() ? 0 : 1;
}
