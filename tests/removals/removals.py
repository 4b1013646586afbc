"""What is taken out, one at a time, to see which test notices: (what, file, text, in its place).

Each is a feature, not a slip of the pen: what is left compiles and does its work without it.
"""
RECORDED_CALL = "interposer/record/recorded_call.h"
RECORDER = "interposer/record/recorder.cpp"
ORDER = "interposer/record/order.cpp"
ENCODER = "interposer/record/event_encoder.h"
MALLOC = "interposer/hooks/malloc_hooks.cpp"
DECODER = "reader/events/event_decoder.cpp"
ACCOUNTS = "reader/analysis/process_accounts.cpp"

REMOVALS = [
    # ---- hooks
    ("realloc frees the old block", RECORDED_CALL,
     "  if (record && block != nullptr) record_free(block);\n", ""),
    ("a realloc that failed is undone", RECORDED_CALL,
     "    record_undo();  // the old", "    // the old"),
    ("calloc counts all of its members", MALLOC,
     "  if (!multiply(count, bytes, total)) total = 0;  // it will fail\n", "  total = bytes;\n"),
    # ---- order
    ("a thread that takes over begins an epoch", ORDER,
     "    const uint64_t epoch = epoch_of(current) + 1;\n    uint64_t next",
     "    const uint64_t epoch = epoch_of(current);\n    uint64_t next"),
    ("threads that take turns share an epoch", ORDER,
     "  return before != 0 && now - before < kHandoffWindowTicks;", "  return before == 1 && now == 0;"),
    ("a shared epoch ends when one thread is left", ORDER,
     "  if (closer_run.fetch_add(1) + 1 < kChunksToUnshare) return;",
     "  if (closer_run.fetch_add(1) + 1 < 1000 * kChunksToUnshare) return;"),
    ("a thread's end ends its epoch", ORDER,
     "  while (owner_of(current) == owner &&", "  while (false && owner_of(current) == owner &&"),
    ("a later session goes on counting epochs", ORDER,
     "epoch_of(word->load(std::memory_order_relaxed)) + 1;\n  word->store",
     "epoch_of(word->load(std::memory_order_relaxed)) * 0 + 1;\n  word->store"),
    # ---- recorder
    ("a forked child is a process of its own", RECORDER,
     "  if (forked && !upcalls.continue_as_forked_child()) return nullptr;\n", ""),
    ("an unfinished record is given up with its chunk", RECORDER,
     "  if (state->chunk != nullptr && state->cursor >= state->hard_limit) {",
     "  if (state->cursor == kBusyCursor) state->cursor = payload_of(state->chunk);\n"
     "  if (state->chunk != nullptr && state->cursor >= state->hard_limit) {"),
    ("an epoch stands in the stream", RECORDER, "  if (epoch_changed) {", "  if (epoch_changed && false) {"),
    ("an undo is the present process's own", RECORDER,
     " || thread_state->session != process.session) return;", ") return;"),
    ("a free counts its shard's stamp", RECORDER,
     "state.shards[shard].value.fetch_add(1);", "state.shards[shard].value.load();"),
    ("the collector may ask for the end", RECORDER,
     "  if (process.segment->stop.load(std::memory_order_relaxed) != 0) {\n    stop_recording_silently();",
     "  if (false) {\n    stop_recording_silently();"),
    ("a chunk says how many events were lost before it", RECORDER,
     "  header.lost_events = state.lost_events + take_events_without_state();",
     "  header.lost_events = 0 * take_events_without_state();"),
    # ---- encoder
    ("a freed block is where the next of its class is expected", ENCODER,
     "      codec_.last_of_class[recent >> kOrdinalBits & (kSizeClasses - 1)] = unit;\n", ""),
    ("a free is told from the free before", ENCODER, "    codec_.last_freed = unit;\n", ""),
    ("a block is freed once", ENCODER, "      recent = 0;\n", ""),
    ("an allocation is told from the node before", ENCODER, "    codec_.last_node = node;\n", ""),
    ("large sizes have a form of their own", ENCODER,
     "!is_plain(address) || size_bytes > kMaxShortSize", "!is_plain(address)"),
    # ---- decoder
    ("a freed block is where the next of its class is expected, read", DECODER,
     "          codec_.last_of_class[allocation & (format::kSizeClasses - 1)] = codec_.last_freed;\n",
     ""),
    ("a free passes its shard's stamp", DECODER,
     "        event.stamp = pass_stamp(format::shard_of(event.address), delta, 1);",
     "        event.stamp = pass_stamp(format::shard_of(event.address), delta, 0);"),
    ("an event that is cut short is damage", DECODER,
     "    if (__builtin_expect(next_ > end_, 0)) throw PayloadError(\"the last event is cut short\");\n",
     ""),
    ("an empty slot of the dictionary is damage", DECODER,
     "          if (entry.node == format::kNoNode) fail(\"an allocation refers to an empty slot\");\n",
     ""),
    ("a size that cannot be is damage", DECODER,
     "  if (event.size_bytes > kMaxSizeBytes) fail(\"a block of impossible size\");\n",
     "  (void)kMaxSizeBytes;\n"),
    ("a stamp outside a shared epoch is damage", DECODER,
     "          fail(\"a free has a stamp outside a shared epoch\");", "          read_stamp_delta();"),
    # ---- accounts
    ("an address that is given out again frees what was there", ACCOUNTS,
     "    release(blocks_of, block, range_birth_of(blocks_of, block), ignored);\n    ++replaced",
     "    (void)ignored;\n    ++replaced"),
    ("a block that is freed soon is temporary", ACCOUNTS,
     "  if (is_temporary(site, block.birth) && !retired.outlived) {", "  if (false) {"),
    ("a sample that outlived others is not temporary", ACCOUNTS,
     " && !retired.outlived) {", ") {"),
    ("frees of unknown blocks are counted", ACCOUNTS, "  ++unmatched_frees_;\n", ""),
    ("what is freed after the shutdown began stays allocated", ACCOUNTS,
     "outlives_program(block.generation);\n  if (ranges_",
     "outlives_program(block.generation) && false;\n  if (ranges_"),
    ("an unmap that is undone at once changes nothing", ACCOUNTS,
     "          state.retired.what = Retired::kNothing;\n          state.unmapped_heap = false;\n"
     "          ++event;\n          break;\n", ""),
    ("mremap moves as heap what was heap", ACCOUNTS,
     "  if (event.kind == format::AllocationKind::kMremap && !state.unmapped_heap) return;\n", ""),
    ("a pool's reset frees its blocks", ACCOUNTS,
     "    release(blocks, block, range_birth_of(blocks, block), ignored);\n  });",
     "    (void)block, (void)ignored;\n  });"),
]

# Tests that may notice, by the folder that was changed: build targets, and ctest's expression.
TESTS = {
    "interposer/hooks": (["memlens", "memlens_interposer"], r"^cli\.programs_ledger$"),
    "interposer/record/recorded_call.h": (["memlens", "memlens_interposer"],
                                          r"^cli\.programs_ledger$"),
    "interposer/record": (["recorder_test", "interposer_test", "interposer_sampling_test"],
                          r"^unit\.(recorder|interposer|interposer_sampling)_test$"),
    "reader": (["reader_test", "range_test", "followed_test"],
               r"^unit\.(reader|range|followed)_test$"),
}
