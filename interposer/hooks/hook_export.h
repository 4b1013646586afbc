// What makes a function a hook: C linkage, visible to the program. exports.map names each.
#pragma once

#define MEMLENS_HOOK extern "C" __attribute__((visibility("default"), noinline))
