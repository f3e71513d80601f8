// What each key does. Keys typed into a text, and those of the browser, are left alone.

import * as Order from "./order.js";

const TYPING = "textarea, input:not([type=checkbox]):not([type=radio]), select";
const OWN_ENTER = "button:not(.chip), a, summary, input";

// Whether the key was ours; `page` is what is on show.
export function keyPressed(event, page) {
  if (event.altKey || event.metaKey || event.isComposing) return false;
  const target = event.target instanceof Element ? event.target : document.body;
  const dialog = document.querySelector("dialog[open]");
  if (dialog) return inDialog(event, dialog, target);
  if (target.closest(TYPING)) return inText(event, page);
  if (event.ctrlKey) return event.key === "z" && act(() => page.undo());
  const place = digit(event);
  const { sheet } = page;
  if (place === 0) return act(() => sheet.order(Order.tieRest(sheet.tiers, sheet.labels)));
  if (place !== null && place <= sheet.labels.length) return act(() => sheet.act("pick", sheet.labels[place - 1]));
  return onArrow(event, sheet, target) || onLetter(event, page, target);
}

const act = (work) => { work(); return true; };

function digit(event) {
  if (event.shiftKey) return null;
  const found = /^(?:Digit|Numpad)(\d)$/.exec(event.code)?.[1] ?? (/^\d$/.test(event.key) ? event.key : null);
  return found === null ? null : Number(found);
}

function onArrow(event, sheet, target) {
  const card = target.closest(".card");
  const chip = target.closest(".chip");
  const steps = chip
    ? { ArrowLeft: "up", ArrowRight: "down", ArrowUp: "up", ArrowDown: "down", Delete: "remove" }
    : { ArrowUp: "up", ArrowDown: "down", " ": "pick", Delete: "remove" };
  const step = chip || card === target ? steps[event.key] : undefined;
  if (step) return act(() => sheet.act(step, (chip ?? card).dataset.label));
  if (!["ArrowLeft", "ArrowRight"].includes(event.key) || chip || (card && card !== target)) return false;
  const at = sheet.cards.indexOf(card);
  const next = event.key === "ArrowRight" ? at + 1 : at < 0 ? sheet.cards.length - 1 : at - 1;
  return act(() => sheet.cards[Math.max(0, Math.min(next, sheet.cards.length - 1))].focus());
}

function onLetter(event, page, target) {
  const { sheet } = page;
  const keys = {
    "=": () => sheet.announceTie(),
    "＝": () => sheet.announceTie(),
    Backspace: () => sheet.order(Order.takeBack(sheet.tiers)),
    Escape: () => sheet.order([]),
    n: () => sheet.change({ none: !sheet.state.none }),
    c: () => page.ask(),
    z: () => page.undo(),
    r: () => rewriteWorst(sheet),
  };
  if (event.key === "Enter") return !target.closest(OWN_ENTER) && act(() => page.submit());
  const chosen = keys[event.key.length === 1 ? event.key.toLowerCase() : event.key];
  return chosen !== undefined && act(chosen);
}

// Marks the worst answer for rewriting, where there is one and not several.
function rewriteWorst(sheet) {
  const button = sheet.cards.map((card) => card.querySelector("[data-do=worst]")).filter((found) => found && !found.hidden);
  if (button.length === 1) button[0].click();
}

function inText(event, page) {
  if (event.key === "Enter" && event.ctrlKey) return act(() => page.submit());
  const card = event.target.closest(".card");
  return event.key === "Escape" && act(() => (card ? card.focus() : event.target.blur()));
}

function inDialog(event, dialog, target) {
  if (target.closest(TYPING)) return false;
  const place = digit(event);
  const choices = [...dialog.querySelectorAll("input[type=radio]")];
  if (place !== null && choices[place - 1]) return act(() => { choices[place - 1].checked = true; choices[place - 1].focus(); });
  return event.key === "Enter" && target.matches("input[type=radio]") && act(() => target.form.requestSubmit());
}
