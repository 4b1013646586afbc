// A program that brings string functions of its own which do not work before its main has begun, as
// those of a sanitizer's library do not while it starts. It allocates before that.
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>

static int ready;

static void check(void) {
  if (!ready) __builtin_trap();
}

int strcmp(const char* left, const char* right) {
  check();
  while (*left != 0 && *left == *right) ++left, ++right;
  return (unsigned char)*left - (unsigned char)*right;
}

int strncmp(const char* left, const char* right, size_t limit) {
  check();
  for (; limit != 0 && *left != 0 && *left == *right; --limit) ++left, ++right;
  return limit == 0 ? 0 : (unsigned char)*left - (unsigned char)*right;
}

size_t strnlen(const char* text, size_t limit) {
  check();
  size_t length = 0;
  while (length < limit && text[length] != 0) ++length;
  return length;
}

char* strcpy(char* to, const char* from) {
  check();
  for (char* at = to; (*at++ = *from++) != 0;) {
  }
  return to;
}

char* strrchr(const char* text, int character) {
  check();
  char* found = NULL;
  for (;; ++text) {
    if (*text == (char)character) found = (char*)text;
    if (*text == 0) return found;
  }
}

char* strstr(const char* text, const char* part) {
  check();
  for (;; ++text) {
    size_t same = 0;
    while (part[same] != 0 && text[same] == part[same]) ++same;
    if (part[same] == 0) return (char*)text;
    if (*text == 0) return NULL;
  }
}

void* memmem(const void* bytes, size_t count, const void* part, size_t part_count) {
  check();
  const char* at = bytes;
  for (; count >= part_count; ++at, --count) {
    size_t same = 0;
    while (same < part_count && at[same] == ((const char*)part)[same]) ++same;
    if (same == part_count) return (void*)at;
  }
  return NULL;
}

static void* kept;

__attribute__((constructor)) static void start(void) { kept = malloc(100); }

int main(void) {
  ready = 1;
  printf("%d\n", kept != NULL && strcmp("same", "same") == 0);
  return 0;
}
