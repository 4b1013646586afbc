#include "interposer/attach/descriptor_passing.h"

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cerrno>
#include <cstddef>
#include <cstring>

#include "interposer/attach/attach_error.h"
#include "interposer/platform/pidfd.h"
#include "interposer/platform/send_descriptor.h"

#ifndef SYS_pidfd_getfd
#define SYS_pidfd_getfd 438
#endif

namespace memlens::attach {
namespace {

// What recvmsg fills, in the process's memory.
struct Inbox {
  int pair[2];
  msghdr message;
  iovec data;
  char byte;
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
};

[[noreturn]] void fail(const char* what, int error) {
  throw AttachError(std::string("is in other namespaces, and the recording's memory cannot be "
                                "handed over: ") +
                    what + ": " + strerror(error));
}

int64_t checked(int64_t result, const char* what) {
  if (result < 0) fail(what, static_cast<int>(-result));
  return result;
}

// A socket of the process, as one of ours.
int take_descriptor(pid_t pid, int fd) {
  const auto process = platform::open_pidfd(pid);
  if (process < 0) fail("pidfd_open", errno);
  const auto taken = static_cast<int>(syscall(SYS_pidfd_getfd, process, fd, 0));
  const int error = errno;
  close(process);
  if (taken < 0) fail("pidfd_getfd", error);
  return taken;
}

}  // namespace

int pass_descriptor(Injection& injection, int fd) {
  const RemoteProcess& process = injection.process();
  const uint64_t at = injection.scratch();
  static_assert(sizeof(Inbox) <= Injection::kScratchBytes);
  const uint64_t pair_address = at + offsetof(Inbox, pair);
  checked(injection.make_system_call(
              {SYS_socketpair, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pair_address, 0, 0}),
          "socketpair");
  Inbox inbox{};
  process.read(pair_address, inbox.pair, sizeof inbox.pair);
  const int ours = take_descriptor(process.pid(), inbox.pair[0]);
  const bool sent = platform::send_descriptor(ours, fd, 0);
  const int error = errno;
  close(ours);
  if (!sent) fail("sendmsg", error);
  inbox.data = {reinterpret_cast<void*>(at + offsetof(Inbox, byte)), 1};
  inbox.message.msg_iov = reinterpret_cast<iovec*>(at + offsetof(Inbox, data));
  inbox.message.msg_iovlen = 1;
  inbox.message.msg_control = reinterpret_cast<void*>(at + offsetof(Inbox, control));
  inbox.message.msg_controllen = sizeof inbox.control;
  process.write(at, &inbox, sizeof inbox);
  const int64_t received = injection.make_system_call(
      {SYS_recvmsg, static_cast<uint64_t>(inbox.pair[1]), at + offsetof(Inbox, message),
       MSG_CMSG_CLOEXEC | MSG_DONTWAIT, 0, 0, 0});
  close_there(injection, inbox.pair[0]);
  close_there(injection, inbox.pair[1]);
  checked(received, "recvmsg");
  process.read(at, &inbox, sizeof inbox);
  const auto* rights = reinterpret_cast<const cmsghdr*>(inbox.control);
  if (rights->cmsg_type != SCM_RIGHTS || rights->cmsg_len != CMSG_LEN(sizeof(int)))
    fail("recvmsg", EBADMSG);
  int there = -1;
  std::memcpy(&there, CMSG_DATA(rights), sizeof there);
  return there;
}

void close_there(Injection& injection, int fd) {
  injection.make_system_call({SYS_close, static_cast<uint64_t>(fd), 0, 0, 0, 0, 0});
}

}  // namespace memlens::attach
