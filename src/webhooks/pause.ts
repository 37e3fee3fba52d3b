/** Lets a delivery wait. A notice that arrives while it does not wait ends its next wait at once. */
export const createPause = (stop: AbortSignal) => {
  let hasCommit = false
  let hasChange = false
  let wake = () => {}

  const wait = (ms: number, isOver: () => boolean) =>
    new Promise<void>((resolve) => {
      if (isOver() || stop.aborted) {
        resolve()
        return
      }
      const end = () => {
        clearTimeout(timer)
        wake = () => {}
        resolve()
      }
      const timer = ms === Infinity ? undefined : setTimeout(end, ms)
      timer?.unref()
      wake = () => {
        if (isOver() || stop.aborted) end()
      }
    })

  return {
    /** Waits for a commit or a change of the row of the webhook, for at most `ms` milliseconds. */
    async untilCommit(ms: number) {
      await wait(ms, () => hasCommit || hasChange)
      hasCommit = false
    },
    /** Waits for a change of the row of the webhook, for at most `ms` milliseconds. */
    untilChange: (ms: number) => wait(ms, () => hasChange),
    hasChange: () => hasChange,
    /** @returns whether the row was changed since the last call */
    takeChange(): boolean {
      const had = hasChange
      hasChange = false
      return had
    },
    noticeCommit() {
      hasCommit = true
      wake()
    },
    noticeChange() {
      hasChange = true
      wake()
    },
  }
}
