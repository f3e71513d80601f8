// What is said between two tasks: that one is stored and can be taken back, and that a break would do good.

const SHOWN_FOR = 10_000;
let timer = 0;

export function toast(words, title, takeBack) {
  const box = document.getElementById("toast");
  box.querySelector("span").textContent = words.saved.replace("{title}", title);
  box.querySelector("button").onclick = takeBack;
  box.hidden = false;
  clearTimeout(timer);
  timer = setTimeout(hideToast, SHOWN_FOR);
}

export function hideToast() {
  document.getElementById("toast").hidden = true;
}

export function askForBreak(main, rested) {
  const dialog = main.querySelector("#break-dialog");
  dialog.showModal();
  dialog.addEventListener("close", rested, { once: true });
}
