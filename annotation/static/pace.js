// Breaks proposed after a stretch of work. Five minutes away are a break.

const BREAK = 5 * 60_000;

export class Pace {
  #store;
  #minutes;

  constructor(store, minutes) {
    this.#store = store;
    this.#minutes = minutes;
  }

  // Counts the seconds of a finished task; says whether a break is due.
  finished(seconds) {
    const work = this.#store.work();
    const rested = Date.now() - work.last - seconds * 1000 > BREAK;
    const total = (rested ? 0 : work.seconds) + seconds;
    this.#store.saveWork({ seconds: total, last: Date.now() });
    return total >= this.#minutes * 60;
  }

  rested() {
    this.#store.saveWork({ seconds: 0, last: Date.now() });
  }
}
