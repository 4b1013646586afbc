// Recordings that are under way on this machine: whose they are, where their captures are, and how
// to get the latest of them.
#pragma once

#include <optional>
#include <string>

#include "interposer/collector/control_socket.h"
#include "reader/capture/capture.h"

namespace memlens::recording {

// Which recording a process is in, or drives. Nothing: none, or another user's.
std::optional<collector::RunningRecording> recording_of(int pid);

// The same for who cannot go on without: RunError when there is no such process, or no recording.
collector::RunningRecording required_recording_of(int pid);

// Which recording writes this capture. Nothing: none that can be seen from here.
std::optional<collector::RunningRecording> recording_into(const std::string& capture_path);

// Where the recording's capture is; empty: it cannot be seen. A path that may be opened, if need be
// through the collector's descriptor.
std::string capture_of(const collector::RunningRecording& recording);

// Sends the recording's mark for process `pid` (the collector's own: everybody's). False with a
// reason when there is none.
bool mark_recording(const collector::RunningRecording& recording, int pid, const std::string& name,
                    std::string& reason);

// Has what programs hold back in unfinished chunks written to the capture. False: nobody did.
bool write_so_far(const collector::RunningRecording& recording);

// Opens a capture, one that is still being written with all there is so far, symbols included.
// Throws CaptureError.
reader::Capture open_so_far(const std::string& path, const reader::CacheOptions& index);

// Resolves what the capture's stacks need and adds it, where its recording has not done so yet.
void resolve_so_far(reader::Capture& capture);

}  // namespace memlens::recording
