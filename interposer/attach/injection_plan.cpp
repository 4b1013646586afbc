#include "interposer/attach/injection_plan.h"

#include <elf.h>
#include <link.h>

#include <algorithm>
#include <cstring>

#include "interposer/attach/attach_error.h"
#include "interposer/attach/worker.h"

namespace memlens::attach {
namespace {

constexpr uint64_t kPage = 4096;
constexpr uint64_t kStackBytes = 256 << 10;
constexpr uint64_t kContextBytes = 8 << 10;
static_assert(sizeof(Context) <= kContextBytes);
// Libraries that are opened later find room for their static TLS there.
constexpr uint64_t kSpareTlsBytes = 8 << 10;
constexpr uint64_t kMostTlsBytes = 4 << 20;

uint64_t rounded_up(uint64_t bytes) { return (bytes + kPage - 1) & ~(kPage - 1); }

[[noreturn]] void refuse_old_libc() {
  throw AttachError(
      "has a glibc older than 2.34, which tells too little of its threads; start it with `memlens "
      "run --dormant`");
}

// Before glibc 2.34, in libraries of their own that need not be there.
uint64_t needed(const RemoteProcess& process, const InjectionPlan& plan, const char* name) {
  const uint64_t address = symbol_address(process, plan.loaded, name);
  if (address == 0) refuse_old_libc();
  return address;
}

// One of the descriptions of structures that glibc has for debuggers: {size, count, offset}.
uint64_t described_offset(const RemoteProcess& process, const InjectionPlan& plan,
                          const char* name) {
  return process.value<uint32_t>(needed(process, plan, name) + 2 * sizeof(uint32_t));
}

// The initialized part of an object's thread-local variables.
std::string tls_image(const RemoteProcess& process, const RemoteObject& object, bool is_program) {
  uint64_t headers = process.auxiliary_value(AT_PHDR);
  uint64_t count = process.auxiliary_value(AT_PHNUM);
  if (!is_program) {
    const auto header = process.value<ElfW(Ehdr)>(object.base);
    if (std::memcmp(header.e_ident, ELFMAG, SELFMAG) != 0) return {};
    headers = object.base + header.e_phoff;
    count = header.e_phnum;
  }
  for (uint64_t i = 0; i < count; ++i) {
    const auto segment = process.value<ElfW(Phdr)>(headers + i * sizeof(ElfW(Phdr)));
    if (segment.p_type != PT_TLS || segment.p_filesz > kMostTlsBytes) continue;
    std::string image(segment.p_filesz, '\0');
    process.read(object.base + segment.p_vaddr, image.data(), image.size());
    return image;
  }
  return {};
}

void find_static_tls(const RemoteProcess& process, InjectionPlan& plan) {
  const uint64_t offset_in_map =
      described_offset(process, plan, "_thread_db_link_map_l_tls_offset");
  uint64_t deepest = 0;
  for (const RemoteObject& object : plan.loaded.objects) {
    const auto offset = process.value<uint64_t>(object.link_map + offset_in_map);
    if (offset == 0 || offset > kMostTlsBytes) continue;  // none, or not static
    deepest = std::max(deepest, offset);
    std::string image = tls_image(process, object, &object == &plan.loaded.objects.front());
    if (image.empty() || image.size() > offset) continue;
    plan.tls_images.push_back({offset, std::move(image)});
  }
  plan.tls_bytes = rounded_up(deepest) + kSpareTlsBytes;
}

void find_allocator(const RemoteProcess& process, InjectionPlan& plan) {
  // libc's malloc is one file; its local functions lie around these.
  constexpr uint64_t kBefore = 24 << 10, kBehind = 4 << 10;
  const auto libc = std::find_if(plan.loaded.objects.begin(), plan.loaded.objects.end(),
                                 [&](const RemoteObject& object) {
                                   return symbol_address(process, object, "__libc_malloc") != 0;
                                 });
  if (libc == plan.loaded.objects.end()) return;
  uint64_t first = ~uint64_t{0}, last = 0;
  for (const char* name : {"malloc", "free", "calloc", "realloc", "memalign", "malloc_trim",
                           "malloc_usable_size", "posix_memalign", "malloc_info"}) {
    uint64_t size = 0;
    const uint64_t address = symbol_address(process, *libc, name, &size);
    if (address == 0) continue;
    first = std::min(first, address);
    last = std::max(last, address + size);
  }
  if (last != 0) plan.allocator = {first - kBefore, last + kBehind};
}

uint64_t find_system_call_instruction(const RemoteProcess& process,
                                      const std::vector<Mapping>& mappings) {
  const auto wanted = system_call_instruction();
  // The kernel's own page first: it is small.
  for (const char* name : {"[vdso]", "/ld-linux", "/libc"}) {
    for (const Mapping& mapping : mappings) {
      if (!mapping.executable || mapping.path.find(name) == std::string::npos) continue;
      std::vector<unsigned char> code(mapping.end - mapping.start);
      if (!process.read(mapping.start, code.data(), code.size())) continue;
      const auto found = std::search(code.begin(), code.end(), wanted.begin(), wanted.end());
      if (found != code.end()) return mapping.start + static_cast<uint64_t>(found - code.begin());
    }
  }
  throw AttachError("has no instruction for system calls where one was looked for");
}

std::optional<WorkArea> find_area(const RemoteProcess& process,
                                  const std::vector<Mapping>& mappings) {
  const auto code = worker_code();
  std::vector<unsigned char> there(code.size());
  for (const Mapping& mapping : mappings) {
    if (!mapping.executable || !mapping.anonymous || mapping.end - mapping.start < kPage) continue;
    if (!process.read(mapping.start, there.data(), there.size())) continue;
    if (!std::equal(code.begin(), code.end(), there.begin())) continue;
    WorkArea area;
    area.code = mapping.start;
    const auto header = process.value<AreaHeader>(area.header());
    area.bytes = header.bytes;
    area.tls_bytes = header.tls_bytes;
    if (area.tls_bytes != 0 && area.bytes == area_bytes(area.tls_bytes)) return area;
  }
  return {};
}

}  // namespace

// The page in front of the code keeps it apart from other mappings.
uint64_t area_bytes(uint64_t tls_bytes) {
  return kPage + kPage + kPage + kStackBytes + tls_bytes + kThreadBlockBytes + kDtvBytes +
         kContextBytes;
}

uint64_t WorkArea::header() const { return code + kPage; }
uint64_t WorkArea::stack_top() const { return header() + kPage + kStackBytes - 256; }
uint64_t WorkArea::thread_pointer() const { return header() + kPage + kStackBytes + tls_bytes; }
uint64_t WorkArea::context() const { return thread_pointer() + kThreadBlockBytes + kDtvBytes; }

InjectionPlan plan_injection(const RemoteProcess& process, const char* wake_symbol) {
  InjectionPlan plan;
  const std::vector<Mapping> mappings = process.mappings();
  bool loader_busy = false;
  plan.loaded = read_loaded_objects(process, loader_busy);
  if (loader_busy) throw AttachError("is opening or closing libraries all the time; try again");
  if (plan.loaded.objects.empty()) throw AttachError("has not started yet; try again");
  if (symbol_address(process, plan.loaded, "gnu_get_libc_version") == 0) {
    throw AttachError(
        "has no glibc loaded (static, musl, or not started yet); only programs with glibc can be "
        "recorded");
  }
  plan.pthread_create = needed(process, plan, "pthread_create");
  plan.pthread_self = needed(process, plan, "pthread_self");
  plan.pthread_detach = needed(process, plan, "pthread_detach");
  plan.pthread_attr_init = symbol_address(process, plan.loaded, "pthread_attr_init");
  plan.pthread_attr_setstacksize =
      symbol_address(process, plan.loaded, "pthread_attr_setstacksize");
  plan.dlopen = needed(process, plan, "dlopen");
  plan.dlsym = needed(process, plan, "dlsym");
  plan.dlerror = symbol_address(process, plan.loaded, "dlerror");
  plan.wake = symbol_address(process, plan.loaded, wake_symbol);
  plan.tid_offset = described_offset(process, plan, "_thread_db_pthread_tid");
  if (plan.tid_offset > kThreadBlockBytes / 2)
    throw AttachError("has a libc whose threads are larger than known");
  find_static_tls(process, plan);
  find_allocator(process, plan);
  plan.system_call_instruction = find_system_call_instruction(process, mappings);
  plan.single_threaded_address = symbol_address(process, plan.loaded, "__libc_single_threaded");
  plan.environment_address = symbol_address(process, plan.loaded, "environ");
  for (const Mapping& mapping : mappings) {
    if (mapping.executable && (mapping.path.find("/ld-linux") != std::string::npos ||
                               mapping.path.find("/ld-2.") != std::string::npos)) {
      plan.loader.emplace_back(mapping.start, mapping.end);
    }
  }
  plan.area = find_area(process, mappings);
  return plan;
}

}  // namespace memlens::attach
