// From the base64 in the page to named columns. The other end of report/html/page_encoder.cpp.

function bytesOfBase64(text) {
  if (Uint8Array.fromBase64) return Uint8Array.fromBase64(text);
  const binary = atob(text);
  const bytes = new Uint8Array(binary.length);
  for (let i = 0; i < bytes.length; ++i) bytes[i] = binary.charCodeAt(i);
  return bytes;
}

async function inflate(bytes) {
  const stream = new Blob([bytes]).stream().pipeThrough(new DecompressionStream('deflate'));
  return new Uint8Array(await new Response(stream).arrayBuffer());
}

// Values beyond 32 bits are rare; the common lengths stay in integer arithmetic.
function readVarints(bytes, values) {
  let at = 0;
  for (let i = 0; i < values.length; ++i) {
    let byte = bytes[at++];
    if (byte < 0x80) {
      values[i] = byte;
      continue;
    }
    let value = byte & 0x7f;
    let shift = 7;
    do {
      byte = bytes[at++];
      if (shift < 28) value |= (byte & 0x7f) << shift;
      else value += (byte & 0x7f) * 2 ** shift;
      shift += 7;
    } while (byte >= 0x80);
    values[i] = value;
  }
  return values;
}

class Columns {
  constructor(data) {
    const directoryBytes = new DataView(data.buffer, data.byteOffset).getUint32(0, true);
    const json = new TextDecoder().decode(data.subarray(4, 4 + directoryBytes));
    this.directory = JSON.parse(json);
    this.places = new Map();
    let at = 4 + directoryBytes;
    for (const [name, count, length] of this.directory.columns) {
      this.places.set(name, { count, bytes: data.subarray(at, at + length) });
      at += length;
    }
  }

  names() {
    return [...this.places.keys()];
  }

  raw(name) {
    return this.places.get(name).bytes;
  }

  integers(name) {
    const { count, bytes } = this.places.get(name);
    return readVarints(bytes, new Int32Array(count));
  }

  // Exact up to 2^53.
  numbers(name) {
    const { count, bytes } = this.places.get(name);
    return readVarints(bytes, new Float64Array(count));
  }
}

export async function decodeEmbedded(element) {
  const columns = new Columns(await inflate(bytesOfBase64(element.textContent)));
  element.remove();
  return columns;
}
