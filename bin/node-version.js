const [major, minor] = process.versions.node.split('.').map(Number)

/** Whether this Node.js can run the server: 24.7 or newer. */
export const isSuitable = major > 24 || (major === 24 && minor >= 7)
