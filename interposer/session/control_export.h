// What makes a function one that the program finds by dlsym to speak to its recording: C linkage,
// visible. exports.map names each.
#pragma once

#define MEMLENS_CONTROL extern "C" __attribute__((visibility("default")))
