import { askFirst } from './dialog.js';
import { openMenu } from './menu.js';
/** What may be done with a message: nothing is offered that the server would refuse. */
export const openMessageMenu = (chat, asked) => {
    const { line } = asked;
    const choices = line.kind === 'message' ? choicesOf(chat, line.message, asked) : waitingChoices(chat, line.waiting);
    if (choices.length > 0)
        openMenu(asked.button, choices, asked.home);
};
const choicesOf = (chat, message, { compose, show }) => {
    const { reply_to } = message;
    const isMine = message.sender_id === chat.store.me.id;
    const isThere = message.deleted_at === undefined;
    const canWrite = chat.canWrite();
    return [
        ...(isThere && canWrite ? [{ label: 'Reply', icon: 'reply', act: () => compose.reply(message) }] : []),
        ...(isThere ? [{ label: 'Copy text', icon: 'copy', act: () => chat.copy(message.content) }] : []),
        ...(reply_to === undefined
            ? []
            : [{ label: 'Show what it answers', icon: 'search', act: () => void show(reply_to) }]),
        ...(isMine && isThere && canWrite
            ? [
                { label: 'Edit', icon: 'edit', act: () => compose.edit(message) },
                { label: 'Delete', icon: 'delete', isDangerous: true, act: () => askToDelete(chat, message) },
            ]
            : []),
    ];
};
const askToDelete = (chat, message) => askFirst('Delete this message?', 'It goes from every device of everybody here, and stays gone.', 'Delete', () => chat.remove(message));
const waitingChoices = (chat, waiting) => waiting.problem === undefined
    ? []
    : [
        { label: 'Try again', icon: 'send', act: () => chat.sendAgain(waiting) },
        { label: 'Copy text', icon: 'copy', act: () => chat.copy(waiting.content) },
        { label: 'Discard', icon: 'delete', isDangerous: true, act: () => chat.discard(waiting) },
    ];
