/* Allocates under libraries that come in other ways than by the program's dlopen: one in a
   namespace of its own, and a character set converter that libc opens for itself. Argument: the
   library for the namespace. */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <iconv.h>
#include <stdio.h>
#include <stdlib.h>

__attribute__((noinline)) static void* allocate(void) {
  void* block = malloc(7777);
  __asm__ volatile("" ::"r"(block) : "memory");
  return block;
}

int main(int argc, char** argv) {
  if (argc != 2) return 2;
  void* library = dlmopen(LM_ID_NEWLM, argv[1], RTLD_NOW);
  if (library == NULL) {
    fprintf(stderr, "%s\n", dlerror());
    return 3;
  }
  void* (*enter)(void* (*)(void)) = (void* (*)(void* (*)(void)))dlsym(library, "in_namespace");
  enter(allocate);
  /* The converter's gconv_init allocates. */
  return iconv_open("UTF-8", "UTF-16") == (iconv_t)-1 ? 4 : 0;
}
