/* What a C or C++ program may say to the recording it is in.

   Header-only, and nothing to link with. Where nothing records, each of these is one load and a
   branch that is not taken.

     memlens_mark("cache is warm");            a moment that reports and the page show by name
     memlens_range_begin("request 17");        what lies between the two is measured by itself:
     memlens_range_end("request 17");          memlens ranges app.mlens
     memlens_enabled()                         1: what this process allocates is being recorded

   From any thread; not from a signal handler. A name has at most 1,024 bytes.

   An allocator of the program's own is a pool, a heap of its own name in every report:

     static memlens_pool pool = MEMLENS_POOL("render arena");
     memlens_pool_alloc(&pool, block, bytes);            after the pool has made the block
     memlens_pool_free(&pool, block);                    before the pool takes it back
     memlens_pool_resize(&pool, block, to, bytes);       moved or not; before others can get `block`
     memlens_pool_reset(&pool);                          all of its blocks are freed, at once
     MEMLENS_SLAB(slab = malloc(65536));                 what the pool cuts its blocks from: not
     MEMLENS_SLAB(free(slab));                           counted, since the blocks are

   A pool is told apart by its address, and named by its name: a thousand pools of one name are one
   heap. Do not copy one that is in use. Reset it before its memory becomes something else. From any
   thread; what is reported of a pool by several threads at once is in the order of the reports.
   docs/pools.md has more.

   A recording of this process from here to there, whether memlens started it or not:

     const char* problem = memlens_start("part.mlens", NULL);       NULL, or what is wrong, in words
     problem = memlens_stop();

   It takes the memlens program, on PATH or as MEMLENS_PROGRAM names it, which is started as a
   child. Not within a recording, or twice. With glibc before 2.34, link with -ldl for these two. */
#ifndef MEMLENS_H
#define MEMLENS_H

#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#if defined(__linux__)
#include <dlfcn.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>
#endif

#define MEMLENS_LONGEST_NAME 1024
#define MEMLENS_LONGEST_POOL_NAME 51

