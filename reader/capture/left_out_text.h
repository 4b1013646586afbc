// What is left out of a capture, in words.
#pragma once

#include <string>

#include "reader/capture/capture.h"
#include "reader/file/left_out.h"

namespace memlens::reader {

// "2 blocks of events of thread 4713 of process 4711 make no sense and are left out (...)".
std::string describe(const LeftOut& left_out, const CaptureInfo& info);

}  // namespace memlens::reader
