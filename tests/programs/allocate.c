/* Leaks one block of the size given, 1 byte without one. Its name in the tests of process trees is
   "the child". */
#include <stdlib.h>

int main(int argc, char** argv) {
  char* volatile block = malloc(argc > 1 ? strtoul(argv[1], NULL, 10) : 1);
  block[0] = 1;
  return 0;
}