#ifdef __cplusplus
extern "C" {
#endif

/* ---- what memlens and the program have in common. Only ever added to. */

/* Write MEMLENS_POOL("name") into it, or call memlens_pool_init(). */
typedef struct memlens_pool {
  unsigned long state; /* memlens's: what the pool is in the present recording */
  unsigned int samples;
  char name[MEMLENS_LONGEST_POOL_NAME + 1];
} memlens_pool;

#define MEMLENS_POOL(name) \
  { 0, 0, name }

/* On the stack of whoever begins it, until it ends. */
typedef struct memlens_slab {
  void* memory[4];
} memlens_slab;

struct memlens_calls_ {
  const unsigned int* state; /* MEMLENS_RECORDED_, or something else */
  void (*mark)(const char*);
  int (*wake)(void);
  void (*slab_begin)(memlens_slab*);
  void (*slab_end)(memlens_slab*);
  void (*pool_alloc)(memlens_pool*, const void*, size_t);
  void (*pool_free)(memlens_pool*, const void*);
  void (*pool_resize)(memlens_pool*, const void*, const void*, size_t);
  void (*pool_reset)(memlens_pool*);
};
#define MEMLENS_RECORDED_ 2u

#if defined(__linux__) && defined(__ELF__) && defined(__LP64__) && !defined(MEMLENS_DISABLE)

/* One in each program and library that includes this. memlens finds it by a note beside it,
   whenever it comes to the process, and writes into it where its functions are; so nothing is
   looked up, and nothing need be exported. The assembler's, since compilers that see the whole
   program rename and drop what they believe nobody needs. */
struct memlens_gate_ {
  unsigned long magic;
  const struct memlens_calls_* calls;
  /* Of a recording that was started here. */
  int recorder; /* its process; 0: none; -1: it is being started or stopped */
  int owner;    /* who started it: a forked child did not */
  int words;    /* what it says comes here */
  int reserved;
};
extern struct memlens_gate_ memlens_gate_1 __attribute__((visibility("hidden")));
__asm__(
    ".ifndef memlens_gate_1\n"
    ".pushsection .data.memlens_gate_1,\"awG\",@progbits,memlens_gate_1,comdat\n"
    ".balign 8\n"
    ".weak memlens_gate_1\n"
    ".hidden memlens_gate_1\n"
    ".type memlens_gate_1,@object\n"
    ".size memlens_gate_1,32\n"
    "memlens_gate_1:\n"
    ".quad 0x65746167736e656d,0,0,0\n"
    ".popsection\n"
    ".pushsection .note.memlens,\"a\",@note\n"
    ".balign 4\n"
    ".long 8,8,1\n"
    ".asciz \"memlens\"\n"
    ".quad memlens_gate_1-.\n"
    ".popsection\n"
    ".endif\n");

#define MEMLENS_INLINE_ static inline __attribute__((always_inline))

MEMLENS_INLINE_ const struct memlens_calls_* memlens_calls_(void) {
  return __atomic_load_n(&memlens_gate_1.calls, __ATOMIC_ACQUIRE);
}

#else

#define MEMLENS_INLINE_ static inline
MEMLENS_INLINE_ const struct memlens_calls_* memlens_calls_(void) { return NULL; }

#endif

/* NULL: nothing records. */
MEMLENS_INLINE_ const struct memlens_calls_* memlens_recording_(void) {
  const struct memlens_calls_* calls = memlens_calls_();
  if (__builtin_expect(calls == NULL, 1)) return NULL;
  return __atomic_load_n(calls->state, __ATOMIC_ACQUIRE) == MEMLENS_RECORDED_ ? calls : NULL;
}

/* ---- moments and ranges */

MEMLENS_INLINE_ int memlens_recorded_(void) { return memlens_recording_() != NULL; }
#define memlens_enabled() memlens_recorded_()

MEMLENS_INLINE_ void memlens_name_moment_(const char* name) {
  const struct memlens_calls_* calls = memlens_recording_();
  if (calls != NULL) calls->mark(name);
}
#define memlens_mark(name) memlens_name_moment_(name)

MEMLENS_INLINE_ void memlens_range_begin(const char* name) { memlens_name_moment_(name); }

MEMLENS_INLINE_ void memlens_range_end(const char* name) {
  char mark[MEMLENS_LONGEST_NAME + 1];
  const struct memlens_calls_* calls = memlens_recording_();
  if (calls == NULL) return;
  snprintf(mark, sizeof mark, "%s (end)", name);
  calls->mark(mark);
}

/* ---- pools */

/* For names that are made at run time; what is longer than MEMLENS_LONGEST_POOL_NAME is cut. */
MEMLENS_INLINE_ void memlens_pool_init(memlens_pool* pool, const char* name) {
  size_t bytes = strlen(name);
  if (bytes > MEMLENS_LONGEST_POOL_NAME) bytes = MEMLENS_LONGEST_POOL_NAME;
  pool->state = 0;
  pool->samples = 0;
  memset(pool->name, 0, sizeof pool->name);
  memcpy(pool->name, name, bytes);
}

MEMLENS_INLINE_ void memlens_pool_alloc(memlens_pool* pool, const void* block, size_t bytes) {
  const struct memlens_calls_* calls = memlens_recording_();
  if (calls != NULL) calls->pool_alloc(pool, block, bytes);
}

MEMLENS_INLINE_ void memlens_pool_free(memlens_pool* pool, const void* block) {
  const struct memlens_calls_* calls = memlens_recording_();
  if (calls != NULL) calls->pool_free(pool, block);
}

MEMLENS_INLINE_ void memlens_pool_resize(memlens_pool* pool, const void* block, const void* to,
                                         size_t bytes) {
  const struct memlens_calls_* calls = memlens_recording_();
  if (calls != NULL) calls->pool_resize(pool, block, to, bytes);
}

MEMLENS_INLINE_ void memlens_pool_reset(memlens_pool* pool) {
  const struct memlens_calls_* calls = memlens_recording_();
  if (calls != NULL) calls->pool_reset(pool);
}

/* What the thread allocates and frees between the two, by whatever allocator, is in no number. Both
   in one function; MEMLENS_SLAB puts them around a statement, however that is left. */
MEMLENS_INLINE_ void memlens_slab_begin(memlens_slab* slab) {
  const struct memlens_calls_* calls = memlens_calls_();
  slab->memory[0] = NULL;
  slab->memory[1] = NULL;
  slab->memory[2] = (void*)(size_t)calls;
  if (__builtin_expect(calls != NULL, 0)) calls->slab_begin(slab);
}

MEMLENS_INLINE_ void memlens_slab_end(memlens_slab* slab) {
  const struct memlens_calls_* calls = (const struct memlens_calls_*)slab->memory[2];
  if (__builtin_expect(calls != NULL, 0)) calls->slab_end(slab);
}

#ifdef __cplusplus
#define MEMLENS_SLAB(...)                     \
  do {                                        \
    ::memlens::SlabScope memlens_slab_scope_; \
    __VA_ARGS__;                              \
  } while (0)
#else
#define MEMLENS_SLAB(...)                                                           \
  do {                                                                              \
    memlens_slab memlens_slab_scope_ __attribute__((cleanup(memlens_slab_close_))); \
    memlens_slab_begin(&memlens_slab_scope_);                                       \
    __VA_ARGS__;                                                                    \
  } while (0)
static inline void memlens_slab_close_(memlens_slab* slab) { memlens_slab_end(slab); }
#endif

/* ---- a recording of this process */

#if defined(__linux__) && defined(__ELF__) && defined(__LP64__) && !defined(MEMLENS_DISABLE)

#define MEMLENS_PATIENCE_MS_ 30000
#if !defined(__cplusplus) && !defined(__USE_POSIX)
extern int kill(int process, int signal_number); /* signal.h hides it from strict C */
#endif
extern char** environ;

/* The first line of what the child has said, which has ended, without "memlens: "; as text that
   stays until the next call. (Another child may hold the other end for long: an end is not waited
   for.) */
static inline const char* memlens_last_words_(int words, const char* otherwise) {
  static char text[512];
  const char* first = text;
  size_t bytes = 0;
  fcntl(words, F_SETFL, O_NONBLOCK);
  while (bytes < sizeof text - 1) {
    const ssize_t got = read(words, text + bytes, sizeof text - 1 - bytes);
    if (got < 0 && errno == EINTR) continue;
    if (got <= 0) break;
    bytes += (size_t)got;
  }
  close(words);
  text[bytes] = '\0';
  text[strcspn(text, "\n")] = '\0';
  if (strncmp(first, "memlens: ", 9) == 0) first += 9;
  return *first != '\0' ? first : otherwise;
}

/* Starts `arguments` with its descriptor `from` leading to `*words`. 0, or an error number. */
static inline int memlens_spawn_(char** arguments, int from, pid_t* child, int* words) {
  posix_spawn_file_actions_t files;
  posix_spawnattr_t attributes;
  int ends[2];
  int status;
  int i;
  if (pipe(ends) != 0) return errno;
  for (i = 0; i < 2; ++i) fcntl(ends[i], F_SETFD, FD_CLOEXEC);
  posix_spawn_file_actions_init(&files);
  posix_spawnattr_init(&attributes);
  posix_spawn_file_actions_addopen(&files, 0, "/dev/null", O_RDONLY, 0);
  for (i = 1; i < 3; ++i) {
    if (i == from) {
      posix_spawn_file_actions_adddup2(&files, ends[1], i);
    } else {
      posix_spawn_file_actions_addopen(&files, i, "/dev/null", O_WRONLY, 0);
    }
  }
  /* What the terminal sends to the program is not for it. */
  posix_spawnattr_setpgroup(&attributes, 0);
  posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETPGROUP);
  status = posix_spawnp(child, arguments[0], &files, &attributes, arguments, environ);
  posix_spawn_file_actions_destroy(&files);
  posix_spawnattr_destroy(&attributes);
  close(ends[1]);
  if (status != 0) {
    close(ends[0]);
  } else {
    *words = ends[0];
  }
  return status;
}

