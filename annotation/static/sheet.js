// One task on the page: what the expert has said of it so far, and how that looks.

import * as Order from "./order.js";

const blank = (dimensions) => ({
  orders: Object.fromEntries(dimensions.map((dimension) => [dimension, []])),
  none: false,
  worst: null,
  rewrite: "",
  flags: {},
});

export class Sheet {
  #main;
  #onChange;
  #before = [];

  // `onChange()` is told of every change that the expert makes.
  constructor(main, onChange) {
    this.#main = main;
    this.#onChange = onChange;
    this.tray = main.querySelector("#tray");
    this.words = this.tray.dataset;
    this.cards = [...main.querySelectorAll(".card")];
    this.labels = this.cards.map((card) => card.dataset.label);
    this.dimensions = this.words.dimensions.split(" ");
    this.dimension = this.dimensions[0];
    this.tieNext = false;
    this.locked = this.words.closed === "true";
    this.state = blank(this.dimensions);
    this.render();
  }

  get tiers() {
    return this.state.orders[this.dimension];
  }

  get touched() {
    return JSON.stringify(this.state) !== JSON.stringify(blank(this.dimensions));
  }

  complete(dimension) {
    return Order.size(this.state.orders[dimension]) === this.labels.length;
  }

  get missing() {
    return this.dimensions.find((dimension) => !this.complete(dimension));
  }

  // The state as the service takes it.
  get decision() {
    const { orders, none, worst, rewrite, flags } = this.state;
    return {
      orders,
      none_acceptable: none,
      worst,
      rewrite: worst && rewrite.trim() ? rewrite : null,
      flags: Object.entries(flags).flatMap(([label, kinds]) => kinds.map((kind) => ({ label, kind }))),
    };
  }

  restore(state) {
    this.state = { ...blank(this.dimensions), ...state };
    this.render();
  }

  // Whatever the expert does passes here, so that it can be undone, kept and heard.
  change(part) {
    if (this.locked) return;
    this.#before.push(this.state);
    this.state = { ...this.state, ...part };
    this.#settle();
  }

