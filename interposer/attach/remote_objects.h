// What the dynamic loader of another process has loaded, read from the process's memory: files may
// be deleted, or lie in another mount namespace.
#pragma once

#include <cstdint>
#include <string>
#include <vector>

#include "interposer/attach/remote_process.h"

namespace memlens::attach {

struct RemoteObject {
  uint64_t link_map = 0;  // its address there
  uint64_t base = 0;
  uint64_t dynamic = 0;
  std::string name;
  bool operator==(const RemoteObject&) const = default;
};

struct LoadedObjects {
  std::vector<RemoteObject> objects;  // the program first
  uint64_t loader_state_address = 0;  // of r_debug's r_state
};

// Two equal readings, with nothing under way. Empty: not started yet, or no dynamic program, or
// the loader is busy all the time (then `loader_busy` is true).
LoadedObjects read_loaded_objects(const RemoteProcess& process, bool& loader_busy);

// Whether the loader adds or removes an object just now.
bool loader_is_busy(const RemoteProcess& process, const LoadedObjects& loaded);

// By the object's GNU hash table. 0: it does not define the name.
uint64_t symbol_address(const RemoteProcess& process, const RemoteObject& object, const char* name,
                        uint64_t* size = nullptr);

// By the first object that defines it.
uint64_t symbol_address(const RemoteProcess& process, const LoadedObjects& loaded,
                        const char* name);

}  // namespace memlens::attach
