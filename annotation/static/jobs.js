// Keeps the pages of jobs up to date: progress and log as they come, the page itself when a job changes its state.

const EVERY = 1000;
const OVER = ["done", "failed", "dead", "cancelled"];

async function ask(path) {
  const response = await fetch(path, { headers: { Accept: "application/json" } });
  if (!response.ok) throw new Error(String(response.status));
  return response.json();
}

function showProgress(progress) {
  const bar = document.getElementById("bar");
  if (!bar || !progress) return;
  document.getElementById("step").textContent = progress.step;
  document.getElementById("count").textContent = progress.total ? `${progress.done} / ${progress.total}` : progress.done;
  if (progress.total) {
    bar.max = progress.total;
    bar.value = progress.done;
  } else {
    bar.removeAttribute("value");
  }
}

function addLines(lines) {
  const list = document.getElementById("lines");
  const atEnd = list.scrollTop + list.clientHeight >= list.scrollHeight - 4;
  for (const line of lines) {
    const item = document.createElement("li");
    const time = document.createElement("time");
    const text = document.createElement("span");
    time.textContent = line.at.slice(11, 19);
    text.textContent = line.text;
    item.append(time, text);
    list.append(item);
  }
  if (lines.length) document.getElementById("no-lines")?.remove();
  if (atEnd) list.scrollTop = list.scrollHeight;
}

async function followOne(panel) {
  const job = await ask(`/api/jobs/${panel.dataset.job}`);
  const lines = await ask(`/api/jobs/${panel.dataset.job}/log?after=${panel.dataset.lines}`);
  addLines(lines);
  if (lines.length) panel.dataset.lines = lines.at(-1).number;
  if (job.state !== panel.dataset.state) location.reload();
  showProgress(job.progress);
  return !OVER.includes(job.state);
}

async function followAll(rows) {
  const jobs = await ask("/api/jobs");
  if (rows.some((row) => jobs.some((job) => String(job.id) === row.dataset.job && job.state !== row.dataset.state))) {
    location.reload();
  }
  return true;
}

async function follow(look) {
  let going = true;
  try {
    going = await look();
  } catch {
    // The connection is away or the service restarts: look again.
  }
  if (going) setTimeout(follow, EVERY, look);
}

const panel = document.getElementById("job");
const waiting = [...document.querySelectorAll("tr[data-job]")].filter((row) => !OVER.includes(row.dataset.state));
if (panel && !OVER.includes(panel.dataset.state)) follow(() => followOne(panel));
else if (waiting.length) follow(() => followAll(waiting));
