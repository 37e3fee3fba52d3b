/**
 * How a socket ends, and whether its client should come back. `resume`: reconnect, after a random delay that grows;
 * `renew`: with a fresh token; `fix`: not before the client was mended.
 */
export const closeCodes = {
  1001: { name: 'going away', reconnect: 'resume', why: 'the server stops or restarts' },
  1002: { name: 'protocol error', reconnect: 'fix', why: 'a frame was not as RFC 6455 has it' },
  1003: { name: 'unsupported data', reconnect: 'fix', why: 'a binary frame; frames are JSON text' },
  1007: { name: 'invalid data', reconnect: 'fix', why: 'a frame was not UTF-8' },
  1008: { name: 'policy violation', reconnect: 'fix', why: 'a frame came in more than 16,384 parts' },
  1009: { name: 'too big', reconnect: 'fix', why: 'a frame was longer than `limits.max_frame_bytes`' },
  1011: { name: 'internal error', reconnect: 'resume', why: 'something went wrong in the server' },
  1013: {
    name: 'try again later',
    reconnect: 'resume',
    why: 'the server is overloaded; this version refuses the handshake with 503 instead, and open sockets stay',
  },
  4400: { name: 'too many bad frames', reconnect: 'fix', why: 'ten frames within a minute were not valid' },
  4401: { name: 'token ended', reconnect: 'renew', why: 'the token expired or was revoked' },
  4408: { name: 'no heartbeat', reconnect: 'resume', why: 'nothing was heard for two heartbeats' },
  4409: { name: 'too many sockets', reconnect: 'fix', why: 'the user has as many open as are allowed' },
  4410: {
    name: 'too slow',
    reconnect: 'resume',
    why: 'more was queued than the socket took; resume from your cursor',
  },
  4429: { name: 'too fast', reconnect: 'resume', why: 'frames came faster than allowed for 10 s' },
} as const
export type CloseCode = keyof typeof closeCodes
