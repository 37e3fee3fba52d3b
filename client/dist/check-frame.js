import { MessengerError } from "./error.js";
import { clientIdRule } from "./generated/client-id-rule.js";
/**
 * Finds what the server is certain to refuse, so that it is not sent: the server closes the socket after one frame
 * that is too large or ten invalid ones, and its error frame cannot carry a request id that is too long.
 * @param limits of the `hello` frame
 * @returns the error `VALIDATION_FAILED` or `PAYLOAD_TOO_LARGE`, or `undefined` for a frame that may be sent
 */
export const checkFrame = (frame, limits) => {
    const { max_message_length, max_metadata_bytes, max_frame_bytes } = limits;
    if ('client_id' in frame && frame.client_id !== undefined && !isClientId(frame.client_id))
        return invalid(`/client_id must be 1 to ${clientIdRule.maxLength} printable ASCII characters.`);
    if ('content' in frame && frame.content === '')
        return invalid('/content must not be empty.');
    if ('content' in frame &&
        frame.content.length > max_message_length &&
        countCodePoints(frame.content) > max_message_length)
        return invalid(`/content must not be longer than ${max_message_length} characters.`);
    if ('metadata' in frame && frame.metadata && bytesOf(frame.metadata) > max_metadata_bytes)
        return invalid(`/metadata must not be larger than ${max_metadata_bytes} bytes of JSON.`);
    if (bytesOf(frame) > max_frame_bytes)
        return new MessengerError('PAYLOAD_TOO_LARGE', `The frame is larger than ${max_frame_bytes} bytes of JSON. Shorten its content or its metadata.`);
    return undefined;
};
/** The server counts code points, not UTF-16 units. */
const countCodePoints = (text) => Array.from(text).length;
const bytesOf = (value) => new TextEncoder().encode(JSON.stringify(value)).length;
const isClientId = (text) => text.length <= clientIdRule.maxLength && new RegExp(clientIdRule.pattern).test(text);
const invalid = (detail) => new MessengerError('VALIDATION_FAILED', detail);
//# sourceMappingURL=check-frame.js.map