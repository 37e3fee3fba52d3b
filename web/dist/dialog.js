import { drawing, make } from './dom.js';
/** Opens the dialog; the browser keeps the focus in it, closes it with Escape, and gives the focus back. */
export const openDialog = (title, content, buttons = []) => {
    const dialog = make('dialog', { class: 'dialog', 'aria-labelledby': 'dialog-title' });
    const error = make('p', { class: 'error', role: 'alert' });
    const closing = make('button', { type: 'button', class: 'round', 'aria-label': 'Close' }, drawing('close'));
    const footer = make('footer');
    const form = make('form', { method: 'dialog' }, make('header', {}, make('h2', { id: 'dialog-title' }, title), closing), make('div', { class: 'content' }, ...content, error), footer);
    const close = () => dialog.close();
    const run = async (act) => {
        error.textContent = '';
        try {
            await act?.();
            close();
        }
        catch (problem) {
            error.textContent = problem instanceof Error ? problem.message : String(problem);
        }
    };
    for (const { label, isPrimary = false, isDangerous = false, act } of buttons) {
        const className = isPrimary ? 'primary' : isDangerous ? 'plain is-dangerous' : 'plain';
        const button = make('button', { type: isPrimary ? 'submit' : 'button', class: className }, label);
        if (isPrimary) {
            form.addEventListener('submit', (event) => {
                event.preventDefault();
                void run(act);
            });
        }
        else
            button.addEventListener('click', () => void run(act));
        footer.append(button);
    }
    closing.addEventListener('click', close);
    dialog.addEventListener('click', (event) => {
        if (event.target === dialog)
            close();
    });
    dialog.addEventListener('close', () => dialog.remove());
    dialog.append(form);
    for (const other of document.querySelectorAll('dialog'))
        other.close();
    document.body.append(dialog);
    dialog.showModal();
    form.querySelector('input')?.focus();
};
/** Asks before something is done that others notice, or that can't be taken back. */
export const askFirst = (title, words, label, act) => openDialog(title, [make('p', {}, words)], [{ label: 'Cancel' }, { label, isPrimary: true, act }]);
/** A labelled field of a dialog. */
export const fieldOf = (id, label, attributes = {}) => {
    const input = make('input', { id, autocomplete: 'off', ...attributes });
    return { input, row: make('div', {}, make('label', { for: id }, label), input) };
};
