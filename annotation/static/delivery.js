// Getting a decision into the database: sent once more, under the same key, until the service has said yes or no.

const LONGEST_WAIT = 30_000;
const LONGEST_SILENCE = 15_000;

export class RefusedError extends Error {
  constructor(status, reason) {
    super(reason);
    this.status = status;
    this.reason = reason;
  }
}

export class Delivery {
  #csrf;
  #onWaiting;
  #current = null;

  // `onWaiting()` is told when the service cannot be reached for now.
  constructor(csrf, onWaiting) {
    this.#csrf = csrf;
    this.#onWaiting = onWaiting;
    addEventListener("online", () => this.#current?.hurry());
  }

  get busy() {
    return this.#current !== null;
  }

  // Gives up what has not arrived yet; the caller has changed its mind.
  cancel() {
    this.#current?.stop();
    this.#current = null;
  }

  // The service's answer; null where it was given up; `RefusedError` where the service says no.
  async send(url, body) {
    const attempt = { stopped: false, hurry: () => {}, stop: () => { attempt.stopped = true; attempt.hurry(); } };
    this.#current = attempt;
    try {
      for (let wait = 1_000; !attempt.stopped; wait = Math.min(2 * wait, LONGEST_WAIT)) {
        const response = await this.#post(url, body);
        if (attempt.stopped) return null;
        if (response?.ok) return await response.json();
        if (response && response.status < 500) throw await refusal(response);
        this.#onWaiting();
        await new Promise((resolve) => { attempt.hurry = resolve; setTimeout(resolve, wait); });
      }
      return null;
    } finally {
      if (this.#current === attempt) this.#current = null;
    }
  }

  async #post(url, body, again = true) {
    const headers = { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": this.#csrf };
    const signal = AbortSignal.timeout(LONGEST_SILENCE);
    const response = await fetch(url, { method: "POST", headers, body, signal }).catch(() => null);
    if (response?.status === 403 && again && await this.#renewToken()) return this.#post(url, body, false);
    return response;
  }

  // After a new login in another window this page still holds the token of the old one.
  async #renewToken() {
    const response = await fetch("/session", { headers: { Accept: "application/json" } }).catch(() => null);
    if (!response?.ok) return false;
    this.#csrf = (await response.json()).csrf;
    return true;
  }
}

async function refusal(response) {
  const told = await response.json().catch(() => ({}));
  return new RefusedError(response.status, told.reason ?? "");
}

// A key names one decision: sending it again after a lost answer is harmless.
export const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
