/* Looks like an interpreter of a version to come: has its names, and nothing memlens knows inside.
   Allocates 3 objects of 1000, 2000 and 3000 bytes through the object allocator, frees the last. */
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

typedef struct {
  void* ctx;
  void* (*malloc)(void* ctx, size_t size);
  void* (*calloc)(void* ctx, size_t count, size_t size);
  void* (*realloc)(void* ctx, void* block, size_t size);
  void (*free)(void* ctx, void* block);
} Allocator;

static void* raw_malloc(void* ctx, size_t size) { return malloc(size); }
static void* raw_calloc(void* ctx, size_t count, size_t size) { return calloc(count, size); }
static void* raw_realloc(void* ctx, void* block, size_t size) { return realloc(block, size); }
static void raw_free(void* ctx, void* block) { free(block); }

static Allocator allocators[3] = {{NULL, raw_malloc, raw_calloc, raw_realloc, raw_free},
                                  {NULL, raw_malloc, raw_calloc, raw_realloc, raw_free},
                                  {NULL, raw_malloc, raw_calloc, raw_realloc, raw_free}};
static int initialized;

const unsigned long Py_Version = 0x036300f0;
long PyCode_Type[64], PyFrame_Type[64], PyUnicode_Type[64];
const char* Py_GetVersion(void) { return "3.99.0 (from the future)"; }
int Py_IsInitialized(void) { return initialized; }
void PyMem_GetAllocator(int domain, Allocator* allocator) { *allocator = allocators[domain]; }
void PyMem_SetAllocator(int domain, Allocator* allocator) { allocators[domain] = *allocator; }
void* PyThreadState_GetUnchecked(void) { return NULL; }
void* PyGILState_GetThisThreadState(void) { return NULL; }

int main(void) {
  initialized = 1;
  void* blocks[3];
  for (int i = 0; i < 3; ++i) {
    blocks[i] = allocators[2].malloc(allocators[2].ctx, 1000 * (i + 1));
  }
  allocators[2].free(allocators[2].ctx, blocks[2]);
  puts("done");
  return 0;
}
