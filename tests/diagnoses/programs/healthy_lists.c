// expect: healthy
#include <stdlib.h>
struct node {
  struct node* next;
  char payload[100];
};
int main(void) {
  for (int round = 0; round < 100; round++) {
    struct node* head = NULL;
    for (int i = 0; i < 500; i++) {
      struct node* node = malloc(sizeof *node);
      node->next = head;
      head = node;
    }
    while (head) {
      struct node* next = head->next;
      free(head);
      head = next;
    }
  }
  return 0;
}