  undo() {
    if (this.locked || this.#before.length === 0) return false;
    this.state = this.#before.pop();
    this.#settle();
    return true;
  }

  order(tiers) {
    if (tiers === this.tiers) return;
    this.change({ orders: { ...this.state.orders, [this.dimension]: tiers } });
  }

  act(name, label) {
    if (name === "pick") this.order(Order.pick(this.tiers, label, this.tieNext));
    else if (name === "worst") this.change({ worst: this.state.worst === label ? null : label });
    else this.order(Order[name](this.tiers, label));
  }

  drop(label, target) {
    this.order(Order.move(this.tiers, label, target));
  }

  flag(label, kind, on) {
    const kinds = (this.state.flags[label] ?? []).filter((other) => other !== kind);
    this.change({ flags: { ...this.state.flags, [label]: on ? [...kinds, kind] : kinds } });
  }

  // Typing is one step of its own kind: kept, but not undone letter by letter.
  write(text) {
    this.state = { ...this.state, rewrite: text };
    this.#onChange();
  }

  announceTie() {
    if (this.tiers.length === 0 || this.complete(this.dimension)) return;
    this.tieNext = !this.tieNext;
    this.render();
    this.say(this.tieNext ? this.words.tieNext : "");
  }

  show(dimension) {
    this.dimension = dimension;
    this.tieNext = false;
    this.render();
  }

  say(text) {
    this.#main.querySelector("#message").textContent = text;
  }

  spell(tiers) {
    return tiers.map((tier) => tier.map((label) => this.#number(label)).join(" = ")).join(" > ");
  }

  render() {
    this.cards.forEach((card) => this.#renderCard(card));
    this.#renderOrder();
    for (const button of this.tray.querySelectorAll(".dimension")) {
      button.setAttribute("aria-pressed", String(button.dataset.dimension === this.dimension));
      button.classList.toggle("done", this.complete(button.dataset.dimension));
    }
    this.tray.querySelector("#none")?.setAttribute("aria-pressed", String(this.state.none));
    const ready = !this.missing && !this.locked;
    this.tray.querySelector("#submit").setAttribute("aria-disabled", String(!ready));
    this.tray.classList.toggle("ready", ready);
  }

  #settle() {
    this.tieNext = false;
    const last = this.state.orders[this.dimensions[0]].at(-1) ?? [];
    if (this.state.worst && !last.includes(this.state.worst)) this.state = { ...this.state, worst: null };
    this.render();
    this.say("");
    const order = this.spell(this.tiers) || "–";
    this.#main.querySelector("#heard").textContent = this.words.announce.replace("{order}", order);
    this.#onChange();
  }

  #number(label) {
    return this.labels.indexOf(label) + 1;
  }

  #renderCard(card) {
    const { label } = card.dataset;
    const tiers = this.tiers;
    const place = Order.placeOf(tiers, label);
    const alone = tiers.some((tier) => tier.length === 1 && tier[0] === label);
    const last = tiers.at(-1)?.includes(label) ?? false;
    const usable = {
      pick: place === null,
      up: place !== null && !(place === 1 && alone),
      down: place !== null && !(last && alone),
      tie: place === null ? tiers.length > 0 : !tiers[0].includes(label),
      remove: place !== null,
      worst: last && tiers.length > 1 && this.dimension === this.dimensions[0] && this.complete(this.dimension),
    };
    card.classList.toggle("placed", place !== null);
    card.querySelector(".place").textContent = place === null ? this.words.unplaced : this.words.place.replace("{place}", place);
    for (const button of card.querySelectorAll("button[data-do]")) {
      const name = button.dataset.do;
      button.hidden = name === "worst" ? !usable.worst : place === null ? !["pick", "tie"].includes(name) : name === "pick";
      button.disabled = this.locked || !usable[name];
    }
    this.#renderMarks(card, label);
  }

  #renderMarks(card, label) {
    if (!card.querySelector("[data-do=worst]")) return;
    const worst = this.state.worst === label;
    const kinds = this.state.flags[label] ?? [];
    card.querySelector("[data-do=worst]").setAttribute("aria-pressed", String(worst));
    card.querySelector(".rewrite").hidden = !worst;
    card.classList.toggle("worst", worst);
    card.classList.toggle("flagged", kinds.length > 0);
    card.querySelector(".flags summary").dataset.count = kinds.length || "";
    for (const box of card.querySelectorAll(".flags input")) box.checked = kinds.includes(box.value);
    const text = card.querySelector("textarea");
    if (worst && text.value !== this.state.rewrite) text.value = this.state.rewrite;
  }

  #renderOrder() {
    const list = this.tray.querySelector("#order");
    const held = document.activeElement?.closest?.(".chip")?.dataset.label;
    const filled = this.tiers.map((tier) => {
      const item = element("li", "tier");
      item.append(...tier.map((label) => this.#chip(label)));
      return item;
    });
    const open = this.labels.length - Order.size(this.tiers);
    const empty = Array.from({ length: open }, (_, index) => element("li", index === 0 && this.tieNext ? "slot tied" : "slot"));
    list.replaceChildren(...filled, ...empty);
    if (held) list.querySelector(`.chip[data-label="${held}"]`)?.focus();
  }

  #chip(label) {
    const chip = element("button", "chip");
    const number = this.#number(label);
    chip.type = "button";
    chip.textContent = number;
    chip.dataset.label = label;
    chip.dataset.number = number;
    const place = this.words.place.replace("{place}", Order.placeOf(this.tiers, label));
    chip.setAttribute("aria-label", `${this.words.answer.replace("{number}", number)} · ${place}`);
    return chip;
  }
}

function element(tag, className) {
  const made = document.createElement(tag);
  made.className = className;
  return made;
}
