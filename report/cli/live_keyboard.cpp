#include "report/cli/live_keyboard.h"

#include <poll.h>
#include <signal.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <cerrno>
#include <csignal>

namespace memlens::report::cli {
namespace {

// The other screen, so that the shell's lines are there again afterwards; no cursor; no wrapping.
constexpr char kTakeOver[] = "\x1b[?1049h\x1b[?25l\x1b[?7l\x1b[2J";
constexpr char kGiveBack[] = "\x1b[?7h\x1b[?25h\x1b[?1049l";
// A key that sends several bytes sends them at once; Escape alone comes alone.
constexpr int kSequenceMilliseconds = 50;

volatile std::sig_atomic_t redraw_wanted = 0;
volatile std::sig_atomic_t end_wanted = 0;
termios to_restore{};
termios own{};

void write_all(const char* text, size_t size) {
  while (size > 0) {
    const ssize_t count = write(STDOUT_FILENO, text, size);
    if (count < 0 && errno == EINTR) continue;
    if (count <= 0) return;
    text += count;
    size -= static_cast<size_t>(count);
  }
}

void take_over() {
  tcsetattr(STDIN_FILENO, TCSADRAIN, &own);
  write_all(kTakeOver, sizeof kTakeOver - 1);
}

void give_back() {
  write_all(kGiveBack, sizeof kGiveBack - 1);
  tcsetattr(STDIN_FILENO, TCSADRAIN, &to_restore);
}

void on_signal(int number) {
  const int saved = errno;
  switch (number) {
    case SIGWINCH:
      redraw_wanted = 1;
      break;
    case SIGTSTP:  // Ctrl-Z: the shell gets its terminal back meanwhile
      give_back();
      signal(SIGTSTP, SIG_DFL);
      raise(SIGTSTP);
      break;
    case SIGCONT:
      signal(SIGTSTP, on_signal);
      take_over();
      redraw_wanted = 1;
      break;
    default:
      end_wanted = 1;
      break;
  }
  errno = saved;
}

}  // namespace

LiveKeyboard::LiveKeyboard() {
  tcgetattr(STDIN_FILENO, &before_);
  to_restore = own = before_;
  own.c_lflag &= ~static_cast<tcflag_t>(ICANON | ECHO);
  own.c_cc[VMIN] = 1;
  own.c_cc[VTIME] = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;  // and no SA_RESTART: a waiting poll() is to end
  for (const int number : {SIGWINCH, SIGTSTP, SIGCONT, SIGINT, SIGTERM, SIGHUP})
    sigaction(number, &action, nullptr);
  take_over();
}

LiveKeyboard::~LiveKeyboard() { give_back(); }

LiveKeyboard::Size LiveKeyboard::size() {
  winsize now{};
  Size size;
  if (ioctl(STDOUT_FILENO, TIOCGWINSZ, &now) != 0 || now.ws_col == 0) return size;
  size.columns = std::max<size_t>(20, now.ws_col);
  size.rows = std::max<size_t>(8, now.ws_row);
  return size;
}

int LiveKeyboard::read_byte(int milliseconds) {
  if (end_wanted) return kGone;
  pollfd input{STDIN_FILENO, POLLIN, 0};
  const int count = poll(&input, 1, milliseconds);
  if (end_wanted) return kGone;
  if (redraw_wanted) {
    redraw_wanted = 0;
    return kRedraw;
  }
  if (count <= 0) return kNone;
  unsigned char byte = 0;
  const ssize_t got = read(STDIN_FILENO, &byte, 1);
  if (got == 1 && byte == '\r') return kEnter;
  if (got == 1 && byte == '\b') return kBackspace;
  if (got == 1) return byte;
  return got < 0 && errno == EINTR ? kNone : kGone;
}

int LiveKeyboard::key(int milliseconds) {
  const int first = read_byte(milliseconds);
  if (first != kEscape) return first;
  const int second = read_byte(kSequenceMilliseconds);
  if (second != '[' && second != 'O') return kEscape;
  const int third = read_byte(kSequenceMilliseconds);
  switch (third) {
    case 'A':
      return kUp;
    case 'B':
      return kDown;
    case 'H':
      return kHome;
    case 'F':
      return kEnd;
    case '5':
    case '6':
      read_byte(kSequenceMilliseconds);  // ~
      return third == '5' ? kPageUp : kPageDown;
    default:
      return kNone;
  }
}

void LiveKeyboard::draw(const std::vector<std::string>& lines) {
  std::string text = "\x1b[H";
  for (size_t i = 0; i < lines.size(); ++i) {
    text += lines[i];
    text += "\x1b[K";
    if (i + 1 < lines.size()) text += "\r\n";
  }
  text += "\x1b[J";
  write_all(text.data(), text.size());
}

}  // namespace memlens::report::cli
