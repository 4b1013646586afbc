/* Opens a library, which opens another by its RUNPATH; closes that and opens it again. Argument:
   the directory of the first. */
#include <dlfcn.h>
#include <stdio.h>
#include <stdlib.h>

#include "ledger.h"

int main(int argc, char** argv) {
  char path[4096];
  snprintf(path, sizeof path, "%s/libmemlens_test_runpath_caller.so", argv[1]);
  void* caller = dlopen(path, RTLD_NOW);
  if (caller == NULL) return 1;
  void* (*open_plugin)(void) = (void* (*)(void))dlsym(caller, "open_plugin");
  for (int i = 0; i < 2; i++) {
    void* plugin = open_plugin();
    if (plugin == NULL) return 2;
    void* (*allocate)(size_t) = (void* (*)(size_t))dlsym(plugin, "plugin_allocate");
    allocate(1000 + i);
    if (dlclose(plugin) != 0) return 3;
  }
  if (dlopen("libmemlens_test_plugin.so", RTLD_NOW) != NULL) return 4; /* not by our own path */
  return 0;
}
