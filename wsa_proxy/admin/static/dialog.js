// One question at a time, in a modal <dialog>: the browser keeps the keyboard inside it and gives the focus back.

import { h, renew } from "./dom.js";

let open = null;
let tell = () => {};

/** `say(lines, isError)` tells why something was not done when its question was closed meanwhile. */
export function tellWith(say) {
  tell = say;
}

/**
 * Ask. `content()` makes what is shown, anew with each status, and answers {body: [nodes], whyNot: null | text}; with
 * `whyNot` the confirming button is off. `confirm` is that button's text; `done(form)` does it, and what it throws is
 * shown in the dialog, which stays.
 */
export function ask({ title, content, confirm, danger = false, done }) {
  open?.element.close();
  const form = h("form", { method: "dialog", novalidate: true });
  const element = h("dialog", { class: "dialog", "aria-labelledby": "dialog-title" }, form);
  const state = { element, form, title, content, confirm, danger, error: null, isBusy: false };
  form.addEventListener("submit", (event) => submitted(event, state, done));
  element.addEventListener("click", (event) => event.target.closest("[data-cancel]") && element.close());
  element.addEventListener("close", () => {
    element.remove();
    if (open === state) open = null;
  });
  document.body.append(element);
  open = state;
  renewDialog();
  element.showModal();
  return element;
}

/** Show the question as it is with what is known now. */
export function renewDialog() {
  if (open === null) return;
  const { form, title, content, confirm, danger, error, isBusy } = open;
  const { body, whyNot } = content();
  const wanted = h(
    "form",
    { method: "dialog", novalidate: true },
    h("h2", { id: "dialog-title" }, title),
    body,
    error && h("p", { class: "error", role: "alert", "data-key": "error" }, error),
    whyNot && h("p", { class: "why-not", id: "why-not", "data-key": "why-not" }, whyNot),
    h(
      "p",
      { class: "buttons", "data-key": "buttons" },
      h("button", { type: "button", "data-cancel": true }, confirm ? "Cancel" : "Close"),
      confirm &&
        h(
          "button",
          {
            type: "submit",
            class: danger ? "danger" : "primary",
            disabled: Boolean(whyNot) || isBusy,
            "aria-describedby": whyNot ? "why-not" : null,
          },
          isBusy ? "Working..." : confirm,
        ),
    ),
  );
  renew(form, wanted);
}

async function submitted(event, state, done) {
  event.preventDefault();
  if (state.isBusy) return;
  state.error = null;
  state.isBusy = true;
  renewDialog();
  try {
    await done(state.form);
    state.element.close();
  } catch (error) {
    state.error = error.message;
    if (!state.element.open) tell([`${state.title}: ${error.message}`], true);
  } finally {
    state.isBusy = false;
    renewDialog();
    state.form.querySelector("[aria-invalid=true]")?.focus();
  }
}
