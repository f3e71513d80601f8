// The ranking page: keys, buttons and dragging work on one sheet; sending it brings the next one at once.

import { Clock } from "./clock.js";
import { Delivery, RefusedError, newKey } from "./delivery.js";
import { makeDraggable } from "./drag.js";
import { keyPressed } from "./keys.js";
import { Pace } from "./pace.js";
import { Sheet } from "./sheet.js";
import { Store } from "./store.js";
import { askForBreak, hideToast, toast } from "./toast.js";

const clock = new Clock();
const main = document.getElementById("content");
const store = new Store(main.querySelector("#tray").dataset.user);
let page;

// How long a page that is fetched ahead may keep anyone waiting before it is opened the usual way.
const LONGEST_WAIT = 2_000;
const noLaterThan = (milliseconds) => new Promise((resolve) => { setTimeout(resolve, milliseconds, null); });

// Everything that belongs to the task on show; `earlier` is the task finished just before, which can be taken back.
class Page {
  constructor(earlier = null) {
    this.sheet = new Sheet(main, () => this.changed());
    this.words = this.sheet.words;
    this.earlier = earlier;
    this.ahead = null;
    this.key = null;
    this.delivery = new Delivery(this.words.csrf, () => this.sheet.say(this.words.offline));
    this.pace = new Pace(store, Number(this.words.breakMinutes));
    this.stopDragging = makeDraggable(
      this.sheet.tray.querySelector("#order"),
      (element) => (this.sheet.locked ? null : element.closest?.("[data-number].chip, .grip")?.dataset.label),
      (label, target) => this.sheet.drop(label, target),
    );
    this.listen();
    this.resume();
    showQuestion();
    this.lookAhead();
  }

  listen() {
    for (const card of this.sheet.cards) this.listenTo(card);
    const on = (selector, event, act) => main.querySelector(selector)?.addEventListener(event, act);
    for (const button of main.querySelectorAll(".dimension")) {
      button.addEventListener("click", () => this.sheet.show(button.dataset.dimension));
    }
    on("#clear", "click", () => this.sheet.order([]));
    on("#undo", "click", () => this.undo());
    on("#none", "click", () => this.sheet.change({ none: !this.sheet.state.none }));
    on("#cannot", "click", () => this.ask());
    on("#load-earlier", "click", () => this.loadEarlier());
    on("#withdraw", "click", () => this.send({ verdict: "withdrawn" }));
    on("#tray", "submit", (event) => { event.preventDefault(); this.submit(); });
    on("#cannot-form", "submit", (event) => { event.preventDefault(); this.cannotJudge(event.target); });
    on("#cannot-cancel", "click", () => main.querySelector("#cannot-dialog").close());
  }

  listenTo(card) {
    const { label } = card.dataset;
    card.addEventListener("click", (event) => {
      const button = event.target.closest("button[data-do]");
      if (!button) return;
      this.sheet.act(button.dataset.do, label);
      if (button.dataset.do === "worst") card.querySelector("textarea").focus();
    });
    card.querySelector(".flags").addEventListener("change", (event) => this.sheet.flag(label, event.target.value, event.target.checked));
    card.querySelector("textarea").addEventListener("input", (event) => this.sheet.write(event.target.value));
  }

  // Every change is kept in this browser, and what was on its way unchanged is sent no more.
  changed() {
    this.delivery.cancel();
    this.key = null;
    this.keep();
  }

  keep(pending = null) {
    const draft = this.sheet.touched || pending ? { state: this.sheet.state, seconds: clock.seconds(), pending } : null;
    store.saveDraft(this.words.task, draft);
  }

  resume() {
    const draft = store.draft(this.words.task);
    clock.restart(draft?.seconds ?? 0);
    if (!draft || this.sheet.locked) return;
    this.sheet.restore(draft.state);
    if (draft.pending) this.deliver(draft.pending);
    else this.sheet.say(this.words.resumed);
  }

  // Sends the sheet where it is complete; otherwise says, and shows, what is missing.
  submit() {
    const { missing } = this.sheet;
    if (this.sheet.locked || this.delivery.busy) return;
    if (!missing) {
      this.send({ ...this.sheet.decision, verdict: "ranked" });
      return;
    }
    const unfinished = this.sheet.tiers.length > 0 && missing === this.sheet.dimension;
    if (missing !== this.sheet.dimension) this.sheet.show(missing);
    if (unfinished || this.sheet.dimensions.every((name) => this.sheet.state.orders[name].length === 0)) {
      this.sheet.say(this.words.incomplete);
    }
  }

  ask() {
    if (!this.sheet.locked) main.querySelector("#cannot-dialog").showModal();
  }

