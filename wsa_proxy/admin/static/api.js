// Requests to the node that serves this page. Whatever changes something carries the session's CSRF token.

let session = null;

/** What the node did not do, with its own words; `errors` are those of the fields of a form, by their names. */
export class Refused extends Error {
  constructor(status, { error, errors = {} }) {
    const reasons = [error, ...(Array.isArray(errors) ? errors : [])].filter(Boolean);
    super(reasons.join("; ") || Object.values(errors)[0] || `the node answered with status ${status}`);
    this.status = status;
    this.errors = Array.isArray(errors) ? {} : errors;
  }
}

/** {"csrf": token, "node": name} of this session; raises Refused with status 401 when there is none. */
export async function openSession() {
  session = await request("GET", "/api/session");
  return session;
}

export function get(path) {
  return request("GET", path);
}

/** POST, PUT or DELETE. A token that is not valid any more (logged in again in another tab) is asked for anew, once. */
export async function send(method, path, body) {
  if (session === null) await openSession();
  try {
    return await request(method, path, body);
  } catch (error) {
    if (!(error instanceof Refused) || error.status !== 403) throw error;
    await openSession();
    return request(method, path, body);
  }
}

/** One of the verbs of the control socket, with texts as its arguments. */
export function act(verb, texts = {}) {
  return send("POST", `/api/actions/${verb}`, texts);
}

/** Why a stream of events does not begin, which EventSource keeps to itself: Refused; null when it would begin now. */
export async function whyRefused(path) {
  const looked = new AbortController();
  try {
    const response = await fetch(path, { signal: looked.signal });
    return response.ok ? null : new Refused(response.status, await response.json().catch(() => ({})));
  } catch {
    return new Refused(0, { error: "the node does not answer" });
  } finally {
    looked.abort();
  }
}

async function request(method, path, body) {
  const headers = { Accept: "application/json" };
  if (method !== "GET") headers["X-CSRF-Token"] = session?.csrf ?? "";
  if (body !== undefined) headers["Content-Type"] = "application/json";
  let response;
  try {
    response = await fetch(path, { method, headers, body: body === undefined ? undefined : JSON.stringify(body) });
  } catch {
    throw new Refused(0, { error: "the node does not answer" });
  }
  const answer = await response.json().catch(() => ({}));
  if (!response.ok) throw new Refused(response.status, answer);
  return answer;
}
