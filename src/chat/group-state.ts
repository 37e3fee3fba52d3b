import type { Conversation } from '../../schemas/conversation.ts'

type Stored = { key?: string | null | undefined; metadata?: string | null | undefined }

/** @returns what the app gave a group, as replies and frames have it */
export const keyAndMetadata = ({ key, metadata }: Stored): Pick<Conversation, 'key' | 'metadata'> => ({
  ...(typeof key === 'string' && { key }),
  ...(typeof metadata === 'string' && { metadata: JSON.parse(metadata) as Record<string, unknown> }),
})