  cannotJudge(form) {
    const values = new FormData(form);
    if (!values.get("reason")) return;
    main.querySelector("#cannot-dialog").close();
    this.send({ verdict: "cannot_judge", reason: values.get("reason"), note: values.get("note") || null });
  }

  send(decision) {
    this.key ??= newKey();
    this.deliver(JSON.stringify({ ...decision, key: this.key, seconds: clock.seconds() }));
  }

  async deliver(body) {
    const spent = JSON.parse(body).seconds;
    this.keep(body);
    this.sheet.say(this.words.saving);
    main.querySelector("#log-in").hidden = true;
    try {
      const stored = await this.delivery.send(this.words.url, body);
      if (stored) await this.finished(stored, JSON.parse(body).verdict, spent);
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      this.keep();
      this.refused(error);
    }
  }

  refused(error) {
    const expired = error.status === 401 || error.status === 403;
    const words = { 409: error.reason === "closed" ? this.words.isClosed : this.words.changedElsewhere, 422: this.words.invalid };
    this.sheet.say(expired ? this.words.expired : words[error.status] ?? this.words.invalid);
    main.querySelector("#log-in").hidden = !expired;
  }

  async finished({ next, today }, verdict, seconds) {
    const done = { task: this.words.task, url: this.words.url, title: this.words.title, state: this.sheet.state, seconds };
    store.saveDraft(this.words.task, null);
    const due = this.pace.finished(seconds);
    if (verdict === "withdrawn") {
      location.reload();
      return;
    }
    await this.leaveFor(next, done);
    if (page.earlier !== done) return;
    showToday(today);
    toast(page.words, done.title, () => page.takeBackEarlier());
    if (due) askForBreak(main, () => page.pace.rested());
  }

  async leaveFor(next, done) {
    const text = this.ahead?.url === next ? await Promise.race([this.ahead.text, noLaterThan(LONGEST_WAIT)]) : null;
    if (!text) {
      location.assign(next);
      return;
    }
    this.stopDragging();
    const fetched = new DOMParser().parseFromString(text, "text/html");
    main.replaceChildren(...fetched.getElementById("content").childNodes);
    document.title = fetched.title;
    document.querySelector(".top").replaceWith(fetched.querySelector(".top"));
    history.pushState(null, "", next);
    scrollTo({ top: 0 });
    page = new Page(done);
  }

  // The next task is fetched while this one is read, so that nobody waits for it.
  lookAhead() {
    const { nextUrl } = this.words;
    if (!nextUrl) return;
    const text = fetch(`${nextUrl}?ahead_of=${this.words.task}`).then((response) => (response.ok && !response.redirected ? response.text() : null));
    this.ahead = { url: nextUrl, text: text.catch(() => null) };
  }

  undo() {
    if (!this.sheet.undo() && this.earlier) this.takeBackEarlier();
  }

  // Takes the task finished just before back: what was stored stays, a withdrawal is the newest version.
  async takeBackEarlier() {
    const { task, url, state, seconds } = this.earlier;
    this.earlier = null;
    hideToast();
    const body = JSON.stringify({ verdict: "withdrawn", key: newKey(), seconds: 0 });
    try {
      if (!await this.delivery.send(url, body)) return;
      if (state) store.saveDraft(task, { state, seconds, pending: null });
      location.assign(url);
    } catch (error) {
      if (!(error instanceof RefusedError)) throw error;
      this.refused(error);
    }
  }

  loadEarlier() {
    const orders = JSON.parse(this.words.earlier);
    const named = (tiers) => tiers.map((tier) => tier.map((number) => this.sheet.labels[number - 1]));
    this.sheet.change({ orders: Object.fromEntries(this.sheet.dimensions.map((name) => [name, named(orders[name] ?? [])])) });
  }
}

// Where the dialogue is taller than its panel, what is to be answered comes into view, not its beginning.
function showQuestion() {
  const talk = document.getElementById("talk");
  talk.scrollTop = talk.scrollHeight;
}

// A page fetched in advance does not know yet that the task before it is done.
function showToday(count) {
  const { pace } = main.querySelector("#pace").dataset;
  main.querySelector("#pace span").textContent = pace.replace("{done}", count);
  main.querySelector("#pace progress").value = count;
}

// A button that was clicked lets go, so that Enter submits the order and not the button once more.
main.addEventListener("click", (event) => { if (event.detail > 0) event.target.closest("button")?.blur(); });
addEventListener("popstate", () => location.reload());
document.addEventListener("keydown", (event) => { if (keyPressed(event, page)) event.preventDefault(); });
page = new Page();
