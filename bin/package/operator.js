export { admin } from '../../src/operator/admin.ts'
export { backup } from '../../src/operator/backup.ts'
export { restore } from '../../src/operator/restore.ts'