/* Whether the child has ended, and with what; `code` is -1 where somebody else has asked for it. */
static inline int memlens_has_ended_(pid_t child, int wait, int* code) {
  int status = 0;
  pid_t found;
  do {
    found = waitpid(child, &status, wait ? 0 : WNOHANG);
  } while (found < 0 && errno == EINTR);
  if (found == 0) return 0;
  *code = found != child ? -1 : WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  return 1;
}

/* memlens_wake() of the library, which is brought in where it is not there yet. NULL: `*problem`.
 */
static inline int (*memlens_waker_(char* program, const char** problem))(void) {
  static char option[] = "--where-library";
  static char attach[] = "attach";
  static char nobody[] = "1";
  char* arguments[5];
  char path[4096];
  const char* said;
  void* library;
  void* found;
  int (*wake)(void) = NULL;
  int words = -1;
  int code = 0;
  pid_t child = 0;
  if (memlens_calls_() != NULL) return memlens_calls_()->wake;
  arguments[0] = program;
  arguments[1] = attach;
  arguments[2] = nobody;
  arguments[3] = option;
  arguments[4] = NULL;
  code = memlens_spawn_(arguments, 1, &child, &words);
  if (code != 0) {
    *problem = code == ENOENT ? "no memlens program on PATH; MEMLENS_PROGRAM may name one"
                              : "the memlens program cannot be started";
    return NULL;
  }
  memlens_has_ended_(child, 1, &code);
  said = memlens_last_words_(words, "");
  snprintf(path, sizeof path, "%s", said);
  if (path[0] != '/') {
    *problem = "the memlens program found no libmemlens.so beside it; reinstall memlens";
    return NULL;
  }
  library = dlopen(path, RTLD_NOW | RTLD_LOCAL);
  found = library != NULL ? dlsym(library, "memlens_wake") : NULL;
  if (found == NULL) {
    *problem = "libmemlens.so cannot be loaded into this process";
    return NULL;
  }
  memcpy(&wake, &found, sizeof wake);
  return wake;
}

