// The asking side of a Unix socket that hands out a descriptor (send_descriptor.h is the other). As
// in system_call.h: no libc state but errno, no cancellation point, any context.
#pragma once

#include <sys/socket.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <sys/un.h>
#include <unistd.h>

#include <cstddef>
#include <cstring>

namespace memlens::interposer::system_call {

// Of the abstract name, waiting for an answer no longer than `seconds`. -1: nobody is there.
inline int connect_to_abstract_socket(const char* name, int seconds) {
  const auto fd = static_cast<int>(syscall(SYS_socket, AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0));
  if (fd < 0) return -1;
  sockaddr_un address{};
  address.sun_family = AF_UNIX;
  const size_t length = std::strlen(name);
  if (length + 1 < sizeof address.sun_path) {
    std::memcpy(address.sun_path + 1, name, length);
    const timeval timeout{seconds, 0};
    syscall(SYS_setsockopt, fd, SOL_SOCKET, SO_RCVTIMEO, &timeout, sizeof timeout);
    const size_t address_bytes = offsetof(sockaddr_un, sun_path) + 1 + length;
    if (syscall(SYS_connect, fd, &address, address_bytes) == 0) return fd;
  }
  syscall(SYS_close, fd);
  return -1;
}

// The descriptor that comes with the next byte; close-on-exec. -1: none came.
inline int receive_descriptor(int socket_fd) {
  char byte;
  iovec data{&byte, 1};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &data;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  if (syscall(SYS_recvmsg, socket_fd, &message, MSG_CMSG_CLOEXEC) <= 0) return -1;
  const cmsghdr* header = CMSG_FIRSTHDR(&message);
  if (header == nullptr || header->cmsg_type != SCM_RIGHTS) return -1;
  int fd;
  std::memcpy(&fd, CMSG_DATA(header), sizeof fd);
  return fd;
}

}  // namespace memlens::interposer::system_call
