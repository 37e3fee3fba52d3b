let last = 0;
let sequence = 0;
/**
 * Creates a UUIDv7 (RFC 9562). The ids rise within this process, also when the clock goes back, so that the server
 * appends to its index of client ids.
 * @param now milliseconds since 1970
 */
export const newClientId = (now = Date.now()) => {
    sequence = now > last ? 0 : sequence + 1;
    last = Math.max(now, last);
    const bytes = crypto.getRandomValues(new Uint8Array(16));
    const view = new DataView(bytes.buffer);
    // The 12 bits of `sequence` hold 4,096 ids per millisecond. After that the ids borrow the next millisecond.
    if (sequence > 0xfff) {
        sequence = 0;
        last += 1;
    }
    view.setUint16(0, Math.floor(last / 2 ** 32));
    view.setUint32(2, last % 2 ** 32);
    view.setUint16(6, 0x7000 | sequence);
    view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80);
    const hex = [...bytes].map((byte) => byte.toString(16).padStart(2, '0')).join('');
    return hex.replace(/^(.{8})(.{4})(.{4})(.{4})/, '$1-$2-$3-$4-');
};
//# sourceMappingURL=client-id.js.map