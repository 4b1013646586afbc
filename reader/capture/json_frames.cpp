#include "reader/capture/json_frames.h"

#include <nlohmann/json.hpp>

#include "reader/file/byte_view.h"

namespace memlens::reader {

namespace {

using Json = nlohmann::json;

// File names and arguments are any bytes. The parser wants UTF-8, so what is not becomes U+FFFD.
std::string as_utf8(std::string_view bytes) {
  std::string text;
  text.reserve(bytes.size());
  for (size_t i = 0; i < bytes.size();) {
    const auto lead = static_cast<uint8_t>(bytes[i]);
    const size_t length = lead < 0x80                   ? 1
                          : lead >= 0xC2 && lead < 0xE0 ? 2
                          : lead >= 0xE0 && lead < 0xF0 ? 3
                          : lead >= 0xF0 && lead < 0xF5 ? 4
                                                        : 0;
    bool valid = length > 0 && i + length <= bytes.size();
    for (size_t k = 1; valid && k < length; ++k)
      valid = (static_cast<uint8_t>(bytes[i + k]) & 0xC0) == 0x80;
    if (valid && length >= 3) {
      // Overlong forms, surrogates and what lies beyond U+10FFFF.
      const auto second = static_cast<uint8_t>(bytes[i + 1]);
      valid = !((lead == 0xE0 && second < 0xA0) || (lead == 0xED && second >= 0xA0) ||
                (lead == 0xF0 && second < 0x90) || (lead == 0xF4 && second >= 0x90));
    }
    if (valid) {
      text.append(bytes.substr(i, length));
      i += length;
    } else {
      text.append("\xEF\xBF\xBD");
      ++i;
    }
  }
  return text;
}

Json parse_object(std::string_view json) {
  // What is nested deeper is none of ours, and would take memory.
  constexpr int kMaxDepth = 8;
  const auto keep = [](int depth, Json::parse_event_t, Json&) { return depth <= kMaxDepth; };
  Json parsed = Json::parse(as_utf8(json), keep, /*allow_exceptions=*/false);
  if (!parsed.is_object()) throw PayloadError("this is not a JSON object");
  return parsed;
}

std::string text_of(const Json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_string() ? member->get<std::string>() : std::string();
}

uint64_t number_of(const Json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_number_unsigned() ? member->get<uint64_t>() : 0;
}

std::optional<int> integer_of(const Json& object, const char* name) {
  const auto member = object.find(name);
  if (member == object.end() || !member->is_number_integer()) return std::nullopt;
  return member->get<int>();
}

bool flag_of(const Json& object, const char* name) {
  const auto member = object.find(name);
  return member != object.end() && member->is_boolean() && member->get<bool>();
}

}  // namespace

SessionFrame parse_session(std::string_view json) {
  const Json object = parse_object(json);
  SessionFrame session;
  const auto command = object.find("command");
  if (command != object.end() && command->is_array()) {
    for (const Json& argument : *command)
      session.command.push_back(argument.is_string() ? argument.get<std::string>() : "");
  }
  session.working_directory = text_of(object, "cwd");
  session.hostname = text_of(object, "hostname");
  session.recorded_by = text_of(object, "memlens");
  const auto options = object.find("options");
  if (options != object.end() && options->is_object()) {
    session.native_stacks = flag_of(*options, "native");
    session.python_allocators = flag_of(*options, "python_allocators");
    session.sample_bytes = number_of(*options, "sample_bytes");
  }
  const auto attached = object.find("attached");
  if (attached != object.end() && attached->is_object()) {
    AttachedInfo& attachment = session.attached.emplace();
    attachment.pid = integer_of(*attached, "pid").value_or(0);
    const auto after = attached->find("after_seconds");
    if (after != attached->end() && after->is_number())
      attachment.after_seconds = after->get<double>();
    const uint64_t resident = number_of(*attached, "rss_bytes");
    if (resident != 0) attachment.resident_bytes = resident;
  }
  return session;
}

ProcessEndFrame parse_process_end(std::string_view json) {
  const Json object = parse_object(json);
  ProcessEndFrame end;
  end.process = static_cast<uint32_t>(number_of(object, "process"));
  end.ticks = number_of(object, "ticks");
  end.earliest_ticks = number_of(object, "earliest_ticks");
  end.exit_code = integer_of(object, "exit_code");
  end.signal = integer_of(object, "signal");
  end.skipped_calls = number_of(object, "skipped_calls");
  end.refused_definitions = number_of(object, "refused_definitions");
  const auto limit = object.find("memory_limit");
  if (limit != object.end() && limit->is_object()) {
    end.memory_limit = {text_of(*limit, "kind") == "cgroup", number_of(*limit, "limit_bytes"),
                        number_of(*limit, "used_bytes"), number_of(*limit, "kills")};
  }
  return end;
}

TrailerFrame parse_trailer(std::string_view json) {
  const Json object = parse_object(json);
  TrailerFrame trailer;
  trailer.end_ticks = number_of(object, "end_ticks");
  trailer.end_monotonic_ns = number_of(object, "end_monotonic_ns");
  trailer.reason = text_of(object, "reason");
  trailer.failure = text_of(object, "failure");
  trailer.failed_ticks = number_of(object, "failed_ticks");
  trailer.lost_processes = number_of(object, "lost_processes");
  return trailer;
}

}  // namespace memlens::reader
