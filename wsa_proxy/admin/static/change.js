// A change of the configuration, decided on what the page shows of it.

import { send } from "./api.js";

/**
 * Submit, or abandon: what follows is shown. Every change says on what it was decided, by `revision`; when somebody else
 * was quicker, the page learns at once what there is now.
 */
export async function change(page, method, path, body) {
  try {
    page.taken(await send(method, path, body));
  } catch (error) {
    if (error.status === 409) await page.readConfiguration();
    throw error;
  }
}
