// The objects the loader has mapped, without asking the loader.
//
// dl_iterate_phdr takes the loader's lock. Inside someone's malloc that is one lock too many: a
// child forked while another thread held it waits for ever (glibc before 2.35 needs it for each new
// address), and so does a thread whose own lock is wanted by the callback of another's. So this is
// a table of our own, made from the lists that the loader keeps for debuggers (struct r_debug,
// struct link_map), which are read without its lock.
//
// Why that is safe. Three things could go wrong: a node or an object is unmapped while it is read,
// a node's memory has become something else, or the list changes under the reader.
// - dlclose, as programs call it, and a reader exclude each other (UnloadingScope). What libc
//   unloads by itself (character set converters, a dlopen that failed) is not seen, but shows in
//   r_state from before it unmaps until after it frees; nothing is read unless that says that
//   nothing is going on, and each page only after the kernel has read from it. What is left is a
//   reader that loses the processor between asking and reading, for the whole of such an unloading.
// - Nothing is believed for standing in a node. An object is accepted when its memory holds a file
//   header whose program headers put the dynamic section where the node says it is: what is not
//   there is not found, whatever a stale node says.
// - The list is collected twice. What differs between the two, or does not lead back to where the
//   reader came from, was changing, and the table stays as it is until the next time. An object is
//   put into the list when it is mapped and described, and taken out after it is unmapped.
// A forked child has the table it inherited, and a list that nobody changes.
//
// Other namespaces (dlmopen): glibc 2.35 links their lists. Before, their heads are found in the
// loader's own data, by the same rule: what looks like the head of a list is one when an object is
// where it says.
#pragma once

#include <link.h>

#include <cstddef>
#include <cstdint>

namespace memlens::interposer {

// glibc 2.35 and later answer questions about addresses without a lock (_dl_find_object).
bool loader_answers_without_lock();

struct LoadedObject {
  const link_map* link;
  uintptr_t load_bias;
  const ElfW(Dyn) * dynamic;
  const char* name;  // the loader's own; good while the object is loaded
  const ElfW(Phdr) * segments;
  size_t segment_count;
  uintptr_t start;  // of all segments
  uintptr_t end;
};

// While one lives, no thread of this program unloads anything by dlclose, and no other has one.
// Never waits: not held() when another thread reads, or something is being unloaded.
class LoaderReading {
 public:
  LoaderReading();
  ~LoaderReading();
  LoaderReading(const LoaderReading&) = delete;
  LoaderReading& operator=(const LoaderReading&) = delete;
  bool held() const { return held_; }

 private:
  bool held_;
};

// Around a call of dlclose. Waits for a reader, at most about a second: one that was left by a jump
// must not stop the program. Not inside a hook of malloc.
class UnloadingScope {
 public:
  UnloadingScope();
  ~UnloadingScope();
  UnloadingScope(const UnloadingScope&) = delete;
  UnloadingScope& operator=(const UnloadingScope&) = delete;
};

// Around a call of dlopen: constructors of what is in the table already may still have to run.
class OpeningScope {
 public:
  OpeningScope();
  ~OpeningScope();
  OpeningScope(const OpeningScope&) = delete;
  OpeningScope& operator=(const OpeningScope&) = delete;
};
// On any thread.
bool library_is_opening();

// Brings the table up to date. False: it may name what is gone, since objects come or go just now.
// No lock, no allocation but mapped pages; keeps errno.
bool refresh_loader_list(const LoaderReading& reading);

// Goes up with each change of the table.
uint32_t loader_list_generation();

// How many objects, and each of them. For who holds a reading; the order is the loader's.
size_t loaded_object_count();
bool loaded_object_at(size_t index, LoadedObject& object);

// Whether a reading would be held now. Who can do without waits for that: an unloading may itself
// wait for the loader's lock, which this thread may hold.
bool can_read_loader_list();

// Calls `visit` with each object that is loaded now, until it returns true. Hardly waits for a
// reader or an unloading, and then looks at what it sees loaded all the same. Not for who holds a
// reading.
void for_each_loaded_object(bool (*visit)(const LoadedObject& object, void* argument),
                            void* argument);

// Whether the table has the object, by the loader's node of it. Any context.
bool is_listed(const link_map* link);

// Code of this object is in a stack. From inside a hook; tells whoever asked for it last.
void object_is_met(const link_map* link);
void at_object_met(void (*look)(const link_map* link));

// The object whose segments reach over `address`; no reading is needed. An object that has gone
// since is not found. The loader's lists are looked at when none is known, but without a sign of a
// change only once a second: code made at run time is in no list.
bool find_loaded_object(uintptr_t address, LoadedObject& object);

// Calls `act` with the loader's own lock, so that nothing is mapped into its list, and nothing
// unmapped, meanwhile: where dlclose is not hooked, no reading keeps a library from going. Only on
// a thread that may wait for the loader, never inside a hook, and with a ForkHold (fork_hold.h).
void with_loader_stopped(void (*act)(void* argument), void* argument);

// A library may come or go.
void expect_loader_change();

// dlmopen is about to be called.
void expect_namespaces();

// No other thread is reading between the two: around fork.
void hold_loader_readings();
void release_loader_readings();

// In a forked child.
void inherit_loader_list();

}  // namespace memlens::interposer
