const {
  PORT = '8080',
  MESSENGER_URL = 'http://localhost:3000',
  MESSENGER_KEY = '',
  PUSH_AFTER_SECONDS = '10',
} = process.env

export const port = Number(PORT)
/** Where the app is. It is also the issuer of its tokens. */
export const appUrl = `http://localhost:${PORT}`
export const serverUrl = MESSENGER_URL
export const serverKey = MESSENGER_KEY
export const pushAfter = Number(PUSH_AFTER_SECONDS)
