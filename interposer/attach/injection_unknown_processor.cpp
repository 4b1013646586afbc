// Where there is no processor_<name>.cpp, only what has loaded the library itself can be recorded.
#include "interposer/attach/attach_error.h"
#include "interposer/attach/injection.h"

namespace memlens::attach {

Injection::Injection(pid_t pid, const char* symbol) : process_(pid), symbol_(symbol) {
  throw AttachError(
      "cannot be attached to: that is not supported on this processor yet; start it with "
      "`memlens run --dormant`");
}
Injection::~Injection() {}
void Injection::start() {}
void Injection::load(const std::string&) {}
bool Injection::is_loaded_late() const { return false; }
uint64_t Injection::scratch() const { return 0; }
int64_t Injection::make_system_call(const SystemCall&) { return -1; }
void Injection::call() {}
bool Injection::is_calling() { return false; }
void Injection::end() {}

}  // namespace memlens::attach
