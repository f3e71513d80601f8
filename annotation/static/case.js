// The page of a senior expert: the order is made as on the ranking page; a reason goes with it.

import { Delivery, RefusedError, newKey } from "./delivery.js";
import { makeDraggable } from "./drag.js";
import { keyPressed } from "./keys.js";
import { Sheet } from "./sheet.js";
import { Store } from "./store.js";

const main = document.getElementById("content");
const reason = document.getElementById("reason");

class Case {
  constructor() {
    this.sheet = new Sheet(main, () => this.changed());
    this.words = this.sheet.words;
    this.store = new Store(this.words.user);
    this.delivery = new Delivery(this.words.csrf, () => this.sheet.say(this.words.offline));
    this.key = null;
    makeDraggable(
      this.sheet.tray.querySelector("#order"),
      (element) => element.closest?.("[data-number].chip, .grip")?.dataset.label,
      (label, target) => this.sheet.drop(label, target),
    );
    this.listen();
    this.resume();
  }

  listen() {
    for (const card of this.sheet.cards) {
      card.addEventListener("click", (event) => {
        const button = event.target.closest("button[data-do]");
        if (button) this.sheet.act(button.dataset.do, card.dataset.label);
      });
    }
    const on = (selector, event, act) => main.querySelector(selector)?.addEventListener(event, act);
    on("#clear", "click", () => this.sheet.order([]));
    on("#undo", "click", () => this.undo());
    on("#none", "click", () => this.sheet.change({ none: !this.sheet.state.none }));
    on("#take-back", "click", () => this.takeBack());
    on("#tray", "submit", (event) => { event.preventDefault(); this.submit(); });
    reason.addEventListener("input", () => this.changed());
  }

  // Every change is kept in this browser, and what was on its way unchanged is sent no more.
  changed() {
    this.delivery.cancel();
    this.key = null;
    const kept = this.sheet.touched || reason.value ? { state: this.sheet.state, reason: reason.value } : null;
    this.store.saveDraft(this.words.task, kept);
  }

  resume() {
    const draft = this.store.draft(this.words.task);
    if (!draft) return;
    this.sheet.restore(draft.state);
    reason.value = draft.reason;
    this.sheet.say(this.words.resumed);
  }

  undo() {
    this.sheet.undo();
  }

  // Nobody leaves a case undecided by a key: the letter goes on to the reason.
  ask() {
    reason.focus();
  }

  submit() {
    if (this.delivery.busy) return;
    if (this.sheet.missing) this.sheet.say(this.words.incomplete);
    else if (this.reasoned()) this.send({ verdict: "decided", order: this.sheet.tiers, none_acceptable: this.sheet.state.none });
  }

  takeBack() {
    if (!this.delivery.busy && this.reasoned()) this.send({ verdict: "withdrawn" });
  }

  reasoned() {
    if (reason.value.trim()) return true;
    this.sheet.say(this.words.needsReason);
    reason.focus();
    return false;
  }

  async send(decision) {
    this.key ??= newKey();
    const body = JSON.stringify({ ...decision, reason: reason.value, key: this.key, seen: Number(this.words.seen) });
    this.sheet.say(this.words.saving);
    main.querySelector("#log-in").hidden = true;
    try {
      const stored = await this.delivery.send(this.words.url, body);
      if (!stored) return;
      this.store.saveDraft(this.words.task, null);
      location.assign(stored.next);
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      this.refused(error.status);
    }
  }

  refused(status) {
    const expired = status === 401 || status === 403;
    this.sheet.say(expired ? this.words.expired : status === 409 ? this.words.meanwhile : this.words.invalid);
    main.querySelector("#log-in").hidden = !expired;
  }
}

// A button that was clicked lets go, so that Enter submits the order and not the button once more.
main.addEventListener("click", (event) => { if (event.detail > 0) event.target.closest("button")?.blur(); });
const page = new Case();
document.addEventListener("keydown", (event) => { if (keyPressed(event, page)) event.preventDefault(); });
