// Keeps a dashboard up to date while somebody looks at it; never under their fingers.

const EVERY = 15_000;
const main = document.getElementById("content");
let asking = false;

const busy = () => document.hidden || asking || main.contains(document.activeElement) || !getSelection().isCollapsed;

async function refresh() {
  if (busy()) return;
  asking = true;
  try {
    const response = await fetch(location.href, { headers: { Accept: "text/html" } });
    if (response.ok && !response.redirected) show(await response.text());
  } catch {
    // The connection is away or the service restarts: look again.
  } finally {
    asking = false;
  }
}

function show(text) {
  const fetched = new DOMParser().parseFromString(text, "text/html").getElementById("content");
  if (fetched.innerHTML !== main.innerHTML) main.replaceChildren(...fetched.childNodes);
}

setInterval(refresh, EVERY);
addEventListener("focus", refresh);
document.addEventListener("visibilitychange", refresh);
