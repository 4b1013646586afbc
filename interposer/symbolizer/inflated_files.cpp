#include <fcntl.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <cstring>

#include "interposer/symbolizer/inflated_file.h"

namespace memlens::symbolizer {
FileIdentity FileIdentity::of(int descriptor) {
  struct stat status;
  FileIdentity identity;
  if (fstat(descriptor, &status) != 0) return identity;
  identity.device = status.st_dev;
  identity.inode = status.st_ino;
  identity.size_bytes = static_cast<uint64_t>(status.st_size);
  identity.modified[0] = status.st_mtim.tv_sec;
  identity.modified[1] = status.st_mtim.tv_nsec;
  identity.changed[0] = status.st_ctim.tv_sec;
  identity.changed[1] = status.st_ctim.tv_nsec;
  return identity;
}

InflatedFiles::~InflatedFiles() {
  for (const Entry& entry : entries_) {
    if (entry.copy >= 0) close(entry.copy);
  }
}

int InflatedFiles::find(int descriptor) {
  const FileIdentity identity = FileIdentity::of(descriptor);
  if (identity == FileIdentity()) return -1;
  const std::lock_guard<std::mutex> guard(mutex_);
  while (receive(0)) {
  }
  const auto entry = [&] { return std::ranges::find(entries_, identity, &Entry::identity); };
  if (entry() == entries_.end()) return -1;
  if (entry()->copy < 0) receive(patience_milliseconds_);
  return entry()->copy < 0 ? -1 : fcntl(entry()->copy, F_DUPFD_CLOEXEC, 0);
}

bool InflatedFiles::receive(int wait_milliseconds) {
  if (socket_ < 0) return false;
  pollfd ready{socket_, POLLIN, 0};
  if (poll(&ready, 1, wait_milliseconds) != 1 || (ready.revents & POLLIN) == 0) return false;
  Entry entry;
  iovec content{&entry.identity, sizeof entry.identity};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))];
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  message.msg_control = control;
  message.msg_controllen = sizeof control;
  const ssize_t size = recvmsg(socket_, &message, MSG_CMSG_CLOEXEC | MSG_DONTWAIT);
  if (size < 0 && errno == EINTR) return true;
  const cmsghdr* rights = size > 0 ? CMSG_FIRSTHDR(&message) : nullptr;
  if (rights != nullptr && rights->cmsg_type == SCM_RIGHTS) {
    std::memcpy(&entry.copy, CMSG_DATA(rights), sizeof entry.copy);
  }
  if (size != sizeof entry.identity) {  // the end, or not the sender's
    if (entry.copy >= 0) close(entry.copy);
    socket_ = -1;
    return false;
  }
  const auto known = std::ranges::find(entries_, entry.identity, &Entry::identity);
  if (known == entries_.end()) {
    entries_.push_back(entry);
  } else if (known->copy < 0) {
    known->copy = entry.copy;
  } else if (entry.copy >= 0) {
    close(entry.copy);
  }
  return true;
}

bool InflatedFiles::send(int socket, const FileIdentity& identity, int copy) {
  FileIdentity sent = identity;
  iovec content{&sent, sizeof sent};
  alignas(cmsghdr) char control[CMSG_SPACE(sizeof(int))] = {};
  msghdr message{};
  message.msg_iov = &content;
  message.msg_iovlen = 1;
  if (copy >= 0) {
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    cmsghdr* rights = CMSG_FIRSTHDR(&message);
    rights->cmsg_level = SOL_SOCKET;
    rights->cmsg_type = SCM_RIGHTS;
    rights->cmsg_len = CMSG_LEN(sizeof copy);
    std::memcpy(CMSG_DATA(rights), &copy, sizeof copy);
  }
  return sendmsg(socket, &message, MSG_NOSIGNAL | MSG_DONTWAIT) == sizeof sent;
}

}  // namespace memlens::symbolizer
