// Talking to the hub: one place for cookies' companion (the CSRF token), errors and the stream.

import { t } from "./kit/t.js";

export class Refused extends Error {
  constructor(problem, status) {
    super(problem.detail || problem.title || t("refused"));
    this.status = status;
    this.code = problem.code || "";
  }
}

let csrf = "";
let signedOut = () => {};

// What to do when the hub says that nobody is signed in any more.
export function onSignedOut(act) {
  signedOut = act;
}

async function call(method, path, body, headers = {}) {
  let answer;
  try {
    answer = await fetch(path, {
      method,
      headers: {
        ...(body === undefined ? {} : { "Content-Type": "application/json" }),
        ...(csrf ? { "X-CSRF-Token": csrf } : {}),
        ...headers,
      },
      body: body === undefined ? undefined : JSON.stringify(body),
      credentials: "same-origin",
      cache: "no-store",
      redirect: "error",
    });
  } catch {
    throw new Refused({ detail: t("unreachable") }, 0);
  }
  const json = (answer.headers.get("Content-Type") || "").includes("json");
  const content = json ? await answer.json() : {};
  if (!answer.ok) throw new Refused(content, answer.status);
  return content;
}

async function member(...wanted) {
  try {
    return await call(...wanted);
  } catch (error) {
    if (error.status === 401) signedOut();
    throw error;
  }
}

const UNATTENDED = { "X-Unattended": "1" };

// The session as the hub sees it, or null; asking counts as being here, unless nobody did.
export async function session(headers = {}) {
  try {
    const found = await call("GET", "/api/1/session", undefined, headers);
    csrf = found.csrf;
    return found;
  } catch (error) {
    if (error.status === 401) return null;
    throw error;
  }
}

// `asked`: the technician's {code}, or a member of staff's {staff_no, pin}.
export async function signIn(asked) {
  csrf = (await call("POST", "/api/1/session", asked)).csrf;
}

export async function signOut() {
  await call("DELETE", "/api/1/session");
  csrf = "";
}

// Reads something; values that are empty stay out of the address.
export function read(path, query = {}, headers = {}) {
  const asked = new URLSearchParams(
    Object.entries(query).filter(([, value]) => value !== "" && value !== undefined && value !== null),
  ).toString();
  return member("GET", asked ? `${path}?${asked}` : path, undefined, headers);
}

// The same, when nobody asked for it just now: it doesn't keep the session from ending.
export const watch = (path, query) => read(path, query, UNATTENDED);

export const post = (path, body = {}) => member("POST", path, body);

export const openPairing = (body) => post("/api/1/pairing/open", body);

// A change with a key of its own: sent again after a lost answer it has one effect.  The prefix
// keeps random digits from passing for a UUID with a time in it.
export function change(service, operation, body) {
  const key = "page-" + Array.from(crypto.getRandomValues(new Uint8Array(16)), (one) =>
    one.toString(16).padStart(2, "0")).join("");
  return member("POST", `/api/1/${service}/${operation}`, body, { "Idempotency-Key": key });
}

const SILENCE_MS = 25000;
const AGAIN_MS = 2000;

// Follow the status until stop(): on.status(picture), on.lost(), on.signedOut().
export function follow(on) {
  let source = null;
  let silence = 0;
  let again = 0;
  let stopped = false;

  const heard = () => {
    clearTimeout(silence);
    silence = setTimeout(broken, SILENCE_MS);
  };
  const broken = async () => {
    if (stopped) return;
    source?.close();
    clearTimeout(silence);
    clearTimeout(again);
    on.lost();
    let here = true;
    try {
      here = (await session(UNATTENDED)) !== null;
    } catch {
      here = true; // unreachable is not signed out
    }
    if (stopped) return;
    if (!here) on.signedOut();
    else again = setTimeout(connect, AGAIN_MS);
  };
  const connect = () => {
    if (stopped) return;
    source = new EventSource("/api/1/status/stream");
    source.addEventListener("status", (event) => {
      heard();
      on.status(JSON.parse(event.data));
    });
    source.addEventListener("beat", heard);
    source.addEventListener("signed-out", () => on.signedOut());
    source.onerror = broken;
    heard();
  };
  connect();
  return () => {
    stopped = true;
    source?.close();
    clearTimeout(silence);
    clearTimeout(again);
  };
}
