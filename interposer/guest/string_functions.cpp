// String functions of this library's own, hidden: libc's can be somebody else's.
//
// A sanitizer's library interposes them, and its versions call through pointers that its
// constructor fills one after the other by dlsym. Before glibc 2.34 dlsym may call calloc, so a
// hook runs in the middle of that: the next strcmp was a jump to address 0. mem*, strlen and strchr
// have an answer for that moment in such libraries, and stay libc's, whose versions are quick.
//
// Never hot: names of symbols, libraries and variables are compared here.
#include <cstddef>

#if defined(__has_feature)
#if __has_feature(address_sanitizer) || __has_feature(thread_sanitizer)
#define MEMLENS_SANITIZED
#endif
#endif
#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
#define MEMLENS_SANITIZED
#endif

// Under a sanitizer the unit tests are looked after by its versions.
#if !defined(MEMLENS_SANITIZED)

// Not by <cstring>, which declares some of them twice, for const and not.
extern "C" {

void* memchr(const void* bytes, int value, size_t count);
int memcmp(const void* left, const void* right, size_t count);

size_t memlens_strnlen(const char* text, size_t limit) __asm__("strnlen")
    __attribute__((visibility("hidden")));
int memlens_strcmp(const char* left, const char* right) __asm__("strcmp")
    __attribute__((visibility("hidden")));
int memlens_strncmp(const char* left, const char* right, size_t limit) __asm__("strncmp")
    __attribute__((visibility("hidden")));
char* memlens_strcpy(char* to, const char* from) __asm__("strcpy")
    __attribute__((visibility("hidden")));
char* memlens_strrchr(const char* text, int character) __asm__("strrchr")
    __attribute__((visibility("hidden")));
char* memlens_strstr(const char* text, const char* part) __asm__("strstr")
    __attribute__((visibility("hidden")));
void* memlens_memmem(const void* bytes, size_t count, const void* part,
                     size_t part_count) __asm__("memmem") __attribute__((visibility("hidden")));

size_t memlens_strnlen(const char* text, size_t limit) {
  size_t length = 0;
  while (length < limit && text[length] != '\0') ++length;
  return length;
}

int memlens_strncmp(const char* left, const char* right, size_t limit) {
  for (size_t i = 0; i < limit; ++i) {
    const auto a = static_cast<unsigned char>(left[i]);
    const auto b = static_cast<unsigned char>(right[i]);
    if (a != b) return a < b ? -1 : 1;
    if (a == '\0') return 0;
  }
  return 0;
}

int memlens_strcmp(const char* left, const char* right) {
  return memlens_strncmp(left, right, static_cast<size_t>(-1));
}

char* memlens_strcpy(char* to, const char* from) {
  size_t i = 0;
  do {
    to[i] = from[i];
  } while (from[i++] != '\0');
  return to;
}

char* memlens_strrchr(const char* text, int character) {
  const char* found = nullptr;
  for (;; ++text) {
    if (*text == static_cast<char>(character)) found = text;
    if (*text == '\0') return const_cast<char*>(found);
  }
}

char* memlens_strstr(const char* text, const char* part) {
  size_t length = 0;
  while (part[length] != '\0') ++length;
  for (;; ++text) {
    if (memlens_strncmp(text, part, length) == 0) return const_cast<char*>(text);
    if (*text == '\0') return nullptr;
  }
}

void* memlens_memmem(const void* bytes, size_t count, const void* part, size_t part_count) {
  const char* at = static_cast<const char*>(bytes);
  const char* const end = at + count;
  if (part_count == 0) return const_cast<char*>(at);
  while (static_cast<size_t>(end - at) >= part_count) {
    const size_t starts = static_cast<size_t>(end - at) - part_count + 1;
    at = static_cast<const char*>(memchr(at, *static_cast<const char*>(part), starts));
    if (at == nullptr) return nullptr;
    if (memcmp(at, part, part_count) == 0) return const_cast<char*>(at);
    ++at;
  }
  return nullptr;
}

}  // extern "C"

#endif  // !MEMLENS_SANITIZED
