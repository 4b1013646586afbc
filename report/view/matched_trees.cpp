#include "report/view/matched_trees.h"

#include <string>
#include <unordered_map>

#include "report/text/short_path.h"
#include "report/view/code_origin.h"
#include "report/view/matched_files.h"

namespace memlens::report {
namespace {

using NewNames = std::unordered_map<std::string_view, std::string_view>;

FileNames files_of(const MatchedTrees::Side& side) {
  FileNames files;
  for (const reader::Frame& frame : side.tree.frames()) {
    files.insert(short_path(frame.file, side.working_directory));
  }
  return files;
}

// What compilers add to the name of a function they made a copy of.
std::string_view without_clone(std::string_view function) {
  return function.substr(0, function.find(" [clone "));
}

class Matcher {
 public:
  // `renamed`: files of this side that have another name in the other.
  std::vector<uint32_t> match_frames(const MatchedTrees::Side& side, const NewNames& renamed) {
    std::vector<uint32_t> ids;
    ids.reserve(side.tree.frames().size());
    for (const reader::Frame& frame : side.tree.frames()) {
      std::string_view file = short_path(frame.file, side.working_directory);
      if (const auto other = renamed.find(file); other != renamed.end()) file = other->second;
      std::string key(1, static_cast<char>(frame.origin));
      key += is_nameless(frame) ? short_module(frame.module) + "+"
                                : std::string(without_clone(frame.function));
      key += '\0';
      key += file;
      const auto next = static_cast<uint32_t>(frames_.size());
      ids.push_back(frames_.try_emplace(std::move(key), next).first->second);
    }
    return ids;
  }

  std::vector<uint32_t> match_nodes(const FrameTree& tree, const std::vector<uint32_t>& frame_ids) {
    std::vector<uint32_t> ids(tree.size(), 0);
    for (FrameTree::NodeId node = 1; node < tree.size(); ++node) {  // callers come first
      const uint64_t key =
          static_cast<uint64_t>(ids[tree.parent(node)]) << 32 | frame_ids[tree.frame_id(node)];
      ids[node] = nodes_.try_emplace(key, static_cast<uint32_t>(nodes_.size() + 1)).first->second;
    }
    return ids;
  }

  size_t frame_count() const { return frames_.size(); }
  size_t node_count() const { return nodes_.size() + 1; }

 private:
  std::unordered_map<std::string, uint32_t> frames_;
  std::unordered_map<uint64_t, uint32_t> nodes_;
};

}  // namespace

MatchedTrees::MatchedTrees(const Side& old_side, const Side& new_side) {
  Matcher matcher;
  new_frames_ = matcher.match_frames(new_side, {});
  old_frames_ =
      matcher.match_frames(old_side, match_moved_files(files_of(old_side), files_of(new_side)));
  new_nodes_ = matcher.match_nodes(new_side.tree, new_frames_);
  old_nodes_ = matcher.match_nodes(old_side.tree, old_frames_);
  node_count_ = matcher.node_count();
  frame_count_ = matcher.frame_count();
}

}  // namespace memlens::report
