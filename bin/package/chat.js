await import('../../client/terminal/chat.ts')
