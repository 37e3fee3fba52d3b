const open = (): Storage | undefined => {
  try {
    return localStorage
  } catch {
    return undefined
  }
}

/** The storage of this origin; undefined if the browser blocks it. Without it, a reload logs the user out. */
export const siteStorage = open()
