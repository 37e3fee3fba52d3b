import { reply, type Static, stringEnum } from './common.ts'

export const Health = reply({ status: stringEnum(['ok']) }, { $id: 'Health' })
export type Health = Static<typeof Health>
