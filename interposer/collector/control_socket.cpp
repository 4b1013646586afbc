#include "interposer/collector/control_socket.h"

#include <fcntl.h>
#include <poll.h>
#include <unistd.h>

#include <cerrno>
#include <cinttypes>
#include <cstddef>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <fstream>
#include <optional>
#include <string_view>

#include "interposer/format/metadata_records.h"

namespace memlens::collector {
namespace {

constexpr std::string_view kSoFarRequest = "so far";
constexpr size_t kMaxRequestBytes = format::kMaxMarkBytes + 64;
// The collector looks at its socket every 10 ms; a machine under load takes its time.
constexpr int kAnswerPatienceMs = 3000;
// In one round: a flood of requests must not keep the collector from its chunks.
constexpr int kRequestsARound = 64;

struct Address {
  sockaddr_un value{};
  socklen_t bytes = 0;
};

Address address_of(const std::string& name) {
  Address address;
  address.value.sun_family = AF_UNIX;
  // Abstract: the name begins with a zero byte, and no file has to be cleaned up.
  const size_t length = std::min(name.size(), sizeof address.value.sun_path - 1);
  std::memcpy(address.value.sun_path + 1, name.data(), length);
  address.bytes = static_cast<socklen_t>(offsetof(sockaddr_un, sun_path) + 1 + length);
  return address;
}

// "mark <pid> <name>"; nothing when it is none.
std::optional<MarkRequest> parse_mark(std::string_view text) {
  constexpr std::string_view kWord = "mark ";
  if (!text.starts_with(kWord)) return {};
  text.remove_prefix(kWord.size());
  const size_t space = text.find(' ');
  if (space == std::string_view::npos || space == 0) return {};
  MarkRequest mark;
  mark.pid = atoi(std::string(text.substr(0, space)).c_str());
  mark.name = text.substr(space + 1);
  return mark;
}

// The inode of the segment `pid` has mapped; 0: none, or not to be seen.
uint64_t mapped_segment(int32_t pid) {
  std::ifstream maps("/proc/" + std::to_string(pid) + "/maps");
  for (std::string line; std::getline(maps, line);) {
    if (line.find("/memfd:memlens") == std::string::npos) continue;
    uint64_t inode = 0;
    if (sscanf(line.c_str(), "%*s %*s %*s %*s %" SCNu64, &inode) == 1) return inode;
  }
  return 0;
}

}  // namespace

ControlSocket::ControlSocket(uint64_t nonce) {
  fd_ = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC | SOCK_NONBLOCK, 0);
  if (fd_ < 0) return;
  char name[64];
  snprintf(name, sizeof name, "%s%d-%016" PRIx64, kControlPrefix, getpid(), nonce);
  const Address address = address_of(name);
  const int on = 1;
  if (setsockopt(fd_, SOL_SOCKET, SO_PASSCRED, &on, sizeof on) != 0 ||
      bind(fd_, reinterpret_cast<const sockaddr*>(&address.value), address.bytes) != 0) {
    close(fd_);
    fd_ = -1;
  }
}

ControlSocket::~ControlSocket() {
  if (fd_ >= 0) close(fd_);
}

void ControlSocket::answer(const std::vector<ControlPeer>& peers, const std::string& text) {
  for (const ControlPeer& peer : peers) {
    (void)sendto(fd_, text.data(), text.size(), MSG_DONTWAIT | MSG_NOSIGNAL,
                 reinterpret_cast<const sockaddr*>(&peer.address), peer.bytes);
  }
}

std::string ControlSocket::answer_to(std::string_view request, bool allowed,
                                     std::vector<MarkRequest>& marks) {
  if (!allowed) return "error the recording is another user's";
  if (request == "stop") {
    stop_requested_ = true;
    return "ok";
  }
  if (request == "rotate") {
    if (!rotation_refusal_.empty()) return "error " + rotation_refusal_;
    rotation_requested_ = true;
    return "ok";
  }
  std::optional<MarkRequest> mark = parse_mark(request);
  if (!mark) return "error this memlens does not know that request";
  if (mark->name.empty()) return "error a mark needs a name";
  if (mark->name.size() > format::kMaxMarkBytes) return "error the mark's name is too long";
  marks.push_back(std::move(*mark));
  return "ok";
}

