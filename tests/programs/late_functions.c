// Needs nothing but libc, and opens a library that needs more (before glibc 2.34: libdl, libutil),
// as libc opens its own modules.
#include <stddef.h>

void* __libc_dlopen_mode(const char* file, int mode) __attribute__((weak));
void* dlopen(const char* file, int mode) __attribute__((weak));

int main(int argc, char** argv) {
  const int now = 2, private = (int)0x80000000;
  void* library = __libc_dlopen_mode != NULL ? __libc_dlopen_mode(argv[1], now | private)
                  : dlopen != NULL           ? dlopen(argv[1], now)
                                             : NULL;
  return library != NULL ? 0 : 2;
}
