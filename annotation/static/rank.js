// The ranking page: keys, buttons and the tray work on one order per dimension.

import { Clock } from "./clock.js";
import * as Order from "./order.js";

const tray = document.getElementById("tray");
const words = tray.dataset;
const cards = [...document.querySelectorAll(".card")];
const labels = cards.map((card) => card.dataset.label);
const dimensions = words.dimensions.split(" ");
const orders = Object.fromEntries(dimensions.map((dimension) => [dimension, []]));
const clock = new Clock();
const loginLink = document.getElementById("log-in");
let dimension = dimensions[0];
let tieNext = false;
let sending = false;
let key = null;

const number = (label) => labels.indexOf(label) + 1;
const complete = (name) => Order.size(orders[name]) === labels.length;
const say = (text) => { document.getElementById("message").textContent = text; };
const spell = (tiers) => tiers.map((tier) => tier.map(number).join(" = ")).join(" > ");

function change(tiers) {
  if (sending || tiers === orders[dimension]) return;
  orders[dimension] = tiers;
  key = null;
  tieNext = false;
  render();
  say("");
  document.getElementById("heard").textContent = words.announce.replace("{order}", spell(tiers) || "–");
}

function element(tag, className, text = "") {
  const made = document.createElement(tag);
  made.className = className;
  made.textContent = text;
  return made;
}

function render() {
  cards.forEach(renderCard);
  renderTray();
  for (const button of document.querySelectorAll(".dimension")) {
    button.setAttribute("aria-pressed", String(button.dataset.dimension === dimension));
    button.classList.toggle("done", complete(button.dataset.dimension));
  }
  const ready = dimensions.every(complete);
  document.getElementById("submit").setAttribute("aria-disabled", String(!ready || sending));
  tray.classList.toggle("ready", ready);
}

function renderCard(card) {
  const tiers = orders[dimension];
  const label = card.dataset.label;
  const place = Order.placeOf(tiers, label);
  card.classList.toggle("placed", place !== null);
  card.querySelector(".place").textContent = place === null ? words.unplaced : words.place.replace("{place}", place);
  const alone = tiers.some((tier) => tier.length === 1 && tier[0] === label);
  const usable = {
    pick: place === null,
    up: place !== null && !(place === 1 && alone),
    down: place !== null && !(tiers.at(-1).includes(label) && alone),
    tie: place === null ? tiers.length > 0 : !tiers[0].includes(label),
    remove: place !== null,
  };
  for (const button of card.querySelectorAll("button")) {
    const name = button.dataset.do;
    button.hidden = place === null ? !["pick", "tie"].includes(name) : name === "pick";
    button.disabled = !usable[name];
  }
}

function renderTray() {
  const list = document.getElementById("order");
  const tiers = orders[dimension];
  const filled = tiers.map((tier) => {
    const item = element("li", "tier");
    item.append(...tier.map((label) => element("span", "chip", String(number(label)))));
    return item;
  });
  const open = labels.length - Order.size(tiers);
  const empty = Array.from({ length: open }, (_, index) => element("li", index === 0 && tieNext ? "slot tied" : "slot"));
  list.replaceChildren(...filled, ...empty);
}

function act(name, label) {
  const tiers = orders[dimension];
  if (name === "pick") return change(Order.pick(tiers, label, tieNext));
  return change(Order[name](tiers, label));
}

function pressed(event) {
  if (event.ctrlKey || event.altKey || event.metaKey || event.isComposing) return;
  const digit = /^(?:Digit|Numpad)([1-9])$/.exec(event.code)?.[1] ?? (/^[1-9]$/.test(event.key) ? event.key : null);
  const card = event.target.closest?.(".card");
  const onCard = card !== null && event.target === card;
  if (digit !== null && !event.shiftKey && Number(digit) <= labels.length) act("pick", labels[Number(digit) - 1]);
  else if (event.key === "=" || event.key === "＝") announceTie();
  else if (event.key === "Backspace") change(Order.takeBack(orders[dimension]));
  else if (event.key === "Escape") change([]);
  else if (onCard && event.key === " ") act("pick", card.dataset.label);
  else if (onCard && event.key === "ArrowUp") act("up", card.dataset.label);
  else if (onCard && event.key === "ArrowDown") act("down", card.dataset.label);
  else if (event.key === "Enter" && !event.target.closest?.("button, a, summary")) submit();
  else return;
  event.preventDefault();
}

function announceTie() {
  if (orders[dimension].length === 0 || complete(dimension)) return;
  tieNext = !tieNext;
  renderTray();
  say(tieNext ? words.tieNext : "");
}

function chooseDimension(name) {
  dimension = name;
  tieNext = false;
  render();
}

// A key names one decision: sending it again after a lost answer is harmless.
const newKey = () => [...crypto.getRandomValues(new Uint8Array(16))].map((byte) => byte.toString(16).padStart(2, "0")).join("");

async function send() {
  key ??= newKey();
  const body = JSON.stringify({ orders, key, seconds: clock.seconds() });
  const post = () => fetch(words.url, {
    method: "POST",
    headers: { "Content-Type": "application/json", Accept: "application/json", "X-CSRF-Token": words.csrf },
    body,
  });
  let response = await post();
  if (response.status === 403 && await renewToken()) response = await post();
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

// After a new login in another window this page still holds the token of the old one.
async function renewToken() {
  const response = await fetch("/session", { headers: { Accept: "application/json" } });
  if (!response.ok) return false;
  words.csrf = (await response.json()).csrf;
  return true;
}

async function submit() {
  if (sending) return;
  const missing = dimensions.find((name) => !complete(name));
  if (missing) {
    if (missing !== dimension) chooseDimension(missing);
    say(words.incomplete);
    return;
  }
  sending = true;
  render();
  say(words.saving);
  loginLink.hidden = true;
  try {
    const stored = await send();
    say(words.saved);
    location.assign(stored.next);
  } catch (error) {
    const known = { 401: words.expired, 403: words.expired, 409: words.changed };
    say(known[error.message] ?? words.offline);
    loginLink.hidden = known[error.message] !== words.expired;
    sending = false;
    render();
  }
}

// Where the dialogue is taller than its panel, what is to be answered comes into view, not its beginning.
function showQuestion() {
  const talk = document.getElementById("talk");
  const question = talk.querySelector(".last");
  talk.scrollTop = question.offsetTop - talk.querySelector("h2").offsetHeight - 12;
}

for (const card of cards) {
  card.addEventListener("click", (event) => {
    const button = event.target.closest("button");
    if (button) act(button.dataset.do, card.dataset.label);
  });
}
for (const button of document.querySelectorAll(".dimension")) {
  button.addEventListener("click", () => chooseDimension(button.dataset.dimension));
}
document.getElementById("clear").addEventListener("click", () => change([]));
tray.addEventListener("submit", (event) => { event.preventDefault(); submit(); });
document.addEventListener("keydown", pressed);
showQuestion();
render();
