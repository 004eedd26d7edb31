// My data: reads what this browser keeps, asks the server for its events, shows, saves, erases them.
"use strict";

const part = (id) => document.getElementById(id);

function kept() {
  try {
    const token = JSON.parse(localStorage.getItem("eventLogging.token"));
    const pages = JSON.parse(localStorage.getItem("eventLogging.pages"));
    return token && Array.isArray(pages) && pages.length ? { token, pages } : null;
  } catch {
    return null;
  }
}

/** Ask until everything is looked through: the server says where to go on. */
async function ask(path, mine, use) {
  let after = null;
  do {
    const answer = await fetch(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", Accept: "application/json" },
      body: JSON.stringify({ token: mine.token, pages: mine.pages, after }),
    });
    const body = await answer.json().catch(() => ({}));
    const wait = answer.headers.get("Retry-After");
    if (after && answer.status === 429) {
      // Somebody else looks right now: what was found so far is not lost for that.
      await new Promise((done) => { setTimeout(done, 1000 * (Number(wait) || 1)); });
      continue;
    }
    if (!answer.ok) {
      const why = (body.problems || [`the server answered ${answer.status}`]).join("; ");
      throw new Error(wait ? `${why}. Try again in ${wait} s.` : `${why}.`);
    }
    use(body);
    after = body.next;
  } while (after);
}

function element(name, text, attributes = {}) {
  const made = document.createElement(name);
  if (text) made.textContent = text;
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  return made;
}

const events = (n) => (n === 1 ? "1 event" : `${n} events`);

function say(text) {
  part("trouble").textContent = text;
  part("trouble").hidden = !text;
}

function table(found) {
  const rows = [
    ...found.events.map((one) => [one.dt, one.schema, one.event, one]),
    ...found.refused.map((one) => [one.received, `${one.schema} (refused)`, one.raw, one]),
    ...found.stripped.map((one) => [one.dt, `${one.schema} (what remains)`, null, one]),
  ].sort((a, b) => (a[0] < b[0] ? 1 : -1));
  const made = element("table", "", { class: "cards" });
  const head = made.createTHead().insertRow();
  for (const word of ["When, UTC", "Kind", "What it says"]) head.append(element("th", word, { scope: "col" }));
  const body = made.createTBody();
  for (const [when, kind, inside, all] of rows.slice(0, 500)) {
    const row = body.insertRow();
    row.append(element("th", String(when).slice(0, 19), { scope: "row" }));
    row.append(element("td", kind, { "data-label": "Kind" }));
    const cell = element("td", "", { "data-label": "What it says" });
    const details = element("details");
    details.append(element("summary", JSON.stringify(inside ?? all).slice(0, 80)));
    details.append(element("pre", JSON.stringify(all, null, 2), { tabindex: "0", "aria-label": "The event" }));
    cell.append(details);
    row.append(cell);
  }
  return [made, rows.length > 500 ? element("p", "These are the newest 500; the file has all.", { class: "hint" }) : ""];
}

function show(mine, found) {
  const number = found.events.length + found.refused.length + found.stripped.length;
  const result = part("result");
  result.replaceChildren();
  if (!number) {
    result.append(element("h2", "Nothing of this browser is stored"));
    result.append(element("p", "What it sent was left out of a sample, is deleted already, or is on its way still: look again in a minute."));
  } else {
    result.append(element("h2", `${events(number)} of this browser ${number === 1 ? "is" : "are"} stored`));
    const actions = element("p", "", { class: "actions" });
    const file = new Blob([JSON.stringify(found, null, 2)], { type: "application/json" });
    actions.append(element("a", "Download as JSON", { class: "button", href: URL.createObjectURL(file), download: "my-data.json" }));
    const erase = element("button", "Erase them…", { type: "button" });
    actions.append(erase);
    erase.addEventListener("click", () => confirmErase(mine, number, erase));
    const [rows, more] = table(found);
    result.append(actions, rows, more);
  }
  result.hidden = false;
  result.focus();
}

function confirmErase(mine, number, button) {
  button.hidden = true;
  const box = element("div", "", { class: "note" });
  box.append(element("p", `${events(number)} will be deleted for good. This cannot be undone.`));
  const yes = element("button", `Erase ${events(number)}`, { type: "button", class: "primary" });
  const no = element("button", "Keep them", { type: "button" });
  const actions = element("p", "", { class: "actions" });
  actions.append(yes, no);
  box.append(actions);
  button.parentElement.after(box);
  yes.focus();
  no.addEventListener("click", () => {
    box.remove();
    button.hidden = false;
    button.focus();
  });
  yes.addEventListener("click", async () => {
    yes.disabled = no.disabled = true;
    const made = [];
    try {
      await ask("/v1/my-data/erase", mine, (body) => body.erasure && made.push(body));
      say("");
      receipts(made);
    } catch (error) {
      say(`The events could not be erased: ${error.message}`);
      yes.disabled = no.disabled = false;
    }
  });
}

function receipts(made) {
  const result = part("result");
  result.replaceChildren(element("h2", made.length ? "They are being erased" : "There was nothing left to erase"));
  for (const one of made) {
    const line = element("p", "", { class: "done receipt", role: "status" });
    result.append(line);
    watch(one, line);
  }
  if (made.length) {
    result.append(element("p", "Keep number and digest: they prove that you asked, and when.", { class: "hint" }));
    const leave = element("p", "New events are recorded until you ");
    leave.append(element("a", "say no", { href: "/opt-out" }), ".");
    result.append(leave);
  }
  result.focus();
}

async function watch(one, line) {
  const write = (words, receipt) => {
    line.replaceChildren(`${words} Receipt ${receipt.number}, digest `, element("code", receipt.digest), ".");
  };
  write(`${events(one.rows)}: asked ${one.receipt.at.slice(0, 16).replace("T", " ")} UTC, carried out within ten minutes.`, one.receipt);
  for (let wait = 2000; ; wait = Math.min(2 * wait, 30000)) {
    await new Promise((done) => { setTimeout(done, wait); });
    try {
      const now = await (await fetch(one.erasure)).json();
      if (now.held) write(`${events(now.rows)} erased; a legal hold keeps ${events(now.held)} until it ends.`, now.receipt || one.receipt);
      if (now.state === "done") {
        write(`${events(now.rows)} erased.`, now.receipt);
        return;
      }
    } catch {
      // Nobody answers just now; the receipt stands.
    }
  }
}

const own = kept();
part("claim").hidden = false;
if (own) {
  const number = own.pages.reduce((sum, page) => sum + (Number(page[2]) || 0), 0);
  part("found").textContent = `This browser remembers ${events(number)} of this site.`;
  part("found").hidden = false;
  part("paste").hidden = true;
}
part("claim").addEventListener("submit", async (event) => {
  event.preventDefault();
  say("");
  let mine = own;
  if (!mine) {
    try {
      mine = JSON.parse(part("text").value);
    } catch {
      mine = null;
    }
    if (!mine || typeof mine.token !== "string" || !Array.isArray(mine.pages)) {
      say("This is not what eventLog.mine() gives: it begins with {\"token\": … and has \"pages\". Paste all of it.");
      part("text").focus();
      return;
    }
  }
  const found = { events: [], refused: [], stripped: [] };
  try {
    await ask("/v1/my-data", mine, (body) => {
      for (const kind of Object.keys(found)) found[kind].push(...body[kind]);
    });
    show(mine, found);
  } catch (error) {
    say(`Your events cannot be shown: ${error.message}`);
  }
});
