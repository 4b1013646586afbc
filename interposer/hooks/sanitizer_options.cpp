// What AddressSanitizer is told beforehand.
//
// Its library wants to stand before all others, lest somebody's malloc bypasses it, and ends the
// program when one does not. Ours hands every call on to it, so the order is right as it is. It
// asks for options by this name, and takes the program's own answer where there is one: such a
// program is not preloaded (exec_target.h). ASAN_OPTIONS in the environment goes before either.
#include "interposer/hooks/hook_export.h"

extern "C" __attribute__((visibility("default"))) const char* __asan_default_options();

MEMLENS_HOOK const char* __asan_default_options() { return "verify_asan_link_order=0"; }
