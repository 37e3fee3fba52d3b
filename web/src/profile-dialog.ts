import type { Chat } from './chat.ts'
import { labelledInput, openDialog } from './dialog.ts'
import { make } from './dom.ts'

/** Edits the display name and the picture of this user. */
export const profileDialog = async (chat: Chat) => {
  const { username, profile = {} } = await chat.directory.getMe()
  const name = labelledInput('display-name', 'Display name', {
    maxlength: 128,
    placeholder: username,
    value: profile.display_name ?? '',
  })
  const picture = labelledInput('avatar-url', 'Address of a picture', {
    type: 'url',
    maxlength: 2048,
    pattern: 'https://.*',
    title: 'An address that begins with https://',
    placeholder: 'https://',
    value: profile.avatar_url ?? '',
  })
  const text =
    'Everybody who finds your name sees both. Pictures appear only from sites that this server allows.'
  openDialog(
    'Edit profile',
    [make('p', {}, text), name.row, picture.row],
    [
      {
        label: 'Save',
        isPrimary: true,
        run: () =>
          chat.setProfile({
            display_name: name.input.value.trim() || null,
            avatar_url: picture.input.value.trim() || null,
          }),
      },
    ],
  )
}
