// expect: leak push
#include <stdlib.h>
#include <unistd.h>
struct node {
  struct node* next;
  char payload[2000];
} * head;
__attribute__((noinline)) void push(void) {
  struct node* node = malloc(sizeof *node);
  node->next = head;
  head = node;
}
int main(void) {
  for (int i = 0; i < 500; i++) {
    push();
    usleep(3000);
  }
  return 0;
}
