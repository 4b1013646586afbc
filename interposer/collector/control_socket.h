// What others ask of a running recording: `memlens mark` and whoever wants to know that it runs.
//
// An abstract datagram socket beside the one that hands out the segment: a request and its answer
// are one datagram each, so nobody who connects and falls silent can hold the collector up. The
// kernel says who asks; the recording's own user and root are answered, others are not.
//
//   request  "mark <pid> <name>"     pid 0: the whole recording
//            "so far"                answered when all there is so far is in the capture
//            "stop"                  end the recording; the programs run on
//   answer   "ok", or "error <reason>"
#pragma once

#include <sys/socket.h>
#include <sys/un.h>

#include <cstdint>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

namespace memlens::collector {

struct MarkRequest {
  int32_t pid = 0;  // as the one who asks sees it; 0: the whole recording
  std::string name;
  uint32_t process = 0;  // where it is known, instead of the pid
};

// Whom to answer.
struct ControlPeer {
  sockaddr_un address{};
  socklen_t bytes = 0;
};

struct ControlRequests {
  std::vector<MarkRequest> marks;   // already answered
  std::vector<ControlPeer> so_far;  // who wait for an answer
};

// The socket's abstract name: "memlens-control-<collector's pid>-<nonce>". Whoever looks for the
// recordings of this machine finds it in /proc/net/unix.
inline constexpr char kControlPrefix[] = "memlens-control-";

class ControlSocket {
 public:
  // Without a socket (none can be made) there are no requests; the recording goes on.
  explicit ControlSocket(uint64_t nonce);
  ~ControlSocket();
  ControlSocket(const ControlSocket&) = delete;
  ControlSocket& operator=(const ControlSocket&) = delete;

  // The requests that have come. Never blocks.
  ControlRequests receive();
  void answer(const std::vector<ControlPeer>& peers, const std::string& text);
  // Whether somebody has asked for the end.
  bool stop_requested() const { return stop_requested_; }
  // Whether somebody has asked for another file since the last call. Who asks is told that it is
  // impossible, with the reason, unless it is empty.
  bool take_rotation_request() { return std::exchange(rotation_requested_, false); }
  void refuse_rotation(std::string reason) { rotation_refusal_ = std::move(reason); }

 private:
  std::string answer_to(std::string_view request, bool allowed, std::vector<MarkRequest>& marks);

  int fd_ = -1;
  bool stop_requested_ = false;
  bool rotation_requested_ = false;
  std::string rotation_refusal_ = "its memlens writes one file";
};

// ---- the other side

// Sends `request` to the recording whose collector is `collector_pid`; the answer without "ok" or
// "error ". False with a reason in `answer` when there is none within a second, or it is an error.
bool ask_recording(const std::string& socket_name, const std::string& request, std::string& answer);

// The control sockets' names of this machine's recordings, and their collectors.
struct RunningRecording {
  int32_t collector_pid = 0;
  std::string socket_name;
};
std::vector<RunningRecording> running_recordings();

// Whether process `pid` records into the segment of that collector, or is the collector itself.
bool records_into(int32_t pid, const RunningRecording& recording);

}  // namespace memlens::collector
