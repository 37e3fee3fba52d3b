export { inspectPostgres } from './inspect.ts'
export { movePostgres } from './move.ts'
export { openPostgres } from './open.ts'