ControlRequests ControlSocket::receive() {
  ControlRequests requests;
  for (int i = 0; fd_ >= 0 && i < kRequestsARound; ++i) {
    char text[kMaxRequestBytes];
    iovec data{text, sizeof text};
    alignas(cmsghdr) char control[CMSG_SPACE(sizeof(ucred))] = {};
    sockaddr_un sender{};
    msghdr message{};
    message.msg_name = &sender;
    message.msg_namelen = sizeof sender;
    message.msg_iov = &data;
    message.msg_iovlen = 1;
    message.msg_control = control;
    message.msg_controllen = sizeof control;
    const ssize_t length = recvmsg(fd_, &message, MSG_DONTWAIT | MSG_CMSG_CLOEXEC);
    if (length < 0) break;
    bool allowed = false;
    for (cmsghdr* part = CMSG_FIRSTHDR(&message); part != nullptr;
         part = CMSG_NXTHDR(&message, part)) {
      if (part->cmsg_level != SOL_SOCKET || part->cmsg_type != SCM_CREDENTIALS) continue;
      ucred peer{};
      std::memcpy(&peer, CMSG_DATA(part), sizeof peer);
      allowed = peer.uid == geteuid() || peer.uid == 0;
    }
    const bool whole = (message.msg_flags & MSG_TRUNC) == 0;
    const ControlPeer peer{sender, message.msg_namelen};
    const std::string_view request(text, static_cast<size_t>(length));
    if (whole && allowed && request == kSoFarRequest) {
      requests.so_far.push_back(peer);
      continue;
    }
    answer({peer}, whole ? answer_to(request, allowed, requests.marks)
                         : "error the mark's name is too long");
  }
  return requests;
}

bool ask_recording(const std::string& socket_name, const std::string& request,
                   std::string& answer) {
  const int fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
  const auto fail = [&](const std::string& reason) {
    answer = reason;
    if (fd >= 0) close(fd);
    return false;
  };
  if (fd < 0) return fail(strerror(errno));
  // An address of the kernel's choice, for the answer to come to.
  sockaddr_un own{};
  own.sun_family = AF_UNIX;
  if (bind(fd, reinterpret_cast<const sockaddr*>(&own), sizeof own.sun_family) != 0) {
    return fail(strerror(errno));
  }
  const Address address = address_of(socket_name);
  if (sendto(fd, request.data(), request.size(), MSG_NOSIGNAL,
             reinterpret_cast<const sockaddr*>(&address.value), address.bytes) < 0) {
    return fail(errno == ECONNREFUSED ? "the recording has just ended" : strerror(errno));
  }
  pollfd waiting{fd, POLLIN, 0};
  if (poll(&waiting, 1, kAnswerPatienceMs) != 1) return fail("the recording does not answer");
  char text[256];
  const ssize_t length = recv(fd, text, sizeof text, 0);
  if (length <= 0) return fail("the recording does not answer");
  const std::string_view said(text, static_cast<size_t>(length));
  constexpr std::string_view kError = "error ";
  if (said != "ok") {
    return fail(std::string(said.starts_with(kError) ? said.substr(kError.size()) : said));
  }
  close(fd);
  answer.clear();
  return true;
}

std::vector<RunningRecording> running_recordings() {
  std::vector<RunningRecording> found;
  std::ifstream sockets("/proc/net/unix");
  for (std::string line; std::getline(sockets, line);) {
    const size_t at = line.find(std::string("@") + kControlPrefix);
    if (at == std::string::npos) continue;
    RunningRecording recording;
    recording.socket_name = line.substr(at + 1);
    recording.collector_pid = atoi(recording.socket_name.c_str() + sizeof kControlPrefix - 1);
    found.push_back(std::move(recording));
  }
  return found;
}

bool records_into(int32_t pid, const RunningRecording& recording) {
  if (pid == recording.collector_pid) return true;
  const uint64_t segment = mapped_segment(pid);
  return segment != 0 && segment == mapped_segment(recording.collector_pid);
}

}  // namespace memlens::collector
