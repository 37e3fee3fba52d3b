await import('../../src/signals.ts')
await import('../../db/early.ts')
await import('../../src/server.ts')