static inline const char* memlens_begin_(const char* capture, const char* const* options) {
  static char unnamed[] = "memlens";
  static char attach[] = "attach", wakes[] = "--wakes-itself", output[] = "-o";
  const char* problem = NULL;
  char* arguments[64];
  char own[24];
  char* program = getenv("MEMLENS_PROGRAM");
  int (*wake)(void);
  int count = 0;
  int words = -1;
  int code = 0;
  int round;
  pid_t child = 0;
  if (program == NULL || *program == '\0') program = unnamed;
  if (memlens_recorded_()) {
    return "this process is being recorded already; mark what is to be seen with "
           "memlens_range_begin()";
  }
  wake = memlens_waker_(program, &problem);
  if (wake == NULL) return problem;
  wake(); /* a forked child gets a gate of its own */
  if (memlens_recorded_()) {
    return "this process is being recorded already; mark what is to be seen with "
           "memlens_range_begin()";
  }
  snprintf(own, sizeof own, "%d", (int)getpid());
  arguments[count++] = program;
  arguments[count++] = attach;
  arguments[count++] = own;
  arguments[count++] = wakes;
  arguments[count++] = output;
  memcpy(&arguments[count++], &capture, sizeof capture);
  for (; options != NULL && *options != NULL; ++options) {
    if (count == 63) return "too many options";
    memcpy(&arguments[count++], options, sizeof *options);
  }
  arguments[count] = NULL;
  code = memlens_spawn_(arguments, 2, &child, &words);
  if (code != 0) return "the memlens program cannot be started";
  for (round = 0; !wake(); ++round) {
    if (round == MEMLENS_PATIENCE_MS_) kill(child, SIGKILL);
    if (memlens_has_ended_(child, round == MEMLENS_PATIENCE_MS_, &code)) {
      return memlens_last_words_(words, "memlens attach ended, and said nothing");
    }
    poll(NULL, 0, 1);
  }
  memlens_gate_1.words = words;
  memlens_gate_1.owner = (int)getpid();
  __atomic_store_n(&memlens_gate_1.recorder, (int)child, __ATOMIC_RELEASE);
  return NULL;
}

