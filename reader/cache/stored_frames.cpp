#include "reader/cache/stored_frames.h"

#include <string>
#include <vector>

#include "reader/cache/archive.h"
#include "reader/cache/archive_left_out.h"
#include "reader/cache/cache_folder.h"
#include "reader/cache/capture_key.h"

namespace memlens::reader {

namespace {

template <typename Archive, typename Frame>
void pass_frame(Archive& archive, Frame& frame) {
  archive(frame.offset, frame.ticks, frame.order_epoch, frame.kind, frame.flags, frame.process,
          frame.thread, frame.sequence, frame.stored_bytes, frame.raw_bytes, frame.lost_events,
          frame.payload_checksum);
}

struct MetadataFrames {
  uint32_t process = 0;
  std::vector<FrameRef> frames;
};

// All but the header, which is read from the file, and the chunks.
template <typename Archive, typename Index, typename Metadata>
void pass_index(Archive& archive, Index& index, Metadata& metadata) {
  archive(index.complete, index.good_bytes, index.first_ticks, index.last_ticks, index.frame_count);
  archive.list(index.others, [](Archive& each, auto& frame) { pass_frame(each, frame); });
  archive.list(metadata, [](Archive& each, auto& process) {
    each(process.process);
    each.list(process.frames, [](Archive& inner, auto& frame) { pass_frame(inner, frame); });
  });
  archive.list(index.streams, [](Archive& each, auto& stream) {
    each(stream.process, stream.thread, stream.lost_events, stream.missing_frames);
  });
  pass_left_out(archive, index.left_out);
}

}  // namespace

std::optional<FrameIndex> load_frames(const Source& source, const CacheOptions& options) {
  if (options.folder.empty()) return {};
  FrameIndex index;
  index.header = read_file_header(source);
  const auto parts = CacheFolder(options.folder, options.max_bytes).load(frames_key(source), 1);
  if (!parts) return {};
  std::vector<MetadataFrames> metadata;
  try {
    ArchiveReader reader{ByteView(parts->front())};
    pass_index(reader, index, metadata);
    reader.finish();
  } catch (const PayloadError&) {
    return {};
  }
  for (MetadataFrames& process : metadata)
    index.metadata[process.process] = std::move(process.frames);
  index.lists_chunks = false;
  return index;
}

void store_frames(const Source& source, const FrameIndex& index, const CacheOptions& options) {
  // One that is still being written has other frames the next time.
  if (options.folder.empty() || !index.complete || index.frame_count < options.worth_frames) return;
  std::vector<MetadataFrames> metadata;
  for (const auto& [process, frames] : index.metadata) metadata.push_back({process, frames});
  ArchiveWriter writer;
  pass_index(writer, index, metadata);
  CacheFolder(options.folder, options.max_bytes).store(frames_key(source), {writer.take()});
}

}  // namespace memlens::reader
