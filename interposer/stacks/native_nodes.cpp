#include "interposer/stacks/native_nodes.h"

#include "interposer/definitions/definitions.h"
#include "interposer/definitions/node_table.h"
#include "interposer/session/process.h"
#include "interposer/stacks/hybrid_interpreter.h"
#include "interposer/stacks/native_caches.h"
#include "interposer/stacks/own_code.h"

namespace memlens::interposer {
namespace {

using unwind::CodeObject;

// Tells the libraries apart that one after the other have had the same place.
uint64_t tagged_address(NativeStackState& state, uint64_t address) {
  const CodeObject* object = unwind::find_object(address, state.objects);
  return object != nullptr ? address | object->place_tag : address;
}

uint64_t extend_path(NativeStackState& state, uint64_t path, const NativeFrame& frame) {
  uint64_t address = frame.code_address();
  if (__builtin_expect(is_own_code(address), 0)) return path;
  constexpr unsigned kShownOtherwise = NativeFrame::kCut | NativeFrame::kOutside;
  if (__builtin_expect(frame.tagged, 0)) address = tagged_address(state, address);
  path = (path ^ address ^ uint64_t{frame.flags & kShownOtherwise} << 56) * 0x9E3779B97F4A7C15ull;
  return path ^ path >> 32;
}

}  // namespace

uint32_t intern_native_frame(NativeStackState& state, uint32_t parent, const NativeFrame& frame,
                             const NativeFrame* parent_frame) {
  if (__builtin_expect(frame.has(NativeFrame::kCut), 0)) {
    parent = intern_label_node(parent, kCodeWithoutInformationLabel);
    if (frame.has(NativeFrame::kOutside)) return parent;
  } else if (__builtin_expect(frame.has(NativeFrame::kOutside), 0)) {
    if (frame.is_trampoline()) return parent;
    // A run of them is one frame of the report.
    if (parent_frame != nullptr && parent_frame->has(NativeFrame::kOutside) &&
        !parent_frame->is_trampoline()) {
      return parent;
    }
    return intern_label_node(parent, kCodeWithoutInformationLabel);
  }
  if (parent_frame != nullptr && parent_frame->interpreter != 0 && has_opcode_handlers()) {
    return parent;
  }
  uint64_t address = frame.code_address();
  // Wrappers of ours in the middle of a stack (around dlclose) are none of the program's business.
  if (__builtin_expect(is_own_code(address), 0)) return parent;
  if (__builtin_expect(frame.tagged, 0)) address = tagged_address(state, address);
  uint32_t node = native_caches()->nodes.find(parent, address);
  if (__builtin_expect(node == 0, 0)) {
    const uint32_t newest = node_table::newest();
    node = intern_native_node(parent, address);
    // One that is asked for again: a forked child that ends soon leaves the pages alone.
    if (node != 0 && node <= newest) native_caches()->nodes.insert(parent, address, node);
  }
  return node;
}

uint32_t intern_native_run(NativeStackState& state, uint32_t parent, const FrameRun& run,
                           const NativeFrame& frame) {
  uint32_t node = native_caches()->run_nodes.find(parent, run.serial);
  if (__builtin_expect(node != 0, 1)) return node;
  node = parent;
  const NativeFrame* outer = &frame;
  for (uint32_t i = run.loops; i < run.count; ++i) {
    node = intern_native_frame(state, node, run.frames[i], outer);
    outer = &run.frames[i];
  }
  if (node != format::kRootNode) native_caches()->run_nodes.insert(parent, run.serial, node);
  return node;
}

uint32_t node_of_frames(NativeStackState& state, uint32_t depth) {
  NativeFrame* const frames = state.frames;
  uint32_t first = depth;
  while (first > 0 && frames[first - 1].node == format::kRootNode) --first;
  uint32_t node = first > 0 ? frames[first - 1].node : format::kRootNode;
  for (uint32_t i = first; i < depth; ++i) {
    node = intern_native_frame(state, node, frames[i], i > 0 ? &frames[i - 1] : nullptr);
    frames[i].node = node;
  }
  return node;
}

uint32_t node_of_kept_frames(NativeStackState& state, uint32_t kept) {
  constexpr uint64_t kNoFrames = 0xC2B2AE3D27D4EB4Full;
  NativeFrame* const frames = state.frames;
  const uint32_t depth = state.depth;
  if (depth == 0) return format::kRootNode;
  const bool path_known = kept > 0 && frames[kept - 1].path != 0;
  uint64_t path = path_known ? frames[kept - 1].path : kNoFrames;
  for (uint32_t i = path_known ? kept : 0; i < depth; ++i) {
    path = frames[i].path = extend_path(state, path, frames[i]);
  }
  NativeFrame& innermost = frames[depth - 1];
  if (innermost.node != format::kRootNode) return innermost.node;
  uint32_t node = native_caches()->path_nodes.find(format::kRootNode, path);
  if (__builtin_expect(node == 0, 0)) {
    const uint32_t newest = node_table::newest();
    node = node_of_frames(state, depth);
    if (node != 0 && node <= newest)
      native_caches()->path_nodes.insert(format::kRootNode, path, node);
  }
  return innermost.node = node;
}

uint32_t node_of_deep_frames(NativeStackState& state, uint32_t parent, uint32_t first) {
  constexpr uint64_t kDeep = 0x9FB21C651E98DF25ull;
  NativeFrame* const frames = state.frames;
  uint64_t path = kDeep ^ uint64_t { parent } << 20;
  for (uint32_t i = first; i < state.depth; ++i) path = extend_path(state, path, frames[i]);
  uint32_t node = native_caches()->path_nodes.find(parent, path);
  if (__builtin_expect(node != 0, 1)) return node;
  node = parent;
  for (uint32_t i = first; i < state.depth; ++i) {
    node = intern_native_frame(state, node, frames[i], i > 0 ? &frames[i - 1] : nullptr);
  }
  if (node != format::kRootNode) native_caches()->path_nodes.insert(parent, path, node);
  return node;
}

void forget_native_nodes() { NativeNodeCache::forget(); }

namespace {
// A forked child numbers its nodes anew, and so does another session.
__attribute__((constructor)) void register_for_sessions() { at_new_session(forget_native_nodes); }
}  // namespace

}  // namespace memlens::interposer