/* Records this process into a file from now on, as `memlens attach` does, with its options
   ({"--sample", "512K", NULL}; NULL: none). NULL: it does; else why not, as text that stays until
   the next call of one of the two. Not from a signal handler. */
static inline const char* memlens_start(const char* capture, const char* const* options) {
  const char* problem;
  int recorder = __atomic_load_n(&memlens_gate_1.recorder, __ATOMIC_ACQUIRE);
  /* A forked child has its parent's. */
  if (recorder != 0 && memlens_gate_1.owner != (int)getpid() && memlens_gate_1.owner != 0) {
    if (recorder > 0) close(memlens_gate_1.words);
    __atomic_store_n(&memlens_gate_1.recorder, recorder = 0, __ATOMIC_RELEASE);
  }
  if (recorder > 0 && !memlens_recorded_()) {
    return "the recording that was started before has ended; call memlens_stop() first";
  }
  if (recorder != 0 || !__atomic_compare_exchange_n(&memlens_gate_1.recorder, &recorder, -1, 0,
                                                    __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE)) {
    return "this process is being recorded already; mark what is to be seen with "
           "memlens_range_begin()";
  }
  memlens_gate_1.owner = (int)getpid();
  problem = memlens_begin_(capture, options);
  if (problem != NULL) __atomic_store_n(&memlens_gate_1.recorder, 0, __ATOMIC_RELEASE);
  return problem;
}

/* Ends it. The capture is complete when this returns NULL; else what is wrong with it. */
static inline const char* memlens_stop(void) {
  const struct memlens_calls_* calls = memlens_calls_();
  const char* problem;
  int ended;
  int round;
  int code = 0;
  int recorder = __atomic_load_n(&memlens_gate_1.recorder, __ATOMIC_ACQUIRE);
  if (recorder <= 0 || memlens_gate_1.owner != (int)getpid() ||
      !__atomic_compare_exchange_n(&memlens_gate_1.recorder, &recorder, -1, 0, __ATOMIC_ACQ_REL,
                                   __ATOMIC_ACQUIRE)) {
    return "no recording was started here";
  }
  ended = memlens_has_ended_(recorder, 0, &code);
  if (!ended) kill(recorder, SIGINT);
  /* The hooks are taken out at once, and what is done here from now on is not recorded. */
  for (round = 0; calls != NULL && calls->wake() && round < MEMLENS_PATIENCE_MS_; ++round) {
    poll(NULL, 0, 1);
  }
  if (!ended) memlens_has_ended_(recorder, 1, &code);
  problem = memlens_last_words_(memlens_gate_1.words, "memlens attach failed, and said nothing");
  __atomic_store_n(&memlens_gate_1.recorder, 0, __ATOMIC_RELEASE);
  return code <= 0 ? NULL : problem;
}

#else

static inline const char* memlens_start(const char* capture, const char* const* options) {
  (void)capture;
  (void)options;
  return "this program was built without memlens (memlens.h)";
}
static inline const char* memlens_stop(void) { return "no recording was started here"; }

#endif

#ifdef __cplusplus
}

namespace memlens {

/* The same for a C++ scope, exceptions included. */
class SlabScope {
 public:
  SlabScope() { memlens_slab_begin(&slab_); }
  ~SlabScope() { memlens_slab_end(&slab_); }
  SlabScope(const SlabScope&) = delete;
  SlabScope& operator=(const SlabScope&) = delete;

 private:
  memlens_slab slab_;
};

}  // namespace memlens
#endif

#endif
