/* Opens a library that only its own RUNPATH leads to: dlopen looks at who calls it. */
#include <dlfcn.h>

void* open_plugin(void) { return dlopen("libmemlens_test_plugin.so", RTLD_NOW); }
