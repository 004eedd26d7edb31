// What the form gains with JavaScript: bounds follow the type, lines are found, nothing is left behind.
"use strict";

const editor = document.getElementById("editor");
let touched = Boolean(editor) && "unsaved" in editor.dataset;

function showBounds(select) {
  const row = select.closest(".row");
  const line = row.querySelector(".bounds");
  row.dataset.type = select.value;
  for (const model of document.getElementById("bounds").content.querySelectorAll(".b")) {
    const wanted = model.dataset.for.split(" ").includes(select.value);
    let own = line.querySelector(`.b.${model.classList[model.classList.length - 1]}`);
    if (wanted && !own) {
      own = model.cloneNode(true);
      own.innerHTML = own.innerHTML.replaceAll("KEY", row.dataset.key);
      line.append(own);
    }
    if (own) own.hidden = !wanted;
  }
}

// What was typed and not saved is kept in this tab, for the page as it was when it was typed.
const memory = editor && `draft ${location.pathname}${location.search} ${editor.elements.revision.value}`;
const UNKEPT = ["csrf", "do", "upload", "base", "base-answers"];

function remember() {
  const typed = [...new FormData(editor)].filter(([name]) => !UNKEPT.includes(name));
  sessionStorage.setItem(memory, JSON.stringify({ base: editor.elements.base.value, typed }));
}

function recall() {
  const kept = JSON.parse(sessionStorage.getItem(memory) || "null");
  if (!kept || kept.base !== editor.elements.base.value || "unsaved" in editor.dataset) return;
  const rows = kept.typed.filter(([name]) => name === "row").map(([, value]) => value).join();
  if (rows !== new FormData(editor).getAll("row").join()) return;
  for (const box of editor.querySelectorAll("input[type=checkbox]")) {
    box.checked = kept.typed.some(([name]) => name === box.name);
  }
  for (const select of editor.querySelectorAll("select.type")) {
    select.value = (kept.typed.find(([name]) => name === select.name) || ["", select.value])[1];
    showBounds(select);
  }
  for (const [name, value] of kept.typed) {
    const input = editor.elements.namedItem(name);
    if (input && "value" in input && !["checkbox", "radio", "hidden"].includes(input.type)) input.value = value;
  }
  touched = true;
  const notice = document.createElement("p");
  notice.className = "notice";
  notice.setAttribute("role", "status");
  notice.textContent = "Here is what you typed before, not saved yet. ";
  const discard = document.createElement("button");
  discard.type = "button";
  discard.textContent = "Throw it away";
  discard.addEventListener("click", () => {
    touched = false;
    sessionStorage.removeItem(memory);
    location.reload();
  });
  notice.append(discard);
  document.getElementById("heading").after(notice);
  htmx.trigger(editor, "input");
}

function markProblems() {
  for (const input of document.querySelectorAll("#editor [aria-describedby]")) {
    const said = input.getAttribute("aria-describedby").split(" ").map((id) => document.getElementById(id));
    const wrong = said.some((one) => one && one.classList.contains("wrong")
      && !one.classList.contains("todo") && one.textContent.trim() !== "");
    if (wrong) input.setAttribute("aria-invalid", "true");
    else input.removeAttribute("aria-invalid");
  }
}

function goToLine(number) {
  const text = document.getElementById("document");
  const lines = text.value.split("\n");
  const start = lines.slice(0, number - 1).join("\n").length + (number > 1 ? 1 : 0);
  text.focus();
  text.setSelectionRange(start, start + (lines[number - 1] || "").length);
  text.scrollTop = (number - 4) * (text.scrollHeight / Math.max(lines.length, 1));
}

if (editor) {
  document.addEventListener("change", (event) => {
    if (event.target.matches("select.type")) showBounds(event.target);
  });
  document.addEventListener("click", (event) => {
    const line = event.target.closest("[data-line]");
    if (line) goToLine(Number(line.dataset.line));
  });
  document.addEventListener("input", (event) => {
    if (event.target.form !== editor) return;
    touched = true;
    remember();
  });
  document.addEventListener("submit", () => {
    touched = false;
    sessionStorage.removeItem(memory);
  });
  recall();
  document.addEventListener("htmx:afterSettle", markProblems);
  addEventListener("beforeunload", (event) => {
    if (touched) event.preventDefault();
  });
}
