// Dragging answers into the order, by mouse, pen or finger alike.

const FAR_ENOUGH = 6;
const REACH = 56;
const EDGE = 0.28;

// `labelAt(element)` names what an element drags, if anything; `onDrop(label, target)` takes where it was let go.
export function makeDraggable(list, labelAt, onDrop) {
  let drag = null;

  function begin(event) {
    const label = event.button === 0 && event.isPrimary ? labelAt(event.target) : null;
    if (label) drag = { label, handle: event.target, x: event.clientX, y: event.clientY, ghost: null, target: null };
  }

  function move(event) {
    if (!drag) return;
    if (!drag.ghost && Math.hypot(event.clientX - drag.x, event.clientY - drag.y) < FAR_ENOUGH) return;
    drag.ghost ??= lift(drag.handle);
    drag.ghost.style.transform = `translate(${event.clientX}px, ${event.clientY}px)`;
    drag.target = targetAt(list, event.clientX, event.clientY);
    mark(list, drag.target);
    event.preventDefault();
  }

  function end(event) {
    if (!drag) return;
    const { label, ghost, target } = drag;
    drag = null;
    if (!ghost) return;
    ghost.remove();
    mark(list, null);
    addEventListener("click", swallow, { capture: true, once: true });
    setTimeout(() => removeEventListener("click", swallow, { capture: true }), 0);
    if (target && event.type === "pointerup") onDrop(label, target);
  }

  document.addEventListener("pointerdown", begin);
  document.addEventListener("pointermove", move, { passive: false });
  document.addEventListener("pointerup", end);
  document.addEventListener("pointercancel", end);
  return () => {
    document.removeEventListener("pointerdown", begin);
    document.removeEventListener("pointermove", move);
    document.removeEventListener("pointerup", end);
    document.removeEventListener("pointercancel", end);
  };
}

const swallow = (event) => { event.stopPropagation(); event.preventDefault(); };

function lift(handle) {
  const ghost = document.createElement("div");
  ghost.className = "ghost";
  ghost.setAttribute("aria-hidden", "true");
  ghost.textContent = handle.closest("[data-number]").dataset.number;
  document.body.append(ghost);
  return ghost;
}

// The middle of a tier ties with it; its edges, and what lies between tiers, make a tier of its own.
function targetAt(list, x, y) {
  const frame = list.parentElement.getBoundingClientRect();
  if (y < frame.top - REACH || y > frame.bottom + REACH) return null;
  const tiers = [...list.querySelectorAll(".tier")].map((tier) => tier.getBoundingClientRect());
  if (tiers.length === 0) return { before: 0 };
  const distances = tiers.map((rect) => distance(rect, x, y));
  const nearest = distances.indexOf(Math.min(...distances));
  const across = (x - tiers[nearest].left) / tiers[nearest].width;
  if (across < EDGE) return { before: nearest };
  return across > 1 - EDGE ? { before: nearest + 1 } : { into: nearest };
}

function distance(rect, x, y) {
  const aside = Math.max(rect.left - x, 0, x - rect.right);
  const away = Math.max(rect.top - y, 0, y - rect.bottom);
  return aside + 3 * away;
}

function mark(list, target) {
  const tiers = [...list.querySelectorAll(".tier")];
  tiers.forEach((tier, index) => {
    tier.classList.toggle("into", target?.into === index);
    tier.classList.toggle("before", target?.before === index);
    tier.classList.toggle("after", target?.before === tiers.length && index === tiers.length - 1);
  });
  list.classList.toggle("first", target?.before === 0 && tiers.length === 0);
}
