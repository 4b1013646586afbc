// A library with every kind of definition that a symbol table can hold.
int plain(void) { return 1; }
static int chosen(void) { return 2; }
static int (*choose(void))(void) { return chosen; }
int chosen_at_run_time(void) __attribute__((ifunc("choose")));
__attribute__((weak)) int weak(void) { return 3; }
int variable = 4;

// Two versions: the hidden one stands first in the file.
int versioned_old(void) { return 5; }
int versioned_new(void) { return 6; }
__asm__(".symver versioned_old, versioned@LIBRARY_1");
__asm__(".symver versioned_new, versioned@@LIBRARY_2");
// Nobody who is linked today gets it.
int only_old(void) { return 7; }
__asm__(".symver only_old, gone@LIBRARY_1");

extern int elsewhere(void) __attribute__((weak));
int call_elsewhere(void) { return elsewhere == 0 ? 0 : elsewhere(); }
