import { Type } from '@sinclair/typebox'
import { type Static, stringEnum } from './common.ts'

const count = (value: number, description: string, minimum = 1, maximum = 1_000_000_000) =>
  Type.Integer({ default: value, minimum, maximum, description })

/** The environment, all of it: `.env.example` is written from this, and a test compares the two. */
export const Environment = Type.Object(
  {
    DATABASE_URL: Type.String({
      default: 'sqlite:messenger.db',
      description: 'Where the messages are: `sqlite:` and the path of a file.',
    }),
    JWT_SECRET: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'Signs the tokens, 32 bytes or more. Absent: one is made at the first start and kept beside the database.',
      }),
    ),
    JWT_SECRET_PREVIOUS: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'The JWT_SECRET of before, while tokens that it signed are still to be accepted.',
      }),
    ),
    HOST: Type.String({ default: '0.0.0.0', description: 'The address to listen on.' }),
    PORT: Type.Integer({
      default: 3000,
      minimum: 0,
      maximum: 65_535,
      description: 'The port; 0 takes a free one.',
    }),
    NODE_ENV: Type.Optional(
      Type.String({ description: '`production` refuses a short secret and wants AUTH_MODE to be said.' }),
    ),
    AUTH_MODE: Type.Optional(
      stringEnum(['open', 'password'], {
        description:
          '`open` (the default): a username is enough, unless that account has a password. `password`: always needed.',
      }),
    ),
    REGISTRATION: stringEnum(['open', 'closed'], {
      default: 'open',
      description:
        '`open`: a login under a new name makes an account. `closed`: only `npm run admin -- create-user` does.',
    }),
    MIN_PASSWORD_LENGTH: count(
      8,
      'Code points of a new password. NIST SP 800-63B asks for 8 (revision 3), or 15 where nothing else proves who logs in (revision 4).',
      8,
      64,
    ),
    LOG_LEVEL: stringEnum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      default: 'info',
      description: 'How much is logged.',
    }),
    CORS_ORIGINS: Type.String({
      default: '',
      description: 'Origins of web pages, besides the server’s own, that may call it: separated by commas.',
    }),
    TRUST_PROXY: Type.String({
      default: '',
      description:
        'Proxies whose X-Forwarded-* headers are believed: addresses or networks, separated by commas. Empty: none.',
    }),
    TOKEN_TTL: count(86_400, 'Seconds that a token lives.', 1, 31_536_000),
    RATE_LIMIT_LOGIN: count(
      300,
      'Logins a minute and address, and token renewals and password changes a minute and user; 0 is no limit.',
      0,
    ),
    RATE_LIMIT_SEND: count(6000, 'Sends and edits a minute and user; 0 is no limit.', 0),
    RATE_LIMIT_CHANGES: count(
      6000,
      'Other changes a minute and user: a receipt or a deletion counts as one, a change of a group as the number of its members; 0 is no limit.',
      0,
    ),
    MAX_MESSAGE_LENGTH: count(4096, 'Code points of a message, 65536 at most.', 1, 65_536),
    MAX_GROUP_MEMBERS: count(256, 'Members of a group.', 1, 1024),
    MAX_RECEIPT_GROUP: count(32, 'Members up to which a group’s receipts go to everybody in it.', 0, 1024),
    MAX_QUEUE: count(
      10_000,
      'Changes waiting to be written, those of groups weighed by their members; past it they are refused with 503.',
    ),
    MAX_LOOP_DELAY_MS: count(
      500,
      'Milliseconds that the event loop may lag, and then writes are refused with 503; at four times that reads are too. 0: never.',
      0,
    ),
    MAX_SOCKETS: count(20_000, 'Open sockets and waiting calls of `/sync` in all; past it 503.'),
    MAX_SOCKETS_PER_USER: count(
      256,
      'Open sockets of one user; past it they are closed with 4409. As many calls of `/sync`, at most 32, may wait; past it 429.',
    ),
    MAX_CONNECTIONS: count(
      10_000,
      'Connections that are open beside that many sockets; past it new ones are cut.',
    ),
    HEARTBEAT_MS: count(
      30_000,
      'Milliseconds between heartbeats; a peer silent for two is closed with 4408.',
      100,
    ),
    SOCKET_FRAMES_PER_SECOND: count(
      200,
      'Frames a second and socket; past twice that at once it is read more slowly.',
    ),
    SOCKET_FLOOD_MS: count(
      10_000,
      'Milliseconds past its budget of frames after which a socket is closed with 4429.',
    ),
    SOCKET_SOFT_LIMIT: count(
      262_144,
      'Bytes queued for a socket past which typing and presence are dropped.',
      1024,
    ),
    SOCKET_HARD_LIMIT: count(4_194_304, 'Bytes queued for a socket past which it is closed with 4410.', 1024),
    REQUEST_TIMEOUT_MS: count(15_000, 'Milliseconds that a request may take to arrive.', 100),
  },
  { $id: 'Environment' },
)
export type Environment = Static<typeof Environment>
