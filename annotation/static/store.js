// What this browser remembers: drafts by task, and work since the last break. A browser without storage forgets.

const read = (name) => {
  try {
    return JSON.parse(localStorage.getItem(name));
  } catch {
    return null;
  }
};

const write = (name, value) => {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, JSON.stringify(value));
  } catch {
    // Storage is full or forbidden: the page goes on without it.
  }
};

export class Store {
  #user;

  constructor(user) {
    this.#user = user;
  }

  draft(task) {
    return read(this.#name("draft", task));
  }

  saveDraft(task, draft) {
    write(this.#name("draft", task), draft);
  }

  work() {
    return read(this.#name("work")) ?? { seconds: 0, last: 0 };
  }

  saveWork(work) {
    write(this.#name("work"), work);
  }

  #name(...parts) {
    return ["zhongjing", this.#user, ...parts].join("/");
  }
}
