import { Type } from '@sinclair/typebox'
import { MAX_TOKEN_TTL } from './app-users.ts'
import { type Static, stringEnum } from './common.ts'

const count = (value: number, description: string, minimum = 1, maximum = 1_000_000_000) =>
  Type.Integer({ default: value, minimum, maximum, description })

/** All environment variables. A test compares `.env.example` and the table in SECURITY.md with these descriptions. */
export const Environment = Type.Object(
  {
    DATABASE_URL: Type.String({
      default: 'sqlite:messenger.db',
      description:
        'Database: `sqlite:` and the path of a file, or the URL of a database in PostgreSQL: `postgres://user:password@host/name`.',
    }),
    DATABASE_CONNECTIONS: count(
      10,
      'Maximum number of connections of this process to PostgreSQL, beside one for signals. One writes, the others read.',
      2,
      1000,
    ),
    NODE_NAME: Type.Optional(
      Type.String({
        description:
          'Name of this process in its log and metrics. If absent, the name of the machine and the process id.',
      }),
    ),
    JWT_SECRET: Type.Optional(
      Type.String({
        minLength: 1,
        description:
          'Secret that signs the tokens: at least 32 bytes. If absent, the first start creates a secret: in a file next to a SQLite database, in PostgreSQL in the database, for all nodes.',
      }),
    ),
    JWT_SECRET_PREVIOUS: Type.Optional(
      Type.String({
        minLength: 1,
        description: 'Previous JWT_SECRET. Tokens that it signed stay valid.',
      }),
    ),
    HOST: Type.String({ default: '0.0.0.0', description: 'Address to listen on.' }),
    PORT: Type.Integer({
      default: 3000,
      minimum: 0,
      maximum: 65_535,
      description: 'Port to listen on. 0: any free port.',
    }),
    NODE_ENV: Type.Optional(
      Type.String({ description: '`production` rejects a short secret and requires AUTH_MODE to be set.' }),
    ),
    AUTH_MODE: Type.Optional(
      stringEnum(['open', 'password', 'external'], {
        description:
          '`open` (default): a login needs only a username, unless the account has a password. `password`: every login needs a password. `external`: no logins and no passwords, only tokens of your app.',
      }),
    ),
    REGISTRATION: stringEnum(['open', 'closed'], {
      default: 'open',
      description:
        '`open`: a login with a new username creates an account. `closed`: only `npm run admin -- create-user`, server keys and TOKEN_ISSUERS create accounts.',
    }),
    TOKEN_ISSUERS: Type.Optional(
      Type.String({
        description:
          'Issuers whose tokens are accepted beside those of this server: a JSON list, or the path of a file with it. See SECURITY.md.',
      }),
    ),
    MIN_PASSWORD_LENGTH: count(
      8,
      'Minimum length of a new password in code points. NIST SP 800-63B requires 8 (revision 3), or 15 if the password is the only factor (revision 4).',
      8,
      64,
    ),
    LOG_LEVEL: stringEnum(['fatal', 'error', 'warn', 'info', 'debug', 'trace', 'silent'], {
      default: 'info',
      description: 'Lowest level that is logged.',
    }),
    CORS_ORIGINS: Type.String({
      default: '',
      description:
        'Origins of other web pages that may call the server, separated by commas. The origin of the server itself is always allowed.',
    }),
    AVATAR_ORIGINS: Type.String({
      default: '',
      description:
        'Origins from which the chat page loads pictures of users, separated by commas. Each of these sites sees the addresses of those who look at a picture. The page shows initials instead of other pictures, except those of the origin of the server.',
    }),
    TRUST_PROXY: Type.String({
      default: '',
      description:
        'Proxies whose X-Forwarded-* headers are trusted: addresses or networks, separated by commas. Empty: none.',
    }),
    TOKEN_TTL: count(86_400, 'Lifetime of a token in seconds.', 1, MAX_TOKEN_TTL),
    RATE_LIMIT_LOGIN: count(
      300,
      'Logins per minute and address, on all nodes together. Also token renewals and password changes per minute and user. 0: no limit.',
      0,
    ),
    RATE_LIMIT_SEND: count(6000, 'Sends and edits per minute and user. 0: no limit.', 0),
    RATE_LIMIT_CHANGES: count(
      6000,
      'Other changes per minute and user. A receipt or a deletion counts as 1, a change of a group as the number of its members. 0: no limit.',
      0,
    ),
    MAX_MESSAGE_LENGTH: count(4096, 'Maximum length of a message in code points, 65536 at most.', 1, 65_536),
    MAX_GROUP_MEMBERS: count(256, 'Maximum number of members of a group.', 1, 1024),
    MAX_RECEIPT_GROUP: count(
      32,
      'Maximum number of members of a group whose receipts are published to all its members.',
      0,
      1024,
    ),
    MAX_QUEUE: count(
      10_000,
      'Maximum number of changes waiting to be written. A change of a group counts as the number of its members. Further changes get 503.',
    ),
    MAX_LOOP_DELAY_MS: count(
      500,
      'Lag of the event loop in milliseconds above which writes get 503. Reads get 503 above four times this lag. 0: no limit.',
      0,
    ),
    MAX_SOCKETS: count(
      20_000,
      'Maximum number of open sockets and waiting `/sync` requests. Further ones get 503.',
    ),
    MAX_SOCKETS_PER_USER: count(
      256,
      'Maximum number of open sockets of a user. Further sockets are closed with 4409. The same number of `/sync` requests, but at most 32, may wait. Further requests get 429.',
    ),
    MAX_CONNECTIONS: count(
      10_000,
      'Maximum number of open connections in addition to MAX_SOCKETS. Further connections are closed.',
    ),
    HEARTBEAT_MS: count(
      30_000,
      'Milliseconds between heartbeats. A socket that is silent for two heartbeats is closed with 4408.',
      100,
    ),
    NODE_TIMEOUT_MS: count(
      15_000,
      'Milliseconds without a sign of life after which the users of another node are offline. Its webhooks continue at another node within twice this time. Only with PostgreSQL.',
      100,
    ),
    SOCKET_FRAMES_PER_SECOND: count(
      200,
      'Frames per second and socket. After a burst of twice this number the socket is read more slowly.',
    ),
    SOCKET_FLOOD_MS: count(
      10_000,
      'Milliseconds above SOCKET_FRAMES_PER_SECOND after which a socket is closed with 4429.',
    ),
    SOCKET_SOFT_LIMIT: count(
      262_144,
      'Bytes queued for a socket above which typing, presence and user frames are dropped.',
      1024,
    ),
    SOCKET_HARD_LIMIT: count(
      4_194_304,
      'Bytes queued for a socket above which it is closed with 4410.',
      1024,
    ),
    WEBHOOK_ALLOW_PRIVATE: stringEnum(['0', '1'], {
      default: '0',
      description:
        '`1`: webhooks may lead to private addresses and use `http`, for receivers in your own network. `0`: only `https` at public addresses.',
    }),
    REQUEST_TIMEOUT_MS: count(15_000, 'Maximum time to receive a request, in milliseconds.', 100),
  },
  { $id: 'Environment' },
)
export type Environment = Static<typeof Environment>
