#include "interposer/python/text.h"

#include <cstdint>

namespace memlens::interposer::python {
namespace {

constexpr uint32_t kReplacement = 0xfffd;
constexpr size_t kMaxEncodedBytes = 4;

template <typename Field>
Field field(const void* object, int16_t offset) {
  return read_field<Field>(object, static_cast<size_t>(offset));
}

bool has_type_flag(const ObjectLayout& objects, const void* object, uint64_t flag) {
  if (object == nullptr) return false;
  const void* type = field<const void*>(object, objects.type);
  return type != nullptr && (field<uint64_t>(type, objects.type_flags) & flag) != 0;
}

bool is_surrogate(uint32_t character) { return character >= 0xd800 && character <= 0xdfff; }
// os.fsdecode() maps an undecodable byte b to U+DC00 + b.
bool is_escaped_byte(uint32_t character) { return character >= 0xdc80 && character <= 0xdcff; }

char* encode_utf8(char* out, uint32_t character) {
  const auto put = [&out](uint32_t byte) { *out++ = static_cast<char>(byte); };
  if (is_escaped_byte(character)) {
    put(character & 0xff);
    return out;
  }
  if (is_surrogate(character) || character > 0x10ffff) character = kReplacement;
  if (character < 0x80) {
    put(character);
  } else if (character < 0x800) {
    put(0xc0 | character >> 6);
    put(0x80 | (character & 0x3f));
  } else if (character < 0x10000) {
    put(0xe0 | character >> 12);
    put(0x80 | (character >> 6 & 0x3f));
    put(0x80 | (character & 0x3f));
  } else {
    put(0xf0 | character >> 18);
    put(0x80 | (character >> 12 & 0x3f));
    put(0x80 | (character >> 6 & 0x3f));
    put(0x80 | (character & 0x3f));
  }
  return out;
}

template <typename Character>
Text encode(const char* characters, size_t count, char* buffer, size_t buffer_bytes) {
  char* out = buffer;
  for (size_t i = 0; i < count && out + kMaxEncodedBytes <= buffer + buffer_bytes; ++i) {
    out = encode_utf8(out, read_field<Character>(characters, i * sizeof(Character)));
  }
  return {buffer, static_cast<size_t>(out - buffer)};
}

}  // namespace

Text read_text(const Layout& layout, const void* object, char* buffer, size_t buffer_bytes) {
  const ObjectLayout& objects = layout.objects;
  if (!has_type_flag(objects, object, kTypeFlagText)) return {"", 0};
  const uint32_t state =
      field<uint32_t>(object, objects.text_state) >> static_cast<unsigned>(objects.text_kind_shift);
  const auto length = field<int64_t>(object, objects.text_length);
  const uint32_t kind = state & kTextKindMask;
  if (length <= 0) return {"", 0};

  const char* characters = static_cast<const char*>(object) + layout.text_compact;
  if ((state & kTextCompact) == 0) {
    // An instance of a subclass, or (to 3.11) made by an old C function: the text is elsewhere.
    characters = field<const char*>(object, layout.text_compact);
  } else if ((state & kTextAscii) != 0) {
    characters = static_cast<const char*>(object) + layout.text_ascii;
  }
  if (characters == nullptr) return {"", 0};

  const auto count = static_cast<size_t>(length);
  if ((state & kTextAscii) != 0 && kind == 1) return {characters, count};
  switch (kind) {
    case 1:
      return encode<uint8_t>(characters, count, buffer, buffer_bytes);
    case 2:
      return encode<uint16_t>(characters, count, buffer, buffer_bytes);
    case 4:
      return encode<uint32_t>(characters, count, buffer, buffer_bytes);
    default:
      return {"", 0};
  }
}

bool is_bytes(const Layout& layout, const void* object) {
  return has_type_flag(layout.objects, object, kTypeFlagBytes);
}

Text read_bytes(const Layout& layout, const void* object) {
  if (!is_bytes(layout, object)) return {"", 0};
  const auto size = field<int64_t>(object, layout.objects.count);
  if (size <= 0) return {"", 0};
  return {static_cast<const char*>(object) + layout.objects.bytes_data, static_cast<size_t>(size)};
}

}  // namespace memlens::interposer::python
