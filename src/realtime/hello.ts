import type { ServerFrames } from '../../schemas/server-frames.ts'
import { MAX_METADATA_BYTES } from '../chat/content.ts'
import type { Identity } from '../chat/context.ts'
import type { Config } from '../config.ts'

/** @returns bytes of the longest frame that a client may send: JSON may escape a code point as 12 bytes */
export const maxFrameBytes = ({ MAX_MESSAGE_LENGTH }: Config) => MAX_MESSAGE_LENGTH * 12 + 16_384

/** @param cursor where the stream starts */
export const createHello = (
  config: Config,
  { user_id, username }: Identity,
  cursor: string,
): ServerFrames['hello'] => ({
  type: 'hello',
  user: { id: user_id, username },
  cursor,
  heartbeat_ms: config.HEARTBEAT_MS,
  limits: {
    max_message_length: config.MAX_MESSAGE_LENGTH,
    max_frame_bytes: maxFrameBytes(config),
    max_metadata_bytes: MAX_METADATA_BYTES,
    frames_per_second: config.SOCKET_FRAMES_PER_SECOND,
    sends_per_minute: config.RATE_LIMIT_SEND,
  },
})
