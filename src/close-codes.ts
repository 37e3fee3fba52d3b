/**
 * The codes that the server closes a socket with. `reconnect` tells the client what to do: `resume` reconnects after a
 * random delay that grows, `renew` reconnects with a new token, and `fix` does not reconnect, because the client or its
 * user has to change something first.
 */
export const closeCodes = {
  1001: { name: 'going away', reconnect: 'resume', why: 'the server stops or restarts' },
  1002: { name: 'protocol error', reconnect: 'fix', why: 'a frame violated RFC 6455' },
  1003: { name: 'unsupported data', reconnect: 'fix', why: 'a binary frame; frames are JSON text' },
  1007: { name: 'invalid data', reconnect: 'fix', why: 'a frame was not UTF-8' },
  1008: { name: 'policy violation', reconnect: 'fix', why: 'a frame had more than 16,384 fragments' },
  1009: { name: 'too big', reconnect: 'fix', why: 'a frame was longer than `limits.max_frame_bytes`' },
  1011: { name: 'internal error', reconnect: 'resume', why: 'the server failed unexpectedly' },
  1013: {
    name: 'try again later',
    reconnect: 'resume',
    why: 'the server is overloaded; this version answers the handshake with 503 instead and keeps open sockets',
  },
  4400: { name: 'too many bad frames', reconnect: 'fix', why: 'ten frames within one minute were invalid' },
  4401: { name: 'token ended', reconnect: 'renew', why: 'the token expired or was revoked' },
  4403: { name: 'suspended', reconnect: 'fix', why: 'the account was suspended' },
  4408: { name: 'no heartbeat', reconnect: 'resume', why: 'the client sent nothing for two heartbeats' },
  4409: {
    name: 'too many sockets',
    reconnect: 'fix',
    why: 'the user has the maximum number of open sockets',
  },
  4410: {
    name: 'too slow',
    reconnect: 'resume',
    why: 'the client read more slowly than events arrived; resume from your cursor',
  },
  4429: { name: 'too fast', reconnect: 'resume', why: 'the client exceeded the frame rate for 10 s' },
} as const
export type CloseCode = keyof typeof closeCodes
