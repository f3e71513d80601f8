// Seconds spent on a task: only while the page is visible and someone has moved, typed or scrolled within the last minute.

const IDLE_AFTER = 60_000;

export class Clock {
  #spent = 0;
  #since = performance.now();
  #lastSign = performance.now();
  #visible = !document.hidden;

  constructor() {
    for (const sign of ["pointermove", "pointerdown", "keydown", "scroll", "focus"]) {
      addEventListener(sign, () => this.#sign(), { passive: true, capture: true });
    }
    document.addEventListener("visibilitychange", () => {
      this.#sign();
      this.#visible = !document.hidden;
    });
  }

  // Begins anew, with what was spent on the same task before.
  restart(seconds = 0) {
    this.#sign();
    this.#spent = seconds * 1000;
  }

  seconds() {
    this.#settle();
    return Math.round(this.#spent) / 1000;
  }

  #sign() {
    this.#settle();
    this.#lastSign = performance.now();
  }

  #settle() {
    const now = performance.now();
    if (this.#visible) this.#spent += Math.max(0, Math.min(now, this.#lastSign + IDLE_AFTER) - this.#since);
    this.#since = now;
  }
}
