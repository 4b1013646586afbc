/* A function that is called by its own library, by way of the procedure linkage table and by a
   pointer in data, where the linker leaves those to the loader. */
int slots_answer(void) { return 1; }
int slots_ask(void) { return slots_answer(); }
int (*const slots_pointer)(void) = slots_answer;
int slots_ask_pointer(void) { return (*(int (*const volatile*)(void)) & slots_pointer)(); }
