/* Allocates when it is loaded, when asked, and frees when it is unloaded. */
#include <stdlib.h>

static void* block;

__attribute__((constructor)) static void load(void) { block = malloc(4321); }
__attribute__((destructor)) static void unload(void) { free(block); }

void* plugin_allocate(size_t bytes) { return malloc(bytes); }
